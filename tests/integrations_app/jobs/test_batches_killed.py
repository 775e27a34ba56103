"""A batch of revisions whose worker and broker are killed with -9 in the middle ends right by itself.

`--proofs=long` runs it over 400 integrations, as the console promises; any other run over 60.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import pools

from console.celery import app
from integrations_app.models import Integration, Job, JobState, VendorWrite, WriteBatch, WriteState
from integrations_app.services import revision_policies, vendor_accounts, write_batches
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from integrations_app.tasks import sweep_jobs
from tests.celery_worker import CeleryWorker
from tests.conftest import SERVERS
from tests.integrations_app.services.mirroring import owner_of, sync, tenant
from tests.servers import Valkey, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack, pytest.mark.proof]

LEASE_SECONDS = 3
NAME = "killed-revisions"


@pytest.fixture
def size(pytestconfig: pytest.Config) -> int:
    return 400 if pytestconfig.getoption("--proofs") == "long" else 60


@pytest.fixture
def broker(pytestconfig: pytest.Config) -> Valkey | None:
    """The broker of this run; None for RabbitMQ, which takes longer to come back than this test may take."""
    return next((server for server in pytestconfig.stash[SERVERS] if isinstance(server, Valkey)), None)


@pytest.fixture
def worker(
    _celery_worker: CeleryWorker, simulator: SimulatorServer, transactional_db: None, settings: Any
) -> Iterator[CeleryWorker]:
    """A worker of this test's own, whose lease ends soon; the shared one would take its messages."""
    settings.JOBS_LEASE_SECONDS = LEASE_SECONDS
    settings.WRITE_SETTLE_SECONDS = 1
    _celery_worker.kill()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("JOB_LEASE_SECONDS", str(LEASE_SECONDS))
        environment.setenv("WRITE_SETTLE_SECONDS", "1")
        own = CeleryWorker()
        own.ensure_running()
        yield own
        own.kill()
        app.control.purge()


def test_a_batch_whose_worker_and_broker_are_killed_takes_each_revision_once(
    worker: CeleryWorker, broker: Valkey | None, simulator: SimulatorServer, size: int
) -> None:
    batch = asked(simulator, size)
    # Taken, but the answer does not end: the first kill hits while a revision is on its way.
    simulator.world.add_fault(
        Fault("held", "length", account=NAME, method="POST", path="revisions", skip=size // 3, times=1, seconds=30)
    )
    wait_until(lambda: len(taken(simulator)) > size // 3, "No revision was held back", seconds=60)
    kill(worker, batch)
    assert standing(batch)[WriteState.SENT] == 1
    assert len(taken(simulator)) == size // 3 + 1

    # However fast this machine is, the second kill must find some left.
    simulator.world.add_fault(Fault("slow", "delay", account=NAME, method="POST", path="revisions", seconds=6 / size))
    worker.start()
    wait_for_more_than(size // 2, batch)
    if broker is not None:
        broker.kill()
        so_far = standing(batch)[WriteState.DONE]
        assert job_of(batch).state == JobState.RUNNING, "the broker was killed in the middle"
        wait_until(lambda: standing(batch)[WriteState.DONE] > so_far, "The worker stopped with the broker", seconds=20)
    kill(worker, batch)
    if broker is not None:
        broker.start()
        # This process had connections to the dead one, in pools that Celery renews after a fork only.
        pools.reset()
        app._after_fork()  # type: ignore[attr-defined]  # the stubs know only what is public
    worker.start()

    wait_until(lambda: is_over(batch), "The batch was not finished", seconds=120)
    assert standing(batch) == {WriteState.DONE: size}
    assert job_of(batch).state == JobState.SUCCEEDED
    assert job_of(batch).fence >= 3, "three workers had it, one after the other"
    remote_ids = Integration.objects.values_list("remote_id", flat=True)
    assert Counter(taken(simulator)) == Counter(remote_ids)
    assert len(remote_ids) == size


def asked(simulator: SimulatorServer, size: int) -> WriteBatch:
    """A batch over all the integrations of one account, asked for by a person; the worker has begun it."""
    there = simulator.world.add_account(vendor="celigo", name=NAME, size=size, seed=5)
    at = tenant()
    by = owner_of(at)
    account = vendor_accounts.add(
        tenant=at, by=by, vendor="celigo", name="Big", region="simulator", fields=there.credential
    )
    sync(account)
    batch = revision_policies.request_all(account, by=by, note="Before the season", only_if_changed=False, key="form")
    assert isinstance(batch, WriteBatch)
    assert VendorWrite.objects.filter(batch=batch).count() == size
    return batch


def taken(simulator: SimulatorServer) -> list[str]:
    """Of which integrations the vendor really kept a revision, once for each."""
    entries = simulator.world.ledger(NAME)
    assert {entry["operation"] for entry in entries} <= {"revision"}
    return [entry["target"] for entry in entries]


def standing(batch: WriteBatch) -> Counter[str]:
    return Counter(write_batches.counts(batch))


def job_of(batch: WriteBatch) -> Job:
    batch.refresh_from_db()
    assert batch.job is not None
    return batch.job


def kill(worker: CeleryWorker, batch: WriteBatch) -> None:
    """Kill all the worker's processes, and see that it hit the job in the middle."""
    process = int(job_of(batch).worker.rpartition(":")[2])
    worker.kill()
    wait_until(lambda: not Path(f"/proc/{process}").exists(), "The process that ran the job is still there", seconds=10)
    assert job_of(batch).state == JobState.RUNNING
    assert 0 < standing(batch)[WriteState.DONE] < VendorWrite.objects.filter(batch=batch).count()


def wait_for_more_than(done: int, batch: WriteBatch) -> None:
    def is_there() -> bool:
        sweep_jobs()
        return standing(batch)[WriteState.DONE] > done

    wait_until(is_there, "Another worker did not go on with the batch", seconds=60)


def is_over(batch: WriteBatch) -> bool:
    sweep_jobs()
    return job_of(batch).is_finished
