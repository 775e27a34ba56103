"""The demo: made once, whole, beside whatever is here; and every account and sync ends as the simulator scripts it."""

from __future__ import annotations

import stat
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from console.access import demo_sign_ins, policy
from console.access.models import Grant, Team, Tenant, User
from console.access.permissions import Permission
from console.audit.models import AuditEvent
from integrations_app.models import (
    Credential,
    CredentialSecret,
    Integration,
    Job,
    JobState,
    QuarantinedItem,
    Schedule,
    SyncRun,
    VendorAccount,
    VendorGate,
)
from integrations_app.services import jobs, vendor_accounts
from integrations_app.simulator.server import SimulatorServer
from tests.celery_worker import CeleryWorker
from tests.people import make_tenant, make_user
from tests.servers import free_port, wait_until

pytestmark = pytest.mark.django_db

EIGHT = {"brightwater", "kestrel", "larkspur", "nordhavn", "osmond", "pallas", "quill", "tamarind"}


@pytest.fixture(autouse=True)
def data_dir(settings: Any, tmp_path: Path) -> Path:
    """The password of each test in a folder of its own; the keys stay where they are."""
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def filled(simulator: SimulatorServer) -> str:
    """The demo, made by its command; what that printed."""
    return run_demo()


def run_demo(*options: str) -> str:
    printed = StringIO()
    call_command("demo", *options, stdout=printed)
    return printed.getvalue()


def person(role: str) -> User:
    return User.objects.get(email=f"{role}@demo.example")


def reach(role: str, permission: Permission = Permission.INTEGRATION_VIEW) -> set[str]:
    """Where somebody may do this, by slug."""
    return set(policy.tenants_where(person(role), permission).values_list("slug", flat=True))


def simulated(server: SimulatorServer) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The simulator's accounts by what the console knows them by: tenant, vendor, name."""
    accounts: list[dict[str, Any]] = server.overview()["accounts"]  # type: ignore[assignment]
    return {(account["customer"], account["vendor"], account["label"]): account for account in accounts}


def mirrored() -> dict[tuple[str, str, str], VendorAccount]:
    rows = VendorAccount.objects.select_related("tenant", "credential", "owner", "gate")
    return {(row.tenant.slug, row.vendor, row.name): row for row in rows}


# --- what is there -----------------------------------------------------------------------------------------------


def test_eight_tenants_have_every_account_that_the_simulator_lists(filled: str, simulator: SimulatorServer) -> None:
    assert set(Tenant.objects.values_list("slug", flat=True)) == EIGHT
    assert set(mirrored()) == set(simulated(simulator))
    assert Tenant.objects.get(slug="larkspur").name == "Larkspur Outdoor"
    assert len(set(Tenant.objects.values_list("colour", flat=True))) == len(EIGHT)
    assert Tenant.objects.exclude(external_id="").exclude(time_zone="UTC").exclude(owner=None).count() == len(EIGHT)


def test_alloy_and_membrane_are_bound_to_one_shared_credential_each_and_the_others_have_their_own(filled: str) -> None:
    shared = {row.vendor: row for row in Credential.objects.filter(tenant=None)}
    assert set(shared) == {"alloy", "membrane"}
    bindings = set()
    for (_, vendor, _), account in mirrored().items():
        assert account.credential is not None
        if vendor in shared:
            assert account.credential == shared[vendor]
            bindings.add(str(account.binding))
        else:
            assert account.credential.tenant == account.tenant
    assert len(bindings) == sum(vendor in shared for _, vendor, _ in mirrored())


def test_no_secret_of_the_demo_stands_in_the_clear(filled: str, simulator: SimulatorServer) -> None:
    sealed = b"".join(bytes(secret) for secret in CredentialSecret.objects.values_list("sealed", flat=True))
    shown = str(list(Credential.objects.values("public_fields"))) + str(list(AuditEvent.objects.values("detail")))
    for account in simulated(simulator).values():
        for name in ("api_key", "api_token", "client_secret", "workspace_secret"):
            secret = account["credential"].get(name, "")
            assert not secret or (secret.encode() not in sealed and secret not in shown)


def test_one_secret_has_expired_and_another_will_in_five_days(filled: str) -> None:
    today, found = timezone.now().date(), mirrored()
    with_a_last_day = Credential.objects.exclude(expires_on=None).order_by("expires_on")
    last_days = list(with_a_last_day.values_list("expires_on", flat=True))
    assert [day < today for day in last_days if day] == [True, False, False]
    assert last_days[1] == today + timedelta(days=5)
    expired = [key for key, account in found.items() if vendor_accounts.shown_state(account).state == "expired"]
    assert expired == [("osmond", "celigo", "Production")]


def test_each_account_has_a_schedule_and_they_do_not_begin_together(filled: str) -> None:
    assert Schedule.objects.count() == VendorAccount.objects.count()
    hourly = Schedule.objects.filter(every_seconds=3600).values_list("next_at", flat=True)
    assert len({moment.minute for moment in hourly}) > len(hourly) // 2


