"""A sync whose worker is killed with -9 between two pages ends right by itself: nothing lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.audit.events import Event
from console.audit.models import AuditEvent
from console.celery import app
from integrations_app.models import Integration, IntegrationDocument, Job, JobState, SyncRun
from integrations_app.services import jobs, vendor_accounts
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from tests.celery_worker import CeleryWorker
from tests.integrations_app.services.mirroring import owner_of, tenant
from tests.servers import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]

LEASE_SECONDS = 3
# Celigo lists 200 a page: three pages, the second of which is held back until the worker is dead.
SIZE = 450


@pytest.fixture
def worker(
    _celery_worker: CeleryWorker, simulator: SimulatorServer, transactional_db: None, settings: Any
) -> Iterator[CeleryWorker]:
    """A worker of this test's own, whose lease ends soon; the shared one would take its messages."""
    settings.JOBS_LEASE_SECONDS = LEASE_SECONDS
    _celery_worker.kill()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("JOB_LEASE_SECONDS", str(LEASE_SECONDS))
        own = CeleryWorker()
        own.ensure_running()
        yield own
        own.kill()
        app.control.purge()


def test_a_sync_killed_between_two_pages_is_finished_by_another_worker(
    worker: CeleryWorker, simulator: SimulatorServer
) -> None:
    there = simulator.world.add_account(vendor="celigo", name="killed-celigo", size=SIZE, seed=3)
    simulator.world.add_fault(
        Fault(name="hold", kind="delay", account=there.name, path="/integrations", skip=1, times=1, seconds=20)
    )
    at = tenant()
    user = owner_of(at)
    account = vendor_accounts.add(
        tenant=at, by=user, vendor="celigo", name="Big", region="simulator", fields=there.credential
    )
    job = vendor_accounts.request_sync(account, by=user)
    wait_until(lambda: Integration.objects.count() == 200, "The first page was not written", seconds=40)
    job.refresh_from_db()
    process = int(job.worker.rpartition(":")[2])
    worker.kill()
    wait_until(lambda: not Path(f"/proc/{process}").exists(), "The process that ran the job is still there", seconds=10)
    job.refresh_from_db()
    assert (job.state, SyncRun.objects.get().outcome) == (JobState.RUNNING, "running"), "the kill hit a running sync"
    assert Integration.objects.count() == 200

    worker.start()
    wait_until(lambda: _is_finished(job), "The sync was not finished by another worker", seconds=60)
    assert (job.state, job.fence, job.result["outcome"]) == (JobState.SUCCEEDED, 2, "whole")
    assert (job.result["unchanged"], job.result["added"]) == (200, 250)
    remote_ids = list(Integration.objects.values_list("remote_id", flat=True))
    assert len(remote_ids) == len(set(remote_ids)) == IntegrationDocument.objects.count() == SIZE
    assert sorted(run.outcome for run in SyncRun.objects.all()) == ["failed", "whole"]
    assert AuditEvent.objects.filter(event=Event.INTEGRATIONS_SYNCED).count() == 1


def _is_finished(job: Job) -> bool:
    jobs.sweep()
    job.refresh_from_db()
    return job.is_finished
