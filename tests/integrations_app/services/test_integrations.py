"""Lists, search and what needs a person: what is read, in which order, and at what cost."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.access import policy
from console.access.models import Grant, Role, Tenant, User
from integrations_app.models import Integration, IntegrationAlias, VendorAccount
from integrations_app.services import integrations, states
from integrations_app.services.integrations import ListQuery
from integrations_app.simulator.server import SimulatorServer
from integrations_app.vendors.errors import VendorAuthError
from tests.integrations_app.services.mirroring import added, owner_of, simulated, sync, tenant

pytestmark = pytest.mark.django_db


def row(account: VendorAccount, name: str, state: str = "active", **values: Any) -> Integration:
    from integrations_app.models.fields import sort_key

    defaults: dict[str, Any] = {
        "tenant": account.tenant, "vendor_account": account, "vendor": account.vendor, "remote_id": uuid.uuid4().hex,
        "name": name, "name_sort": sort_key(name), "state": state, "state_rank": states.RANKS[state],
        "digest": b"0" * 32,
    }  # fmt: skip
    return Integration.objects.create(**{**defaults, **values})


@pytest.fixture
def account() -> VendorAccount:
    larkspur = tenant()
    return VendorAccount.objects.create(tenant=larkspur, vendor="celigo", name="Production", region="us")


@pytest.fixture
def elsewhere() -> VendorAccount:
    return VendorAccount.objects.create(tenant=tenant("Kestrel"), vendor="torq", name="Operations", region="us")


def everywhere(**filters: Any) -> ListQuery:
    return ListQuery(Tenant.objects.all(), **filters)


def names(query: ListQuery, cursors: dict[str, str] | None = None, size: int = 50) -> list[str]:
    return [found.name for found in integrations.list_page(query, cursors=cursors or {}, size=size).rows]


def test_pages_go_forward_and_back_over_every_row_once(account: VendorAccount) -> None:
    now = timezone.now()
    for number in range(7):
        row(
            account, f"n{number}", "active" if number % 2 else "attention", changed_at=now - timedelta(hours=number % 3)
        )
    for sort in integrations.SORTS:
        query = everywhere(sort=sort)
        forward, backward = [], []
        page = integrations.list_page(query, cursors={}, size=3)
        while True:
            forward.append([found.name for found in page.rows])
            if not page.next:
                break
            page = integrations.list_page(query, cursors={"after": page.next}, size=3)
        while page.previous:
            page = integrations.list_page(query, cursors={"before": page.previous}, size=3)
            backward.append([found.name for found in page.rows])
        assert sorted(name for names_of_page in forward for name in names_of_page) == [
            f"n{number}" for number in range(7)
        ]
        assert forward[:-1] == backward[::-1]


def test_sorting_by_state_brings_what_needs_a_person_first(account: VendorAccount) -> None:
    for state in ("gone", "archived", "inactive", "active", "building", "attention"):
        row(account, state, state)
    everything = everywhere(sort="state", with_archived=True)
    assert names(everything) == ["attention", "building", "active", "inactive", "archived", "gone"]


def test_filters_narrow_and_never_widen(account: VendorAccount, elsewhere: VendorAccount) -> None:
    row(account, "Orders EU", "attention")
    row(account, "Refunds", "archived")
    row(elsewhere, "Orders US")
    account.tenant.labels.create(name="tier 1")
    assert names(everywhere(sort="name")) == ["Orders EU", "Orders US"]
    assert names(everywhere(sort="name", with_archived=True)) == ["Orders EU", "Orders US", "Refunds"]
    assert names(everywhere(state="archived")) == ["Refunds"]
    assert names(everywhere(needs_attention=True)) == ["Orders EU"]
    assert names(everywhere(vendor="torq")) == ["Orders US"]
    assert names(everywhere(tenant=account.tenant.slug)) == ["Orders EU"]
    assert names(everywhere(label="tier 1")) == ["Orders EU"]
    assert names(everywhere(account=elsewhere.pk)) == ["Orders US"]
    assert names(everywhere(text=" orders us ")) == ["Orders US"]
    only_one = ListQuery(Tenant.objects.filter(pk=account.tenant_id), account=elsewhere.pk)
    assert names(only_one) == []


def test_a_count_stops_at_its_cap(account: VendorAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        row(account, str(number))
    assert str(integrations.count(everywhere())) == "4"
    monkeypatch.setattr(integrations, "COUNT_CAP", 3)
    assert str(integrations.count(everywhere())) == "3+"


def test_a_page_costs_the_same_whatever_it_holds(account: VendorAccount) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            found = integrations.list_page(everywhere(), cursors={})
            for each in found.rows:
                assert each.tenant.slug
                assert each.vendor_account.name
                states.sentence(each)
            integrations.count(everywhere())
            integrations.list_age(everywhere())
        return len(queries)

    row(account, "one")
    few = cost()
    for number in range(30):
        row(account, f"more {number}", "attention", finding_code="errors", finding_count=2)
    assert cost() == few == 3


def test_the_age_of_a_list_is_that_of_its_accounts(account: VendorAccount, elsewhere: VendorAccount) -> None:
    now = timezone.now()
    VendorAccount.objects.filter(pk=account.pk).update(listed_at=now - timedelta(minutes=2))
    VendorAccount.objects.filter(pk=elsewhere.pk).update(listed_at=now - timedelta(hours=9), state="failing")
    age = integrations.list_age(everywhere())
    assert (age.accounts, age.stale, age.failing) == (2, 1, 1)
    assert age.oldest is not None
    assert age.newest is not None
    assert age.oldest < age.newest
    assert integrations.list_age(everywhere(tenant=account.tenant.slug)).stale == 0


def test_counts_by_state_are_per_tenant(account: VendorAccount, elsewhere: VendorAccount) -> None:
    row(account, "a", "attention")
    row(account, "b", "attention")
    row(elsewhere, "c")
    counts = integrations.counts_by_state(Tenant.objects.all())
    assert counts == {account.tenant_id: {"attention": 2}, elsewhere.tenant_id: {"active": 1}}


# --- things to do ------------------------------------------------------------------------------------------------


def test_things_to_do_stand_by_tenant_the_worst_first(account: VendorAccount, elsewhere: VendorAccount) -> None:
    now = timezone.now()
    row(account, "Old errors", "attention", finding_code="errors", finding_count=3, turn="us",
        findings_count=1, state_since=now - timedelta(days=9))  # fmt: skip
    row(account, "Lost", "attention", finding_code="connection_defunct", finding_subject="Shopify", turn="tenant",
        findings_count=1, state_since=now - timedelta(days=1))  # fmt: skip
    row(account, "Fine")
    VendorAccount.objects.filter(pk=elsewhere.pk).update(state="failing", state_reason="the secret is refused (401)")
    groups = integrations.things_to_do(Tenant.objects.all())
    assert [group.tenant.name for group in groups] == ["Kestrel", "Larkspur"]
    assert groups[0].tasks[0].sentence == "the secret is refused (401)"
    assert [task.title for task in groups[1].tasks] == ["Old errors", "Lost"]
    assert groups[1].tasks[1].turn_label == "Tenant"


def test_a_secret_about_to_expire_is_a_thing_to_do(simulator: SimulatorServer) -> None:
    found = added(simulator, "larkspur-celigo")
    assert integrations.things_to_do(Tenant.objects.all()) == []
    assert found.credential is not None
    found.credential.expires_on = timezone.now().date() + timedelta(days=7)
    found.credential.save()
    ((task,),) = [group.tasks for group in integrations.things_to_do(Tenant.objects.all())]
    assert "expires in 7 days" in task.sentence
    found.credential.expires_on = timezone.now().date() - timedelta(days=1)
    found.credential.save()
    ((task,),) = [group.tasks for group in integrations.things_to_do(Tenant.objects.all())]
    assert (task.severity, task.action) == (0, "Replace secret")


def test_things_to_do_cost_three_queries(account: VendorAccount, elsewhere: VendorAccount) -> None:
    for number in range(5):
        row(account, str(number), "attention", finding_code="errors")
    with CaptureQueriesContext(connection) as queries:
        integrations.things_to_do(Tenant.objects.all())
    assert len(queries) == 3


# --- finding -----------------------------------------------------------------------------------------------------


def found(text: str, user: User) -> list[tuple[str, str, bool]]:
    return [(match.kind, match.title, match.is_exact) for match in integrations.find(text, user=user)]


def test_find_by_id_alias_name_and_tenant(simulator: SimulatorServer) -> None:
    account = added(simulator, "larkspur-celigo")
    user = owner_of(account.tenant)
    sync(account)
    one = Integration.objects.filter(vendor_account=account).order_by("name_sort").first()
    assert one is not None
    assert found(one.remote_id, user) == [("integration", one.name, True)]
    assert found(f" https://console.example/t/larkspur/integrations/{one.pk}/ ", user) == [
        ("integration", one.name, True)
    ]
    assert ("integration", one.name, False) in found(one.name[:12].upper(), user)
    assert ("tenant", "Larkspur", False) in found("larks", user)
    assert found("", user) == []


def test_find_by_something_that_is_kept_as_a_digest_only(account: VendorAccount) -> None:
    from console.access import vault

    hook, one = "https://hooks.example/services/T01/B02/not-a-real-hook", row(account, "Front desk")
    user = owner_of(account.tenant)
    digest = vault.digest(account.tenant_id, "alias", hook.lower().encode())
    IntegrationAlias.objects.create(tenant=account.tenant, integration=one, digest=digest)
    assert found(f"  {hook.upper()} ", user) == [("integration", "Front desk", True)]


def test_a_word_that_stands_in_one_integration_does_not_hide_the_names_that_hold_it(account: VendorAccount) -> None:
    from console.access import vault

    one, user = row(account, "The Shopify desk"), owner_of(account.tenant)
    row(account, "Shopify orders")
    digest = vault.digest(account.tenant_id, "alias", b"shopify")
    IntegrationAlias.objects.create(tenant=account.tenant, integration=one, digest=digest)
    assert found("Shopify", user) == [
        ("integration", "The Shopify desk", True),
        ("integration", "Shopify orders", False),
    ]


def test_what_is_at_another_tenant_is_not_found(account: VendorAccount, elsewhere: VendorAccount) -> None:
    one = row(account, "Orders EU")
    stranger = owner_of(elsewhere.tenant)
    for text in (one.remote_id, str(one.pk), "Orders", account.tenant.name, str(account.pk)):
        assert found(text, stranger) == []


def test_search_over_many_tenants_costs_the_same(account: VendorAccount) -> None:
    user = owner_of(account.tenant)
    row(account, "Orders")
    Grant.objects.create(user=user, role=Role.objects.get(slug="viewer"), scope=Grant.Scope.ALL)

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            integrations.find("orders", user=user)
        return len(queries)

    few = cost()
    for number in range(12):
        other = tenant(f"Tenant{number}")
        at = VendorAccount.objects.create(tenant=other, vendor="celigo", name="P", region="us")
        row(at, f"Orders {number}")
    assert cost() == few
    assert policy.visible_tenants(user).count() == 13


# --- one, refreshed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["larkspur-celigo-sandbox", "brightwater-alloy", "kestrel-torq", "kestrel-membrane"])
def test_a_refresh_finds_what_changed(simulator: SimulatorServer, name: str) -> None:
    account = added(simulator, name)
    sync(account)
    there = simulated(simulator, name)
    vendor = simulator._vendors[there.vendor]
    one = Integration.objects.filter(vendor_account=account).order_by("pk").first()
    assert one is not None
    number = simulator.world.items(vendor, there).number_of(one.remote_id)
    assert number is not None
    assert integrations.refresh(one).change == "unchanged"
    simulator.world.change_item(there, number, vendor.renamed(there, number, "Renamed there"))
    assert integrations.refresh(one).change == "changed"
    assert one.name == "Renamed there"
    assert one.snapshots.count() == 1


def test_a_refresh_of_what_is_not_there_marks_it_missing_then_gone(simulator: SimulatorServer) -> None:
    account = added(simulator, "larkspur-celigo-sandbox")
    sync(account)
    there = simulated(simulator, "larkspur-celigo-sandbox")
    one = Integration.objects.filter(vendor_account=account).order_by("pk").first()
    assert one is not None
    number = simulator.world.items(simulator._vendors["celigo"], there).number_of(one.remote_id)
    assert number is not None
    simulator.world.remove_item(there, number)
    assert [integrations.refresh(one).change for _ in range(2)] == ["missing", "gone"]
    simulator.world.reset_items(there)
    assert integrations.refresh(one).change == "returned"
    assert one.gone_at is None


def test_a_refresh_that_is_refused_fails_the_account_and_keeps_the_row(simulator: SimulatorServer) -> None:
    account = added(simulator, "osmond-celigo")
    one = row(account, "Kept")
    with pytest.raises(VendorAuthError):
        integrations.refresh(one)
    account.refresh_from_db()
    assert (account.state, Integration.objects.get().name) == ("failing", "Kept")


def test_fields_that_only_one_kind_of_answer_carries_are_kept_and_no_drift(simulator: SimulatorServer) -> None:
    account = added(simulator, "brightwater-alloy")
    sync(account)
    one = Integration.objects.filter(vendor_account=account).order_by("pk").first()
    assert one is not None
    integrations.refresh(one)
    assert sync(account)["changed"] == 0
    shown = integrations.load_document(one)
    assert {"app", "description"} <= shown.keys()
    there = simulated(simulator, "brightwater-alloy")
    vendor = simulator._vendors["alloy"]
    number = simulator.world.items(vendor, there).number_of(one.remote_id)
    assert number is not None
    simulator.world.change_item(there, number, {"icon": "https://static.example/other.png"})
    assert sync(account)["changed"] == 1
    assert integrations.load_document(one) == {**shown, "icon": "https://static.example/other.png"}
    assert one.snapshots.count() == 1
