"""Syncs against the real simulator over sockets: what a list does to the mirror, and what it must never do."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.models import (
    Integration,
    IntegrationAlias,
    IntegrationDocument,
    IntegrationPart,
    QuarantinedItem,
    Snapshot,
    SyncRun,
    VendorAccount,
)
from integrations_app.services import integrations
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from integrations_app.vendors.errors import VendorAuthError, VendorError
from tests.integrations_app.services.mirroring import Watched, added, simulated, states_of, sync

pytestmark = pytest.mark.django_db

NAMES = ("larkspur-celigo", "brightwater-alloy", "larkspur-alloy", "kestrel-torq", "kestrel-membrane")


@pytest.fixture
def celigo(simulator: SimulatorServer) -> VendorAccount:
    """An account of 12 integrations."""
    return added(simulator, "larkspur-celigo-sandbox")


def remote_id_of(account: VendorAccount, number: int = 0) -> str:
    return str(Integration.objects.filter(vendor_account=account).order_by("pk")[number].remote_id)


def number_of(simulator: SimulatorServer, name: str, remote_id: str) -> int:
    there = simulated(simulator, name)
    number = simulator.world.items(simulator._vendors[there.vendor], there).number_of(remote_id)
    assert number is not None
    return number


@pytest.mark.parametrize("name", NAMES)
def test_first_sync_brings_every_integration_with_its_document(simulator: SimulatorServer, name: str) -> None:
    account = added(simulator, name)
    result = sync(account)
    size = simulated(simulator, name).size
    assert (result["outcome"], result["added"], result["seen"]) == ("whole", size, size)
    rows = Integration.objects.filter(vendor_account=account)
    assert rows.count() == IntegrationDocument.objects.filter(integration__in=rows).count() == size
    account.refresh_from_db()
    assert (account.state, account.listed_count) == ("ok", size)
    assert account.listed_at is not None


@pytest.mark.parametrize("name", NAMES)
def test_second_sync_writes_nothing_but_that_they_were_seen(simulator: SimulatorServer, name: str) -> None:
    account = added(simulator, name)
    sync(account)
    before = list(Integration.objects.order_by("pk").values("pk", "digest", "changed_at", "state_since"))
    documents = list(IntegrationDocument.objects.order_by("pk").values_list("pk", "fetched_at"))
    seen_at = dict(Integration.objects.values_list("pk", "seen_at"))
    result = sync(account)
    assert (result["unchanged"], result["changed"], result["added"]) == (len(before), 0, 0)
    assert list(Integration.objects.order_by("pk").values("pk", "digest", "changed_at", "state_since")) == before
    assert list(IntegrationDocument.objects.order_by("pk").values_list("pk", "fetched_at")) == documents
    assert all(row.seen_at > seen_at[row.pk] for row in Integration.objects.all())
    assert not Snapshot.objects.exists()


def test_an_unchanged_page_costs_a_handful_of_queries(simulator: SimulatorServer, celigo: VendorAccount) -> None:
    sync(celigo)
    with CaptureQueriesContext(
        connection,
    ) as small:
        sync(celigo)
    big = added(simulator, "larkspur-celigo")
    sync(big)
    with CaptureQueriesContext(connection) as large:
        sync(big)
    assert len(large) == len(small)


def test_parts_and_aliases_come_with_the_list(simulator: SimulatorServer) -> None:
    account = added(simulator, "brightwater-alloy")
    sync(account)
    row = Integration.objects.filter(vendor_account=account, parts__kind="workflow").first()
    assert row is not None
    assert IntegrationAlias.objects.filter(integration=row).exists()


def test_a_change_is_written_and_the_former_document_kept(simulator: SimulatorServer, celigo: VendorAccount) -> None:
    sync(celigo)
    there = simulated(simulator, "larkspur-celigo-sandbox")
    remote_id = remote_id_of(celigo)
    row = Integration.objects.get(remote_id=remote_id)
    was = integrations.load_document(row)
    number = number_of(simulator, there.name, remote_id)
    simulator.world.change_item(there, number, {"name": "Orders to finance", "description": "Another text"})
    progress = Watched()
    result = sync(celigo, progress)
    assert (result["changed"], result["drifted"]) == (1, 1)
    row.refresh_from_db()
    assert row.name == "Orders to finance"
    snapshot = Snapshot.objects.get(integration=row)
    assert snapshot.cause == "drift"
    from integrations_app.services.documents import load

    assert load(snapshot.redacted) == was
    assert AuditEvent.objects.filter(event=Event.INTEGRATION_DRIFTED, target_id=row.pk.hex).count() == 1
    assert any("Orders to finance" in line for line in progress.lines)


def test_an_integration_listed_twice_is_one_row(simulator: SimulatorServer, celigo: VendorAccount) -> None:
    there = simulated(simulator, "larkspur-celigo-sandbox")
    simulator.world.duplicate_item(there, 3)
    result = sync(celigo)
    assert (result["duplicates"], result["added"]) == (1, there.size)
    assert Integration.objects.filter(vendor_account=celigo).count() == there.size


def test_an_integration_that_moves_in_the_list_changes_nothing(
    simulator: SimulatorServer, celigo: VendorAccount
) -> None:
    sync(celigo)
    simulator.world.move_item(simulated(simulator, "larkspur-celigo-sandbox"), 0, 9)
    result = sync(celigo)
    assert (result["unchanged"], result["changed"], result["missing"]) == (12, 0, 0)


@pytest.mark.parametrize("kind", ["types", "null", "text", "no_id"])
def test_a_bad_item_is_set_aside_and_the_rest_mirrored(
    simulator: SimulatorServer, celigo: VendorAccount, kind: str
) -> None:
    there = simulated(simulator, "larkspur-celigo-sandbox")
    sync(celigo)
    simulator.world.break_item(there, 4, kind)
    progress = Watched()
    result = sync(celigo, progress)
    assert (result["outcome"], result["quarantined"], result["missing"]) == ("partial", 1, 0)
    assert len(progress.failed) == 1
    item = QuarantinedItem.objects.get(vendor_account=celigo)
    assert item.reason
    simulator.world.break_item(there, 4, "")
    assert sync(celigo)["outcome"] == "whole"
    assert not QuarantinedItem.objects.exists()


@pytest.mark.parametrize(("mode", "held"), [("empty", 0), ("half", 6)])
def test_a_far_shorter_list_marks_nothing_until_another_says_the_same(
    simulator: SimulatorServer, celigo: VendorAccount, mode: str, held: int
) -> None:
    there = simulated(simulator, "larkspur-celigo-sandbox")
    sync(celigo)
    if mode == "half":
        simulator.world.remove_item(there, 11)  # half of 11 is less than half of 12
        held = 5
    simulator.world.set_list_mode(there, mode)
    result = sync(celigo)
    celigo.refresh_from_db()
    assert (result["outcome"], result["missing"], celigo.state) == ("suspect", 0, "partial")
    assert "12 were known" in celigo.state_reason
    assert celigo.listed_count == 12
    believed = sync(celigo)
    assert (believed["outcome"], believed["missing"], believed["gone"]) == ("whole", 12 - held, 0)
    # Asked for one by one they are all still there, but for the removed one: the vendor's word against its list's.
    third = sync(celigo)
    assert third["gone"] == (1 if mode == "half" else 0)


@pytest.mark.parametrize("mode", ["loop", "endless"])
def test_a_list_without_end_ends_with_an_error_and_marks_nothing(
    simulator: SimulatorServer, celigo: VendorAccount, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from integrations_app.vendors import listing

    monkeypatch.setattr(listing.ListGuard.__init__, "__kwdefaults__", {"max_pages": 3, "max_items": 2000})
    sync(celigo)
    simulator.world.set_list_mode(simulated(simulator, "larkspur-celigo-sandbox"), mode)
    with pytest.raises(VendorError):
        sync(celigo)
    run = SyncRun.objects.filter(vendor_account=celigo).order_by("-started_at").first()
    assert run is not None
    assert run.outcome == "failed"
    assert not Integration.objects.exclude(missing_since=None).exists()
    celigo.refresh_from_db()
    assert celigo.state == "failing"


def test_what_is_removed_is_missing_then_gone_and_comes_back(simulator: SimulatorServer, celigo: VendorAccount) -> None:
    there = simulated(simulator, "larkspur-celigo-sandbox")
    sync(celigo)
    kept = remote_id_of(celigo)
    number = number_of(simulator, there.name, kept)
    simulator.world.remove_item(there, number)
    first = sync(celigo)
    row = Integration.objects.get(remote_id=kept)
    assert (first["missing"], first["gone"], row.state != "gone") == (1, 0, True)
    assert row.missing_since is not None
    second = sync(celigo)
    row.refresh_from_db()
    assert (second["gone"], row.state, row.gone_at is not None) == (1, "gone", True)
    assert sync(celigo)["gone"] == 0
    simulator.world.reset_items(there)
    back = sync(celigo)
    row.refresh_from_db()
    assert (back["returned"], back["added"], row.gone_at) == (1, 0, None)
    assert row.state != "gone"


@pytest.mark.parametrize("name", ["kestrel-torq", "brightwater-alloy", "kestrel-membrane"])
def test_gone_is_confirmed_at_every_vendor(simulator: SimulatorServer, name: str) -> None:
    account = added(simulator, name)
    sync(account)
    simulator.world.remove_item(simulated(simulator, name), 2)
    assert [sync(account)["missing"], sync(account)["gone"]] == [1, 1]
    assert list(states_of(account).values()).count("gone") == 1


def test_a_missing_one_that_may_not_be_asked_for_does_not_end_the_sync(
    simulator: SimulatorServer, celigo: VendorAccount
) -> None:
    there = simulated(simulator, "larkspur-celigo-sandbox")
    sync(celigo)
    kept = remote_id_of(celigo)
    simulator.world.remove_item(there, number_of(simulator, there.name, kept))
    sync(celigo)
    simulator.world.add_fault(Fault(name="refused", kind="status", account=there.name, path=kept, status=403))
    assert sync(celigo)["gone"] == 0
    celigo.refresh_from_db()
    assert celigo.state == "ok"


def test_a_list_that_breaks_off_marks_nothing_and_keeps_what_was_read(
    simulator: SimulatorServer, celigo: VendorAccount
) -> None:
    sync(celigo)
    there = simulated(simulator, "larkspur-celigo-sandbox")
    simulator.world.remove_item(there, 1)
    simulator.world.add_fault(Fault(name="down", kind="status", account=there.name, status=503))
    with pytest.raises(VendorError):
        sync(celigo)
    assert not Integration.objects.exclude(missing_since=None).exists()
    celigo.refresh_from_db()
    assert celigo.state == "failing"
    assert celigo.last_failure


def test_a_sync_that_is_stopped_midway_and_run_again_has_everything_once(
    simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = added(simulator, "kestrel-membrane")
    from integrations_app.services import sync_runs

    monkeypatch.setattr(sync_runs, "WRITE_ROWS", 5)
    stopped = Watched(stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        sync(account, stopped)
    assert SyncRun.objects.get().outcome == "failed"
    result = sync(account)
    size = simulated(simulator, "kestrel-membrane").size
    assert result["outcome"] == "whole"
    assert Integration.objects.filter(vendor_account=account).count() == size
    assert IntegrationPart.objects.count() == len(set(IntegrationPart.objects.values_list("integration", "position")))


def test_a_run_whose_worker_vanished_is_closed_by_the_next(celigo: VendorAccount) -> None:
    lost = SyncRun.objects.create(tenant=celigo.tenant, vendor_account=celigo)
    sync(celigo)
    lost.refresh_from_db()
    assert (lost.outcome, lost.note) == ("failed", "The worker was lost.")


def test_a_refused_secret_fails_the_account_and_touches_nothing(simulator: SimulatorServer) -> None:
    account = added(simulator, "osmond-celigo")
    with pytest.raises(VendorAuthError):
        sync(account)
    account.refresh_from_db()
    assert account.state == "failing"
    assert "401" in account.state_reason


def test_each_whole_run_has_one_audit_event(celigo: VendorAccount) -> None:
    sync(celigo)
    sync(celigo)
    events = AuditEvent.objects.filter(event=Event.INTEGRATIONS_SYNCED)
    assert [event.detail["added"] for event in events.order_by("at")] == [12, 0]


def test_no_secret_of_a_vendor_document_is_in_what_pages_read(simulator: SimulatorServer) -> None:
    """The sealed copy holds it, the redacted one does not."""
    account = added(simulator, "larkspur-celigo-sandbox")
    there = simulated(simulator, "larkspur-celigo-sandbox")
    secret = "hunter2-planted-4f8e1c"
    simulator.world.change_item(there, 0, {"settings": {"password": secret}, "description": f"token={secret}"})
    sync(account)
    assert not any(secret.encode() in bytes(document.redacted) for document in IntegrationDocument.objects.all())
    sealed = [document for document in IntegrationDocument.objects.all() if _opens_to(document, secret)]
    assert len(sealed) == 1


def _opens_to(document: IntegrationDocument, text: str) -> bool:
    from console.access import vault

    return text.encode() in vault.unseal(document.tenant_id, document.context, document.sealed)