def test_a_first_test_and_a_first_sync_of_each_account_are_asked_for(filled: str) -> None:
    for account in mirrored().values():
        asked = Job.objects.for_tenant(account.tenant).filter(vendor_account=account)
        assert sorted(asked.values_list("type", flat=True)) == ["sync_account", "test_account"]


def test_every_change_has_its_audit_row_with_a_person_behind_it(filled: str) -> None:
    events = AuditEvent.objects.values_list("event", "by_label")
    count = {event: sum(each == event for each, _ in events) for event, _ in events}
    assert count["tenant.created"] == len(EIGHT)
    assert count["vendor_account.added"] == count["schedule.changed"] == VendorAccount.objects.count()
    assert count["user.created"] == 7
    assert count["grant.given"] == Grant.objects.count()
    assert count["team.created"] == Team.objects.count() == 1
    by_nobody = [event for event, by in events if by == "the console"]
    assert by_nobody == ["user.created"], "only the first person has nobody before them"


# --- who may do what -----------------------------------------------------------------------------------------------


EVERYBODY_BUT_SUPPORT = {"platform", "owner", "admin", "editor", "viewer", "auditor"}
WHO_MAY = {
    Permission.INTEGRATION_VIEW: EVERYBODY_BUT_SUPPORT,
    Permission.INTEGRATION_SYNC: {"platform", "owner", "admin", "editor"},
    Permission.CREDENTIAL_MANAGE: {"platform", "owner", "admin"},
    Permission.AUDIT_VIEW: {"platform", "owner", "admin", "auditor"},
    Permission.TENANT_SETTINGS: {"platform", "owner"},
}


def test_each_but_support_holds_their_role_at_all_eight_customers_and_no_more(filled: str) -> None:
    for permission, may in WHO_MAY.items():
        for role in EVERYBODY_BUT_SUPPORT:
            assert reach(role, permission) == (EIGHT if role in may else set()), (role, permission)
    assert list(User.objects.filter(is_platform_admin=True)) == [person("platform")]


def test_support_reaches_some_by_label_one_by_team_and_one_by_a_pass(filled: str) -> None:
    assert reach("support") == {"brightwater", "nordhavn", "quill", "osmond"}
    team = Team.objects.get()
    assert person("support") in team.members.all()
    team.grants.all().delete()
    assert reach("support") == {"brightwater", "nordhavn", "osmond"}
    support_pass = Grant.objects.get(user=person("support"), tenant__slug="osmond")
    assert support_pass.is_pass
    assert support_pass.reason
    assert support_pass.ticket
    Grant.objects.filter(pk=support_pass.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert reach("support") == {"brightwater", "nordhavn"}


def test_a_tenant_added_beside_the_demo_stays_closed_to_its_people(filled: str) -> None:
    mine = make_tenant("mine", "A Real Customer")
    assert not Grant.objects.reaching(mine).exists()
    assert reach("owner") == EIGHT


# --- signing in --------------------------------------------------------------------------------------------------


def test_the_command_prints_the_password_that_signs_everybody_in(filled: str, client: Client) -> None:
    password = filled.strip().splitlines()[-1].removeprefix("Password: ")
    assert len(password) >= 16
    for email in demo_sign_ins.EMAILS:
        assert email in filled
        assert User.objects.get(email=email).check_password(password)
    client.post(reverse("account_login"), {"login": "support@demo.example", "password": password})
    assert client.get(reverse("tenants:detail", args=["osmond"])).status_code == 200
    assert client.get(reverse("tenants:detail", args=["larkspur"])).status_code == 404


def test_the_password_is_kept_where_only_the_console_reads_it(filled: str, data_dir: Path) -> None:
    path = data_dir / "demo-password"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() in filled


def test_each_installation_has_a_password_of_its_own(data_dir: Path, settings: Any) -> None:
    first = demo_sign_ins.make_password()
    assert demo_sign_ins.make_password() == first
    settings.DATA_DIR = data_dir / "another"
    assert demo_sign_ins.make_password() != first


def test_the_sign_in_page_shows_the_sign_ins_in_demo_mode_only(filled: str, client: Client, settings: Any) -> None:
    shown = client.get(reverse("account_login")).content.decode()
    assert "support@demo.example" in shown
    assert demo_sign_ins.password() in shown
    password = demo_sign_ins.password()
    settings.DEMO = False
    hidden = client.get(reverse("account_login")).content.decode()
    assert "demo.example" not in hidden
    assert password not in hidden


def test_the_sign_in_page_names_nobody_where_the_demo_was_not_made(client: Client) -> None:
    assert "demo.example" not in client.get(reverse("account_login")).content.decode()


# --- once, whole, and only where it may be -------------------------------------------------------------------------


def everything() -> dict[str, list[dict[str, Any]]]:
    models: tuple[Any, ...] = (
        User,
        Tenant,
        Grant,
        Team,
        Credential,
        CredentialSecret,
        VendorAccount,
        Schedule,
        Job,
        AuditEvent,
    )
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in models}


