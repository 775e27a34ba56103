"""What becomes of a job when it is run: every way to end, and everything that must not happen twice or at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from console.access.models import Grant
from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.jobs import progress as progress_module
from integrations_app.jobs import runner, stopping
from integrations_app.jobs.lease import Lease
from integrations_app.jobs.progress import MAX_LINES, JobLostError, Progress
from integrations_app.models import Job, JobLine, JobState
from integrations_app.services import jobs
from tests.integrations_app.jobs import probes, world
from tests.integrations_app.jobs.world import ask, run_here
from tests.servers import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _probes() -> Iterator[None]:
    probes.register()
    yield
    probes.unregister()


def finished_events() -> list[dict[str, Any]]:
    return [event.detail for event in AuditEvent.objects.filter(event=Event.JOB_FINISHED)]


def begun(journal: Path) -> int:
    return sum(line.startswith("begun") for line in probes.notes(journal))


def lease_of(job: Job) -> datetime:
    lease = Job.objects.values_list("lease_until", flat=True).get(pk=job.pk)
    assert lease is not None
    return lease


def lose_lease(job: Job) -> None:
    """The worker falls silent and the sweep queues the job again."""
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    jobs.sweep()


# --- ways to end ------------------------------------------------------------------------------------------------------


def test_a_job_that_does_all_its_units_succeeds() -> None:
    job = run_here(ask(world.tenant(), units=3))
    assert (job.state, job.error, job.result) == (JobState.SUCCEEDED, "", {"units": 3})
    assert (job.units_done, job.units_total, job.units_failed, job.unit_name) == (3, 3, 0, "things")
    assert (job.attempt, job.fence, job.lease_until) == (1, 1, None)
    assert job.started_at is not None
    assert job.finished_at is not None
    assert finished_events() == [{"state": "succeeded", "done": 3, "failed": 0}]


def test_a_job_with_failed_units_is_done_in_part_and_says_which() -> None:
    job = run_here(ask(world.tenant(), units=4, failing=[1, 2]))
    assert (job.state, job.units_done, job.units_failed) == (JobState.PARTIAL, 4, 2)
    lines = job.lines.filter(level=JobLine.Level.ERROR)
    assert [(line.subject, line.text) for line in lines] == [("thing 1", "It is broken."), ("thing 2", "It is broken.")]
    assert finished_events() == [{"state": "partly done", "done": 4, "failed": 2}]


@pytest.mark.parametrize(
    ("action", "state", "code", "sentence"),
    [
        ("fail", JobState.FAILED, "nobody", "Nobody is at home."),
        ("refused", JobState.FAILED, "vendor_auth", "The vendor refuses the key."),
        ("unknown", JobState.UNKNOWN, "vendor_outcome_unknown", "The answer to a write was lost."),
    ],
)
def test_an_error_that_trying_again_cannot_mend_ends_the_job(
    action: str, state: JobState, code: str, sentence: str
) -> None:
    job = run_here(ask(world.tenant(), then=action))
    assert (job.state, job.error_code, job.error) == (state, code, sentence)
    assert len(finished_events()) == 1


def test_an_unforeseen_error_shows_a_reference_and_only_the_log_has_the_rest(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    job = run_here(ask(world.tenant(), then="break"))
    assert (job.state, job.error_code) == (JobState.FAILED, "internal")
    found = re.fullmatch(r"Internal error, reference ([0-9a-f]{8})\.", job.error)
    assert found is not None
    out = capsys.readouterr()
    log = caplog.text + out.out + out.err
    assert found[1] in log
    assert "the secret word" in log


def test_a_job_type_without_its_module_or_unknown_to_the_worker_fails() -> None:
    missing = run_here(ask(world.tenant(), "probe_missing"))
    assert (missing.state, missing.error_code) == (JobState.FAILED, "internal")
    job = ask(world.tenant())
    Job.objects.filter(pk=job.pk).update(type="from_the_future")
    unknown = run_here(job)
    assert (unknown.state, unknown.error_code) == (JobState.FAILED, "unknown_type")


@pytest.mark.parametrize(("action", "seconds"), [("rate limit", 40), ("paused", 70)])
def test_a_vendor_that_asks_to_wait_gives_the_worker_back_without_using_an_attempt(action: str, seconds: int) -> None:
    before = timezone.now()
    job = run_here(ask(world.tenant(), then=action))
    assert (job.state, job.attempt, job.admitted_at, job.lease_until) == (JobState.WAITING, 0, None, None)
    assert job.waiting_for in ("The vendor says: too many.", "Calls are held back.")
    assert job.not_before is not None
    assert timedelta(0) <= job.not_before - before - timedelta(seconds=seconds) < timedelta(seconds=10)
    assert finished_events() == []


def test_a_vendor_that_does_not_answer_is_tried_later_and_later_until_the_attempts_are_used_up() -> None:
    job = ask(world.tenant(), then="unavailable")
    pauses = []
    for attempt in (1, 2):
        now = timezone.now()
        job = run_here(job)
        assert (job.state, job.attempt) == (JobState.WAITING, attempt)
        assert job.waiting_for == f"The vendor did not answer. Attempt {attempt + 1} of 3 follows."
        assert job.not_before is not None
        pauses.append((job.not_before - now).total_seconds())
        Job.objects.filter(pk=job.pk).update(not_before=timezone.now())
        jobs.sweep()
    assert 5 <= pauses[0] <= 11
    assert 10 <= pauses[1] <= 21
    job = run_here(job)
    assert (job.state, job.error, job.attempt) == (JobState.FAILED, "The vendor did not answer.", 3)


def test_a_job_that_waited_goes_on_and_ends(tmp_path: Path) -> None:
    job = run_here(ask(world.tenant(), then="wait once", marker=str(tmp_path / "marker")))
    assert (job.state, job.waiting_for) == (JobState.WAITING, "the tide to turn")
    assert run_here(job).state == JobState.WAITING, "not before its time"
    Job.objects.filter(pk=job.pk).update(not_before=timezone.now())
    jobs.sweep()
    job = run_here(job)
    assert (job.state, job.attempt, job.waiting_for, job.not_before) == (JobState.SUCCEEDED, 1, "", None)


def test_a_job_that_waits_for_ever_is_given_up() -> None:
    job = ask(world.tenant(), then="rate limit")
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - runner.MAX_WAIT - timedelta(minutes=1))
    job = run_here(job)
    assert (job.state, job.error_code) == (JobState.FAILED, "waited_too_long")


def test_a_run_longer_than_its_type_allows_ends_with_a_sentence() -> None:
    job = run_here(ask(world.tenant(), "probe_brief", units=2))
    assert (job.state, job.error_code) == (JobState.FAILED, "time_limit")
    assert job.error == "This took longer than the 0 seconds it may take."


# --- messages that prove nothing --------------------------------------------------------------------------------------


def test_a_message_delivered_again_does_nothing(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    job = run_here(ask(world.tenant(), journal=str(journal)))
    runner.run(str(job.pk))
    assert begun(journal) == 1
    assert len(finished_events()) == 1


@pytest.mark.parametrize("job_id", ["", "nonsense", None, 7, "0" * 32, "5f0c0000-0000-4000-8000-000000000001"])
def test_a_message_for_no_job_does_nothing(job_id: Any) -> None:
    runner.run(job_id)


def test_a_message_for_a_job_that_is_not_admitted_waits_or_is_cancelled_does_nothing(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal")
    tenant = world.tenant()
    queued = ask(tenant, journal=journal)
    runner.run(str(queued.pk))
    waiting = ask(tenant, journal=journal)
    Job.objects.filter(pk=waiting.pk).update(state=JobState.WAITING, not_before=timezone.now() + timedelta(hours=1))
    runner.run(str(waiting.pk))
    cancelled = jobs.cancel(job=ask(tenant, journal=journal), by=world.member(tenant))
    runner.run(str(cancelled.pk))
    assert begun(tmp_path / "journal") == 0


def test_a_message_for_a_job_whose_tenant_was_deleted_does_nothing(tmp_path: Path) -> None:
    tenant = world.tenant()
    job = ask(tenant, journal=str(tmp_path / "journal"))
    jobs.dispatch()
    tenant.delete()
    runner.run(str(job.pk))
    assert begun(tmp_path / "journal") == 0


@pytest.mark.django_db(transaction=True)
def test_workers_that_race_for_one_job_run_it_once(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    job = ask(world.tenant(), journal=str(journal), units=3)
    world.at_once(*[lambda: runner.run(str(job.pk)) for _ in range(6)])
    job.refresh_from_db()
    assert (job.state, job.fence, job.attempt) == (JobState.SUCCEEDED, 1, 1)
    assert begun(journal) == 1


# --- rights -----------------------------------------------------------------------------------------------------------


def test_a_right_taken_away_before_the_run_refuses_the_job(tmp_path: Path) -> None:
    tenant = world.tenant()
    person = world.member(tenant)
    job = jobs.request("probe", tenant=tenant, by=person, params={"journal": str(tmp_path / "journal")})
    Grant.objects.filter(user=person).delete()
    job = run_here(job)
    assert (job.state, job.error_code) == (JobState.FAILED, "not_allowed")
    assert job.error == f"Editor Person may no longer sync and refresh integrations at {tenant.name}."
    assert begun(tmp_path / "journal") == 0


def test_a_person_who_may_not_sign_in_any_more_or_is_gone_has_no_jobs_run() -> None:
    tenant = world.tenant()
    inactive, gone = world.member(tenant), world.member(tenant)
    first, second = (jobs.request("probe", tenant=tenant, by=person) for person in (inactive, gone))
    inactive.is_active = False
    inactive.save()
    gone.delete()
    assert [run_here(job).error_code for job in (first, second)] == ["not_allowed"] * 2


def test_the_console_s_own_jobs_need_no_person_but_an_account_in_use() -> None:
    tenant = world.tenant()
    account = world.account(tenant)
    assert run_here(ask(tenant, target=account)).state == JobState.SUCCEEDED
    later = ask(tenant, target=account)
    account.removed_at = timezone.now()
    account.save()
    refused = run_here(later)
    assert (refused.state, refused.error) == (JobState.FAILED, "The vendor account was removed.")


# --- between units ----------------------------------------------------------------------------------------------------


@pytest.fixture
def looking_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check looks at the row, as if half a second had passed since the one before."""
    monkeypatch.setattr(progress_module, "WRITE_SECONDS", 0.0)


