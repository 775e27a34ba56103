"""Accounts and their secrets: added, changed, replaced, removed, connected; and what is shown of them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from console.access.models import Grant, Role, Tenant, User
from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.models import (
    Credential,
    CredentialSecret,
    Integration,
    Job,
    Schedule,
    SecretChange,
    VendorAccount,
    VendorGate,
)
from integrations_app.services import credentials, regions, secret_changes, sync_runs, vendor_accounts
from integrations_app.services.errors import InvalidError, StaleError
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from integrations_app.vendors.base import SupportsLiveSearch
from integrations_app.vendors.errors import VendorAuthError, VendorUnavailableError, VendorUnsupportedError
from tests.integrations_app.services.mirroring import Watched, added, owner_of, simulated, sync, tenant

pytestmark = pytest.mark.django_db
SECRET = "not-a-real-token-4f8e1c"


@pytest.fixture
def larkspur() -> Tenant:
    return tenant()


@pytest.fixture
def owner(larkspur: Tenant) -> User:
    return owner_of(larkspur, is_platform_admin=False)


def celigo(larkspur: Tenant, owner: User, **values: object) -> VendorAccount:
    defaults = {"vendor": "celigo", "name": "Production", "region": "us", "fields": {"api_token": SECRET}}
    return vendor_accounts.add(tenant=larkspur, by=owner, **{**defaults, **values})  # type: ignore[arg-type]


def viewer_of(larkspur: Tenant) -> User:
    user = User.objects.create_user("viewer@demo.example", None)
    Grant.objects.create(user=user, role=Role.objects.get(slug="viewer"), tenant=larkspur)
    return user


# --- adding ------------------------------------------------------------------------------------------------------


def test_a_secret_is_sealed_and_only_its_fingerprint_shown(larkspur: Tenant, owner: User) -> None:
    account = celigo(larkspur, owner)
    row = CredentialSecret.objects.get()
    assert SECRET.encode() not in bytes(row.sealed)
    assert account.credential is not None
    (status,) = vendor_accounts.secret_status(account.credential)
    assert (status.is_set, status.value, status.fingerprint, status.set_by) == (True, "", row.fingerprint, owner)
    assert credentials.open_fields(account.credential) == {"api_token": SECRET}
    assert SECRET not in str(list(AuditEvent.objects.values()))


def test_a_field_that_is_no_secret_is_shown(larkspur: Tenant, owner: User) -> None:
    fields = {"client_id": "id-1", "client_secret": SECRET}
    account = celigo(larkspur, owner, vendor="torq", fields=fields)
    assert account.credential is not None
    shown = {status.field.name: status.value for status in vendor_accounts.secret_status(account.credential)}
    assert shown == {"client_id": "id-1", "client_secret": ""}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"fields": {"api_token": "  "}}, "api_token"),
        ({"fields": {"api_token": "a\nb"}}, "api_token"),
        ({"fields": {"api_token": SECRET, "more": "x"}}, "more"),
        ({"name": ""}, "name"),
        ({"region": "moon"}, "region"),
        ({"binding": {"end_user_id": "x"}}, "end_user_id"),
        ({"every_seconds": 5}, "every_seconds"),
    ],
)
def test_what_cannot_be_stored_is_told_by_field(
    larkspur: Tenant, owner: User, wrong: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidError) as refused:
        celigo(larkspur, owner, **wrong)
    assert field in refused.value.errors
    assert not VendorAccount.objects.exists()
    assert not Credential.objects.exists()


def test_two_accounts_of_a_vendor_have_two_names(larkspur: Tenant, owner: User) -> None:
    account = celigo(larkspur, owner)
    with pytest.raises(InvalidError):
        celigo(larkspur, owner)
    celigo(larkspur, owner, name="Sandbox")
    vendor_accounts.remove(account, by=owner, reason="")
    celigo(larkspur, owner)


def test_a_viewer_adds_nothing(larkspur: Tenant, owner: User) -> None:
    with pytest.raises(PermissionDenied):
        celigo(larkspur, viewer_of(larkspur))


def test_only_platform_admins_bind_a_shared_credential(larkspur: Tenant, owner: User) -> None:
    admin = owner_of(larkspur)
    fields = {"workspace_key": "k", "workspace_secret": SECRET}
    shared = credentials.create_shared(by=admin, vendor="membrane", name="Company", fields=fields)
    values = {"vendor": "membrane", "fields": None, "credential": shared, "binding": {"tenant_key": "t1"}, "region": ""}
    values["region"] = regions.regions_for("membrane")[0].slug
    with pytest.raises(PermissionDenied):
        celigo(larkspur, owner, **values)
    account = celigo(larkspur, admin, **values)
    assert account.credential == shared
    assert AuditEvent.objects.filter(event=Event.CREDENTIAL_BOUND).count() == 1
    assert list(credentials.where_used(shared)) == [account]
    assert credentials.shared("membrane").get().accounts_count == 1  # type: ignore[attr-defined]


def test_a_tenants_own_credential_cannot_be_bound_elsewhere(larkspur: Tenant, owner: User) -> None:
    account = celigo(larkspur, owner)
    other = tenant("Kestrel")
    with pytest.raises(InvalidError):
        celigo(other, owner_of(other), fields=None, credential=account.credential)


# --- changing and removing ---------------------------------------------------------------------------------------


def test_a_change_from_an_old_form_is_refused(larkspur: Tenant, owner: User) -> None:
    account = celigo(larkspur, owner)
    values = {"name": "EU", "owner": owner, "expires_on": date(2030, 1, 1), "every_seconds": 7200}
    vendor_accounts.change(account, by=owner, version=1, **values)  # type: ignore[arg-type]
    with pytest.raises(StaleError):
        vendor_accounts.change(account, by=owner, version=1, **values)  # type: ignore[arg-type]
    assert (account.name, account.version) == ("EU", 2)
    assert Credential.objects.get().expires_on == date(2030, 1, 1)
    assert Schedule.objects.get().every_seconds == 7200


def test_a_schedule_of_zero_is_paused(larkspur: Tenant, owner: User) -> None:
    account = celigo(larkspur, owner)
    vendor_accounts.change(
        account, by=owner, version=1, name="Production", owner=owner, expires_on=None, every_seconds=0
    )
    assert Schedule.objects.get().is_paused


def test_a_removed_account_keeps_its_integrations_and_loses_its_secret(
    simulator: SimulatorServer, larkspur: Tenant
) -> None:
    owner = owner_of(larkspur)
    account = added(simulator, "larkspur-celigo-sandbox", by=owner, at=larkspur)
    sync(account)
    vendor_accounts.request_sync(account, by=owner)
    vendor_accounts.remove(account, by=owner, reason="Left us")
    assert not Credential.objects.exists()
    assert not Schedule.objects.exists()
    assert Job.objects.get().state == "cancelled"
    assert Integration.objects.filter(vendor_account=account).count() == 12
    with pytest.raises(VendorAuthError):
        vendor_accounts.connect(account)
    vendor_accounts.remove(account, by=owner, reason="again")
    assert AuditEvent.objects.filter(event=Event.VENDOR_ACCOUNT_REMOVED).count() == 1


def test_a_shared_credential_in_use_is_not_removed(larkspur: Tenant) -> None:
    admin = owner_of(larkspur)
    shared = credentials.create_shared(by=admin, vendor="celigo", name="Company", fields={"api_token": SECRET})
    account = celigo(larkspur, admin, fields=None, credential=shared)
    with pytest.raises(InvalidError):
        credentials.remove(shared, by=admin)
    vendor_accounts.remove(account, by=admin, reason="")
    credentials.remove(shared, by=admin)
    assert not Credential.objects.exists()


def test_a_shared_secret_is_tested_where_its_platform_admin_may_set_secrets(larkspur: Tenant) -> None:
    admin, kestrel = owner_of(larkspur), tenant("Aalborg")
    elsewhere = owner_of(kestrel)
    fields = {"api_token": SECRET}
    shared = credentials.create_shared(by=admin, vendor="celigo", name="Company", fields=fields)
    celigo(kestrel, elsewhere, fields=None, credential=shared)
    with pytest.raises(InvalidError, match="at none of the tenants"):
        credentials.request_replacement(shared, by=admin, fields=fields, version=1)
    here = celigo(larkspur, admin, fields=None, credential=shared)
    job = credentials.request_replacement(shared, by=admin, fields=fields, version=1)
    assert job is not None
    assert job.vendor_account == here


# --- a new secret ------------------------------------------------------------------------------------------------


def asked(account: VendorAccount, by: User, token: str, **values: object) -> SecretChange:
    assert account.credential is not None
    version = account.credential.version
    job = vendor_accounts.request_secret_change(
        account, by=by, fields={"api_token": token}, version=version, **values  # type: ignore[arg-type]
    )  # fmt: skip
    return SecretChange.objects.get(pk=job.params["secret_change"])


def test_a_secret_that_works_replaces_the_old_one(simulator: SimulatorServer, larkspur: Tenant) -> None:
    owner = owner_of(larkspur)
    account = added(simulator, "larkspur-celigo", by=owner, at=larkspur)
    assert account.credential is not None
    old = CredentialSecret.objects.get().fingerprint
    token = simulated(simulator, "larkspur-celigo-sandbox").credential["api_token"]
    change = asked(account, owner, token, reason="Leaver", expires_on=date(2031, 1, 1))
    assert token.encode() not in bytes(change.sealed or b"")
    decided = secret_changes.decide(account, change.pk)
    assert (decided.outcome, decided.sealed) == ("applied", None)
    credential = Credential.objects.get()
    assert credentials.open_fields(credential) == {"api_token": token}
    assert (credential.version, credential.expires_on) == (2, date(2031, 1, 1))
    assert (decided.previous_fingerprint, decided.fingerprint != old) == (old, True)
    event = AuditEvent.objects.get(event=Event.CREDENTIAL_REPLACED)
    assert event.reason == "Leaver"
    assert secret_changes.decide(account, change.pk).outcome == "applied"


def test_a_secret_the_vendor_refuses_changes_nothing(simulator: SimulatorServer, larkspur: Tenant) -> None:
    owner = owner_of(larkspur)
    account = added(simulator, "larkspur-celigo", by=owner, at=larkspur)
    change = secret_changes.decide(account, asked(account, owner, "not-a-token-anybody-knows").pk)
    assert change.outcome == "refused"
    assert "Nothing was changed" in change.refusal
    assert change.sealed is None
    token = simulated(simulator, "larkspur-celigo").credential["api_token"]
    assert credentials.open_fields(Credential.objects.get()) == {"api_token": token}


def test_a_secret_of_another_account_is_refused(simulator: SimulatorServer, larkspur: Tenant) -> None:
    owner = owner_of(larkspur)
    account = added(simulator, "larkspur-celigo", by=owner, at=larkspur)
    vendor_accounts.test(account, by=owner)
    assert account.identity
    token = simulated(simulator, "quill-celigo").credential["api_token"]
    change = secret_changes.decide(account, asked(account, owner, token).pk)
    assert (change.outcome, "another account" in change.refusal) == ("refused", True)


def test_a_vendor_that_is_down_leaves_everything_as_it_was(simulator: SimulatorServer, larkspur: Tenant) -> None:
    owner = owner_of(larkspur)
    account = added(simulator, "larkspur-celigo", by=owner, at=larkspur)
    change = asked(account, owner, simulated(simulator, "larkspur-celigo").credential["api_token"])
    simulator.world.add_fault(Fault(name="down", kind="status", account="larkspur-celigo", status=503))
    with pytest.raises(VendorUnavailableError):
        secret_changes.decide(account, change.pk)
    change.refresh_from_db()
    assert (change.outcome, change.sealed, Credential.objects.get().version) == ("abandoned", None, 1)


def test_a_secret_drawn_from_an_old_form_is_refused(larkspur: Tenant, owner: User) -> None:
    account = celigo(larkspur, owner)
    with pytest.raises(StaleError):
        vendor_accounts.request_secret_change(account, by=owner, fields={"api_token": "x"}, version=7)


def test_one_new_secret_is_tested_at_a_time(larkspur: Tenant, owner: User) -> None:
    account = celigo(larkspur, owner)
    asked(account, owner, "first-token")
    with pytest.raises(InvalidError):
        asked(account, owner, "second-token")
    assert SecretChange.objects.count() == 1


def test_a_region_changes_only_with_the_secret(simulator: SimulatorServer, larkspur: Tenant) -> None:
    owner = owner_of(larkspur)
    there = simulated(simulator, "larkspur-celigo")
    account = celigo(larkspur, owner, fields=there.credential)
    change = asked(account, owner, there.credential["api_token"], region="simulator")
    secret_changes.decide(account, change.pk)
    account.refresh_from_db()
    assert (account.region, account.version) == ("simulator", 2)


# --- what is shown -----------------------------------------------------------------------------------------------


def test_the_state_shown_knows_of_expiry_and_pause(larkspur: Tenant, owner: User) -> None:
    account = celigo(larkspur, owner, expires_on=timezone.now().date() + timedelta(days=1))
    assert vendor_accounts.shown_state(account).state == "untested"
    VendorGate.objects.create(account=account, paused_until=timezone.now() + timedelta(seconds=50))
    account.refresh_from_db()
    shown = vendor_accounts.shown_state(account)
    assert (shown.state, shown.until is not None) == ("paused", True)
    tomorrow = timezone.now() + timedelta(days=2)
    from integrations_app.services.account_health import shown_state

    assert shown_state(account, tomorrow).state == "expired"


def test_showing_a_list_of_accounts_costs_one_query(
    larkspur: Tenant, owner: User, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    for number in range(3):
        celigo(larkspur, owner, name=f"Account {number}")
    with django_assert_num_queries(1):  # type: ignore[operator]
        shown = [vendor_accounts.shown_state(account) for account in vendor_accounts.for_page(larkspur)]
    assert [state.state for state in shown] == ["untested"] * 3


@pytest.mark.parametrize(
    ("name", "state"),
    [("larkspur-celigo", "ok"), ("kestrel-celigo", "partial"), ("osmond-celigo", "failing"), ("kestrel-torq", "ok"),
     ("pallas-torq", "failing"), ("kestrel-membrane", "ok"), ("larkspur-alloy", "ok"), ("brightwater-alloy", "ok")],
)  # fmt: skip
def test_a_test_says_in_which_state_an_account_is(simulator: SimulatorServer, name: str, state: str) -> None:
    account = added(simulator, name)
    vendor_accounts.test(account, by=None)
    account.refresh_from_db()
    assert (account.state, bool(account.test_report), account.tested_at is not None) == (state, True, True)
    assert bool(account.state_reason) == (state != "ok")


def test_one_call_that_works_does_not_hide_those_refused(simulator: SimulatorServer) -> None:
    account = added(simulator, "kestrel-celigo")
    vendor_accounts.test(account, by=None)
    sync(account)
    account.refresh_from_db()
    assert account.state == "partial"


def test_a_sync_that_began_before_the_test_ended_does_not_hide_what_it_was_refused(simulator: SimulatorServer) -> None:
    syncing = added(simulator, "kestrel-celigo")
    vendor_accounts.test(VendorAccount.objects.get(pk=syncing.pk), by=None)
    sync_runs.sync(syncing, job=None, progress=Watched())  # by a worker that read the account before the test did
    syncing.refresh_from_db()
    assert syncing.state == "partial"


def test_a_test_that_works_does_not_hide_a_list_that_is_not_believed(simulator: SimulatorServer) -> None:
    account = added(simulator, "larkspur-celigo-sandbox")
    sync(account)
    simulator.world.set_list_mode(simulated(simulator, "larkspur-celigo-sandbox"), "empty")
    sync(account)
    vendor_accounts.test(account, by=None)
    account.refresh_from_db()
    assert account.state == "partial"
    assert "12 were known" in account.state_reason


# --- regions and connecting --------------------------------------------------------------------------------------


def test_a_vendor_without_a_capability_says_why(simulator: SimulatorServer) -> None:
    account = added(simulator, "larkspur-celigo")
    with pytest.raises(VendorUnsupportedError) as refused:
        vendor_accounts.connect(account, SupportsLiveSearch)
    assert "search" in refused.value.message


def test_an_expired_secret_is_not_sent(larkspur: Tenant, owner: User) -> None:
    account = celigo(larkspur, owner, expires_on=date(2020, 1, 1))
    with pytest.raises(VendorAuthError, match="expired"):
        vendor_accounts.connect(account)


def test_the_installer_adds_hosts_for_one_vendor_or_all(settings: object) -> None:
    settings.VENDOR_ALLOWED_HOSTS = (  # type: ignore[attr-defined]
        "celigo=https://gateway.example/celigo/v1/", "proxy.example", "10.20.0.0/16",
    )  # fmt: skip
    hosts = [region.hosts["api"] for region in regions.regions_for("celigo")]
    assert "https://gateway.example/celigo/v1" in hosts
    assert "https://proxy.example/v1" in hosts
    assert not any("gateway.example" in region.hosts["api"] for region in regions.regions_for("membrane"))
    slugs = [region.slug for region in regions.regions_for("alloy")]
    assert len(slugs) == len(set(slugs))
    assert all(len(slug) <= 40 for slug in slugs)
    assert regions.allowed_networks("celigo", "us") == ("10.20.0.0/16",)


def test_loopback_is_reached_by_the_simulators_regions_only(settings: object) -> None:
    assert regions.allowed_networks("celigo", "simulator") == ("127.0.0.0/8", "::1/128")
    assert regions.allowed_networks("celigo", "us") == ()
    settings.IS_PRODUCTION = True  # type: ignore[attr-defined]
    assert regions.allowed_networks("celigo", "simulator") == ()
    assert "simulator" not in {region.slug for region in regions.regions_for("celigo")}
