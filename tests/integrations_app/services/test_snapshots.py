"""Snapshots: taken by a person, listed, compared."""

from __future__ import annotations

import pytest

from console.access import vault
from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.models import Integration, Job, Snapshot, VendorAccount
from integrations_app.services import snapshots
from integrations_app.simulator.server import SimulatorServer
from integrations_app.vendors.errors import VendorNotFoundError
from tests.integrations_app.services.mirroring import added, owner_of, simulated, sync

pytestmark = pytest.mark.django_db
NAME = "larkspur-celigo-sandbox"


@pytest.fixture
def account(simulator: SimulatorServer) -> VendorAccount:
    account = added(simulator, NAME)
    sync(account)
    return account


def one_of(account: VendorAccount) -> Integration:
    return Integration.objects.filter(vendor_account=account).select_related("tenant").order_by("pk")[0]


def number_of(simulator: SimulatorServer, one: Integration) -> int:
    number = simulator.world.items(simulator._vendors["celigo"], simulated(simulator, NAME)).number_of(one.remote_id)
    assert number is not None
    return number


def test_a_snapshot_holds_what_the_vendor_has_now(simulator: SimulatorServer, account: VendorAccount) -> None:
    one, user = one_of(account), owner_of(account.tenant)
    simulator.world.change_item(simulated(simulator, NAME), number_of(simulator, one), {"name": "Just renamed"})
    taken = snapshots.take(one, by=user, note="Before the move")
    assert (taken.cause, taken.note, taken.by) == ("manual", "Before the move", user)
    assert b"Just renamed" in bytes(taken.redacted)
    assert b"Just renamed" in vault.unseal(taken.tenant_id, taken.context, taken.sealed)
    assert AuditEvent.objects.filter(event=Event.SNAPSHOT_TAKEN).count() == 1
    # The one before the rename, kept by the refresh, and the one just taken.
    assert [snapshot.cause for snapshot in snapshots.history(one)] == ["manual", "drift"]


def test_a_job_that_runs_twice_takes_one_snapshot(account: VendorAccount) -> None:
    one, user = one_of(account), owner_of(account.tenant)
    job: Job = snapshots.request(one, by=user, note="n")
    first = snapshots.take(one, by=user, note="n", job=job)
    assert snapshots.take(one, by=user, note="n", job=job) == first
    assert Snapshot.objects.count() == 1


def test_what_is_not_there_cannot_be_copied(simulator: SimulatorServer, account: VendorAccount) -> None:
    one = one_of(account)
    simulator.world.remove_item(simulated(simulator, NAME), number_of(simulator, one))
    with pytest.raises(VendorNotFoundError):
        snapshots.take(one, by=None)
    assert not Snapshot.objects.exists()


def test_two_snapshots_are_compared_and_one_with_the_present(
    simulator: SimulatorServer, account: VendorAccount
) -> None:
    one = one_of(account)
    first = snapshots.take(one, by=None)
    simulator.world.change_item(simulated(simulator, NAME), number_of(simulator, one), {"description": "New text"})
    second = snapshots.take(one, by=None)
    assert [change.path for change in snapshots.compare(first, second).changes] == ["description"]
    assert [change.path for change in snapshots.compare(first).changes] == ["description"]
    assert not snapshots.compare(second).changes
