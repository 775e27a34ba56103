"""Jobs in real worker processes: killed, cut off from the broker, told to stop, delivered twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from console.audit.events import Event
from console.audit.models import AuditEvent
from console.celery import app
from integrations_app.models import Job, JobState
from integrations_app.services import job_admission, jobs
from integrations_app.services.job_admission import RUN_JOB
from tests.celery_worker import CeleryWorker
from tests.integrations_app.jobs import probes, world
from tests.integrations_app.jobs.world import ask
from tests.servers import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]

LEASE_SECONDS = 3


@pytest.fixture(scope="module")
def _probe_worker(django_db_setup: None) -> Iterator[CeleryWorker]:
    """A worker that knows the probes; not started yet. A dead one is noticed after the shortest lease there is."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("JOB_LEASE_SECONDS", str(LEASE_SECONDS))
        worker = CeleryWorker(include=("tests.integrations_app.jobs.probe_worker",))
        yield worker
        worker.kill()


@pytest.fixture
def worker(
    _celery_worker: CeleryWorker, _probe_worker: CeleryWorker, transactional_db: None, settings: Any
) -> Iterator[CeleryWorker]:
    """These tests' worker, running. The one of other tests does not know the probes: it must not take messages."""
    settings.JOBS_LEASE_SECONDS = LEASE_SECONDS
    probes.register()
    _celery_worker.kill()
    _probe_worker.ensure_running()
    yield _probe_worker
    app.control.purge()
    probes.unregister()


class Stage:
    """A journal of what the probes did, and a gate that lets them go on."""

    def __init__(self, folder: Path) -> None:
        self.journal = folder / "journal"
        self.gate = folder / "gate"
        self.params: dict[str, Any] = {"journal": str(self.journal), "gate": str(self.gate)}

    def count(self, word: str) -> int:
        return sum(line.startswith(word) for line in probes.notes(self.journal))

    def wait_for(self, word: str, times: int = 1) -> list[str]:
        wait_until(lambda: self.count(word) >= times, f"No probe wrote {word!r} {times} times", seconds=40)
        return [line for line in probes.notes(self.journal) if line.startswith(word)]

    def open(self) -> None:
        self.gate.touch()


