from __future__ import annotations

import pytest

from integrations_app.models import Integration, Snapshot
from integrations_app.services import snapshots
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.mirror_jobs import run, run_again
from tests.integrations_app.services.mirroring import added, owner_of, simulated, sync

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "larkspur-celigo-sandbox"


def one_of(simulator: SimulatorServer) -> Integration:
    sync(added(simulator, NAME))
    return Integration.objects.select_related("tenant", "vendor_account").order_by("pk")[0]


def test_a_snapshot_is_taken_once_however_often_the_job_runs(simulator: SimulatorServer) -> None:
    one = one_of(simulator)
    job = run(snapshots.request(one, by=owner_of(one.tenant), note=" Before the move "))
    taken = Snapshot.objects.get()
    assert (job.state, job.result, taken.note) == ("succeeded", {"snapshot": str(taken.pk)}, "Before the move")
    run_again(job)
    assert Snapshot.objects.count() == 1


def test_a_snapshot_of_what_the_vendor_lost_fails(simulator: SimulatorServer) -> None:
    one, there = one_of(simulator), simulated(simulator, NAME)
    number = simulator.world.items(simulator._vendors["celigo"], there).number_of(one.remote_id)
    assert number is not None
    simulator.world.remove_item(there, number)
    assert run(snapshots.request(one, by=owner_of(one.tenant))).state == "failed"
    assert not Snapshot.objects.exists()