def test_a_second_run_changes_nothing_and_prints_the_sign_ins_again(filled: str) -> None:
    before = everything()
    assert run_demo() == filled
    assert everything() == before


def test_what_was_removed_from_the_demo_does_not_come_back(filled: str) -> None:
    vendor_accounts.remove(mirrored()["kestrel", "celigo", "Production"], by=person("owner"), reason="Not needed")
    before = everything()
    run_demo()
    assert everything() == before


def test_it_is_made_beside_people_and_tenants_that_are_here(simulator: SimulatorServer) -> None:
    somebody = make_user("somebody", is_platform_admin=True)
    make_tenant("mine", "A Real Customer")
    run_demo()
    assert set(Tenant.objects.values_list("slug", flat=True)) == EIGHT | {"mine"}
    assert not policy.visible_tenants(somebody).exists()


def test_asked_to_fill_new_consoles_only_it_leaves_one_that_is_in_use_alone(simulator: SimulatorServer) -> None:
    make_user("somebody", is_platform_admin=True)
    assert run_demo("--only-if-new") == ""
    assert not Tenant.objects.exists()


def test_a_real_tenant_of_the_same_address_stops_it_and_nothing_is_left_behind(simulator: SimulatorServer) -> None:
    make_tenant("tamarind", "The Real Tamarind")
    with pytest.raises(CommandError, match="Another tenant has this address already"):
        run_demo()
    assert not User.objects.exists()
    assert Tenant.objects.get().name == "The Real Tamarind"


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("IS_PRODUCTION", True, "There is no demo in production"),
        ("DEMO", False, "Demo mode is off"),
        ("SIMULATOR_URL", "", "needs the simulated vendors"),
    ],
)
def test_it_says_in_one_line_where_there_can_be_no_demo(
    setting: str, value: object, sentence: str, settings: Any, simulator: SimulatorServer
) -> None:
    setattr(settings, setting, value)
    with pytest.raises(CommandError, match=sentence) as refused:
        run_demo()
    assert "\n" not in str(refused.value)
    assert not User.objects.exists()


def test_it_says_in_one_line_that_the_simulator_does_not_answer(settings: Any) -> None:
    settings.SIMULATOR_URL = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CommandError, match="do not answer as they should at http://127") as refused:
        run_demo()
    assert "\n" not in str(refused.value)
    assert not User.objects.exists()


def test_only_a_platform_admin_makes_teams(filled: str) -> None:
    from console.access import services

    with pytest.raises(PermissionDenied):
        services.create_team(name="Mine", members=(), by=person("owner"))


# --- how it ends -----------------------------------------------------------------------------------------------------


def let_time_pass() -> None:
    """Do what the scheduler does every few seconds; once all that is left waits, be where the waits and pauses end."""
    jobs.sweep()
    if not Job.objects.in_flight().exists():
        now = timezone.now()
        VendorGate.objects.filter(paused_until__gt=now).update(paused_until=now)
        Job.objects.filter(state=JobState.WAITING, not_before__gt=now).update(not_before=now)


def no_job_is_open() -> bool:
    let_time_pass()
    return not Job.objects.filter(finished_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_every_account_and_every_sync_end_as_scripted(worker: CeleryWorker, simulator: SimulatorServer) -> None:
    run_demo()
    wait_until(no_job_is_open, "The demo's jobs did not all end", seconds=120)
    scripted, found = simulated(simulator), mirrored()
    assert {key: account.state for key, account in found.items()} == {
        key: account["expected"]["account_state"] for key, account in scripted.items()
    }
    syncs = Job.objects.filter(type="sync_account").select_related("vendor_account")
    assert {job.vendor_account_id: job.state for job in syncs} == {
        found[key].pk: account["expected"]["sync_state"] for key, account in scripted.items()
    }
    for key, account in scripted.items():
        held = Integration.objects.for_tenant(found[key].tenant).filter(vendor_account=found[key]).count()
        aside = QuarantinedItem.objects.for_tenant(found[key].tenant).filter(vendor_account=found[key]).count()
        is_readable = account["expected"]["sync_state"] != "failed"
        assert held + aside == (account["integrations"] if is_readable else 0), key
    assert 330 < Integration.objects.count() < 420
    assert set(Integration.objects.values_list("state", flat=True)) >= {"attention", "active", "inactive"}
    refused = found["pallas", "torq", "IT operations"]
    # In the words of the test or of the sync, whichever ended later.
    assert refused.last_failure in ("get a token: Refused (401)", "get a token: The vendor refuses the secret (401)")
    assert not SyncRun.objects.filter(outcome=SyncRun.Outcome.RUNNING).exists()

    before = everything()
    run_demo()
    assert everything() == before