@pytest.fixture
def stage(worker: CeleryWorker, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    # Lets go of a worker that a failed test left at the gate.
    stage.open()


def wait_for_state(job: Job, *states: JobState, sweeping: bool = True) -> Job:
    """Wait until the job is in one of `states`, sweeping meanwhile as the scheduler would."""

    def is_there() -> bool:
        if sweeping:
            jobs.sweep()
        job.refresh_from_db()
        return job.state in states

    wait_until(is_there, f"The job did not become {' or '.join(states)}; it is {job.state}", seconds=40)
    return job


def finished(job: Job) -> int:
    return AuditEvent.objects.filter(event=Event.JOB_FINISHED, target_id=job.pk.hex).count()


def test_jobs_of_both_queues_are_run_once_each_although_every_message_comes_three_times(stage: Stage) -> None:
    tenants = [world.tenant() for _ in range(4)]
    asked = [ask(tenant, kind, units=2, **stage.params) for tenant in tenants for kind in ("probe", "probe_quick") * 2]
    for job in asked * 2:
        app.send_task(RUN_JOB, args=[str(job.pk)], queue=job.queue)
    for job in asked:
        wait_for_state(job, JobState.SUCCEEDED)
    assert [job.fence for job in asked] == [1] * 16
    assert stage.count("begun") == stage.count("ended") == 16
    assert [finished(job) for job in asked] == [1] * 16


def test_a_worker_killed_in_the_middle_of_a_job_loses_nothing_and_doubles_nothing(
    worker: CeleryWorker, stage: Stage
) -> None:
    job = ask(world.tenant(), units=5, gate_at=2, gate_attempt=1, **stage.params)
    child = int(stage.wait_for("at the gate")[0].split()[-1])
    job.refresh_from_db()
    assert (job.state, job.fence, job.worker.endswith(f":{child}")) == (JobState.RUNNING, 1, True)
    worker.kill()
    wait_until(lambda: not Path(f"/proc/{child}").exists(), "The process that ran the job is still there", seconds=10)
    job.refresh_from_db()
    assert job.state == JobState.RUNNING, "the kill hit while the job ran"
    assert stage.count("ended") == 0
    worker.start()
    job = wait_for_state(job, JobState.SUCCEEDED)
    assert (job.attempt, job.fence, job.units_done) == (2, 2, 5)
    assert "stopped without a word" in job.lines.get().text
    assert (stage.count("begun"), stage.count("ended"), finished(job)) == (2, 1, 1)


@pytest.mark.postgres
def test_workers_go_on_after_postgresql_ended_their_connections(stage: Stage) -> None:
    at = world.tenant()
    for job in [ask(at, kind, **stage.params) for kind in ("probe", "probe_quick") * 2]:
        wait_for_state(job, JobState.SUCCEEDED)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone()[0] > 0, "the workers kept connections"
    for job in [ask(at, kind, **stage.params) for kind in ("probe", "probe_quick") * 2]:
        wait_for_state(job, JobState.SUCCEEDED)


def test_a_killed_pool_process_is_replaced_and_its_job_done_by_another(stage: Stage) -> None:
    job = ask(world.tenant(), units=3, gate_at=1, gate_attempt=1, **stage.params)
    child = int(stage.wait_for("at the gate")[0].split()[-1])
    os.kill(child, signal.SIGKILL)
    job = wait_for_state(job, JobState.SUCCEEDED)
    assert (job.fence, stage.count("ended"), finished(job)) == (2, 1, 1)


def test_a_worker_that_froze_and_wakes_up_later_cannot_write_over_its_successor(stage: Stage, tmp_path: Path) -> None:
    job = ask(world.tenant(), units=4, gate_at=1, gate_attempt=1, deaf=True, **stage.params)
    frozen = int(stage.wait_for("at the gate")[0].split()[-1])
    os.kill(frozen, signal.SIGSTOP)
    try:
        job = wait_for_state(job, JobState.SUCCEEDED)
    finally:
        # Past the gate at once: it goes straight on to write what it holds.
        stage.open()
        os.kill(frozen, signal.SIGCONT)
    # Two jobs are in hand at once, so both processes have left the old one behind.
    (tmp_path / "later").mkdir()
    later = Stage(tmp_path / "later")
    asked = [ask(world.tenant(), gate_at=0, **later.params) for _ in range(2)]
    at_gate = [int(line.split()[-1]) for line in later.wait_for("at the gate", 2)]
    assert frozen in at_gate
    later.open()
    for another in asked:
        wait_for_state(another, JobState.SUCCEEDED)
    job.refresh_from_db()
    assert (job.state, job.fence, job.units_done, finished(job)) == (JobState.SUCCEEDED, 2, 4, 1)
    assert [line.split()[1] for line in stage.wait_for("ended")] == ["2"]


def test_nothing_is_lost_when_the_broker_loses_all_its_messages(
    worker: CeleryWorker, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.kill()
    asked = [ask(world.tenant(), units=1, **stage.params) for _ in range(5)]
    assert Job.objects.in_flight().count() == 5
    # One may have been handed to the connection of the worker that was just killed: that one is lost as well.
    assert app.control.purge() >= 4
    worker.start()
    monkeypatch.setattr(jobs, "ADMISSION_SECONDS", 1)
    for job in asked:
        wait_for_state(job, JobState.SUCCEEDED)
    assert stage.count("ended") == 5


def test_a_running_job_is_cancelled_between_two_units(stage: Stage) -> None:
    tenant = world.tenant()
    job = ask(tenant, units=5, gate_at=2, **stage.params)
    stage.wait_for("at the gate")
    jobs.cancel(job=job, by=world.member(tenant))
    job = wait_for_state(job, JobState.CANCELLED, JobState.SUCCEEDED, sweeping=False)
    assert (job.state, job.units_done, stage.count("ended")) == (JobState.CANCELLED, 2, 0)


def test_a_job_that_waits_gives_its_worker_to_others_and_goes_on_later(stage: Stage, tmp_path: Path) -> None:
    params: dict[str, Any] = {"then": "wait once", "seconds": 2, **stage.params}
    waiting = [ask(world.tenant(), marker=str(tmp_path / f"marker {number}"), **params) for number in range(2)]
    for job in waiting:
        wait_for_state(job, JobState.WAITING, sweeping=False)
    # As many wait as there are processes, and yet one is free.
    wait_for_state(ask(world.tenant(), **stage.params), JobState.SUCCEEDED, sweeping=False)
    for job in waiting:
        wait_for_state(job, JobState.SUCCEEDED)
    assert (stage.count("begun"), stage.count("ended")) == (5, 3)


def test_a_job_whose_code_hangs_is_interrupted_and_its_process_goes_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_admission, "LIMIT_GRACE_SECONDS", 1)
    job = ask(world.tenant(), "probe_hanging", gate_at=0, deaf=True, **stage.params)
    pid = stage.wait_for("at the gate")[0].split()[-1]
    job = wait_for_state(job, JobState.FAILED)
    assert job.error_code == "time_limit"
    assert Path(f"/proc/{pid}").exists()
    assert stage.count("ended") == 0


def test_two_exclusive_jobs_of_an_account_never_run_at_once(stage: Stage) -> None:
    tenant = world.tenant()
    account = world.account(tenant)
    first = ask(tenant, "probe_alone", target=account, key="1", units=1, gate_at=0, **stage.params)
    stage.wait_for("at the gate")
    second = ask(tenant, "probe_alone", target=account, key="2", units=1, **stage.params)
    wait_for_state(second, JobState.WAITING)
    assert stage.count("begun") == 1
    stage.open()
    for job in (first, second):
        wait_for_state(job, JobState.SUCCEEDED)
    assert [line.split()[0] for line in probes.notes(stage.journal)] == ["begun", "at", "ended", "begun", "ended"]


def test_a_worker_that_is_told_to_stop_ends_soon_and_its_job_is_done_by_the_next(
    worker: CeleryWorker, stage: Stage
) -> None:
    job = ask(world.tenant(), units=5, gate_at=1, gate_attempt=1, **stage.params)
    stage.wait_for("at the gate")
    os.kill(worker.pid, signal.SIGTERM)
    # Between two units it gives the job back, so it need not wait for the gate.
    wait_until(lambda: not worker.is_running, "The worker did not end", seconds=20)
    job.refresh_from_db()
    assert (job.state, job.attempt, stage.count("ended")) == (JobState.QUEUED, 0, 0)
    stage.open()
    worker.start()
    job = wait_for_state(job, JobState.SUCCEEDED)
    assert (job.attempt, job.fence) == (1, 2)
    assert job.lines.count() == 0, "nothing was lost, so nothing is said"