def during_gate(monkeypatch: pytest.MonkeyPatch, do: Any) -> None:
    """At its gate the probe does `do(job, progress)` instead of waiting for a file."""

    def at_gate(params: dict[str, Any], progress: Progress) -> None:
        do(progress)

    monkeypatch.setattr(probes, "wait_at_gate", at_gate)


@pytest.mark.usefixtures("looking_always")
def test_a_job_cancelled_while_it_runs_ends_between_two_units(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = world.tenant()
    person = world.member(tenant)
    job = ask(tenant, units=5, gate_at=2)

    def cancel(progress: Progress) -> None:
        jobs.cancel(job=job, by=person)

    during_gate(monkeypatch, cancel)
    job = run_here(job)
    assert (job.state, job.units_done) == (JobState.CANCELLED, 3)
    assert finished_events() == [{"state": "cancelled", "done": 3, "failed": 0}]


def test_a_job_cancelled_while_it_asks_to_wait_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = world.tenant()
    person = world.member(tenant)
    job = ask(tenant, gate_at=0, then="rate limit")
    during_gate(monkeypatch, lambda progress: jobs.cancel(job=job, by=person))
    assert run_here(job).state == JobState.CANCELLED


@pytest.mark.usefixtures("looking_always")
def test_a_worker_that_lost_its_job_writes_nothing_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    job = ask(world.tenant(), units=4, gate_at=2, gate_attempt=1, journal=str(tmp_path / "journal"))

    def be_overtaken(progress: Progress) -> None:
        progress.say("Before.")
        lose_lease(job)
        runner.run(str(job.pk))
        progress.advance(100)
        progress.say("Too late.")

    during_gate(monkeypatch, be_overtaken)
    job = run_here(job)
    assert (job.state, job.attempt, job.fence, job.units_done) == (JobState.SUCCEEDED, 2, 2, 4)
    assert "Too late." not in job.lines.values_list("text", flat=True)
    assert len(finished_events()) == 1
    assert [line.split()[:2] for line in probes.notes(tmp_path / "journal")] == [
        ["begun", "1"],
        ["begun", "2"],
        ["ended", "2"],
    ]


def test_a_lost_worker_cannot_commit_what_the_job_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    job = ask(world.tenant("Before"), gate_at=0, gate_attempt=1)

    def be_overtaken(progress: Progress) -> None:
        with transaction.atomic():
            progress.hold()
            job.tenant.name = "Held"
            job.tenant.save()
        lose_lease(job)
        with transaction.atomic():
            job.tenant.name = "Too late"
            job.tenant.save()
            progress.hold()

    during_gate(monkeypatch, be_overtaken)
    job = run_here(job)
    assert job.tenant.name == "Held"
    assert job.state == JobState.QUEUED


def test_a_worker_told_to_stop_gives_its_job_back_without_using_an_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    job = ask(world.tenant(), units=5, gate_at=1)
    during_gate(monkeypatch, lambda progress: stopping.begin())
    try:
        job = run_here(job)
    finally:
        stopping.reset()
    assert (job.state, job.attempt, job.units_done) == (JobState.QUEUED, 0, 2)
    during_gate(monkeypatch, lambda progress: None)
    assert run_here(job).state == JobState.SUCCEEDED


def test_a_lease_renewed_by_its_thread_outlives_its_length(settings: Any, transactional_db: None) -> None:
    settings.JOBS_LEASE_SECONDS = 0.3
    job = ask(world.tenant())
    claimed = runner._claim(str(job.pk))
    assert claimed is not None
    first = lease_of(job)
    with Lease(claimed, limit_seconds=30) as lease:
        wait_until(lambda: lease_of(job) > first + timedelta(seconds=1), "The lease was not renewed", seconds=10)
        assert not lease.is_lost
        Job.objects.filter(pk=job.pk).update(fence=99)
        wait_until(lambda: lease.is_lost, "The lease was not lost", seconds=10)


def test_a_run_that_hangs_beyond_its_limit_loses_its_lease(settings: Any, transactional_db: None) -> None:
    settings.JOBS_LEASE_SECONDS = 0.3
    job = runner._claim(str(ask(world.tenant()).pk))
    assert job is not None
    with Lease(job, limit_seconds=0) as lease:
        wait_until(lambda: lease.is_lost, "The lease was not lost", seconds=10)


# --- what the person sees ---------------------------------------------------------------------------------------------


@pytest.fixture
def progress(settings: Any) -> Progress:
    job = ask(world.tenant())
    jobs.dispatch()
    claimed = runner._claim(str(job.pk))
    assert claimed is not None
    return Progress(claimed, Lease(claimed, limit_seconds=60), limit_seconds=60)


def test_a_log_ends_where_nobody_would_read_on(progress: Progress) -> None:
    for number in range(MAX_LINES + 50):
        progress.say(f"Line {number}.")
    progress.check()
    texts = list(JobLine.objects.values_list("text", flat=True))
    assert len(texts) == MAX_LINES
    assert texts[-1] == "More lines were left out."


def test_text_that_a_database_refuses_is_made_harmless(progress: Progress) -> None:
    progress.fail_item("a\x00b\ud800", "x" * 900)
    progress.check()
    line = JobLine.objects.get()
    assert (line.subject, len(line.text)) == ("ab?", 500)


def test_progress_is_written_at_most_twice_a_second(progress: Progress, django_assert_max_num_queries: Any) -> None:
    progress.check()
    progress.start(None, "things")
    with django_assert_max_num_queries(12):
        for _ in range(20_000):
            progress.advance()
            progress.check()
    assert progress.units_done == 20_000


def test_progress_of_an_unknown_number_of_units_has_no_total(progress: Progress) -> None:
    progress.start(None, "pages")
    progress.advance(3, failed=1)
    progress.check()
    job = Job.objects.get()
    assert (job.units_done, job.units_failed, job.units_total, job.unit_name) == (3, 1, None, "pages")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("looking_always")
def test_progress_inside_a_transaction_of_the_job_is_not_rolled_back_with_it() -> None:
    claimed = runner._claim(str(ask(world.tenant()).pk))
    assert claimed is not None
    progress = Progress(claimed, Lease(claimed, limit_seconds=60), limit_seconds=60)
    with suppress(RuntimeError), transaction.atomic():
        progress.fail_item("thing", "Broken.")
        raise RuntimeError
    progress.check()
    assert JobLine.objects.get().subject == "thing"
    Job.objects.update(fence=9)
    with pytest.raises(JobLostError):
        progress.check()
