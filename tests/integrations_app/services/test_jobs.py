"""Asking for jobs, admission, cancelling, trying again, and the sweep; running them is in ../jobs/."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from celery import Celery
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from console.audit.events import Event
from console.audit.models import AuditEvent
from console.celery import app, transport_options
from integrations_app.models import Job, JobState
from integrations_app.services import jobs
from integrations_app.vendors import registry
from tests.integrations_app.jobs import probes, world
from tests.integrations_app.jobs.world import ask

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _probes() -> Iterator[None]:
    probes.register()
    yield
    probes.unregister()


def states(of: list[Job]) -> list[str]:
    found = dict(Job.objects.filter(pk__in=[job.pk for job in of]).values_list("pk", "state"))
    return [found[job.pk] for job in of]


def admitted() -> set[uuid.UUID]:
    return set(Job.objects.in_flight().values_list("pk", flat=True))


def put(job: Job, **fields: Any) -> Job:
    """Bring a job into the state that a lost worker or message would leave behind."""
    Job.objects.filter(pk=job.pk).update(**fields)
    job.refresh_from_db()
    return job


def put_running(job: Job, *, lease: float = 30, **fields: Any) -> Job:
    now = timezone.now()
    defaults = {"state": JobState.RUNNING, "admitted_at": now, "attempt": 1, "fence": 1}
    return put(job, **{**defaults, "lease_until": now + timedelta(seconds=lease), **fields})


# --- asking -----------------------------------------------------------------------------------------------------------


def test_a_request_makes_a_row_and_an_audit_row_with_the_person_s_name() -> None:
    tenant = world.tenant()
    person, account = world.member(tenant), world.account(tenant, "Main")
    job = jobs.request("probe", tenant=tenant, by=person, target=account, params={"units": 3}, reason="Ticket 7")
    assert (job.state, job.queue, job.vendor_account, job.params) == ("queued", "bulk", account, {"units": 3})
    assert job.title == f"Probe nowhere, {account.name}"
    assert list(Job.objects.for_tenant(tenant).about(account)) == [job]
    event = AuditEvent.objects.get(event=Event.JOB_REQUESTED)
    assert (event.by_label, event.target_label, event.reason) == ("Editor Person", job.title, "Ticket 7")


def test_a_title_names_the_vendor_before_the_account() -> None:
    tenant = world.tenant()
    account = world.account(tenant, "Main")
    account.vendor = "alloy"
    account.save()
    assert ask(tenant, target=account).title == f"Probe {registry.label('alloy')}, {account.name}"


def test_a_person_without_the_permission_is_refused_and_nothing_is_written() -> None:
    tenant = world.tenant()
    for person in (world.member(tenant, "viewer"), world.member(world.tenant("Other"), "owner")):
        with pytest.raises(PermissionDenied):
            jobs.request("probe", tenant=tenant, by=person)
    assert not Job.objects.exists()
    assert not AuditEvent.objects.filter(event=Event.JOB_REQUESTED).exists()


def test_a_target_of_another_tenant_is_refused() -> None:
    tenant, account = world.tenant(), world.account(world.tenant("Other"))
    with pytest.raises(ValueError, match="belong"):
        ask(tenant, target=account)
    assert not Job.objects.exists()


def test_the_same_key_is_the_same_job_while_it_is_open() -> None:
    tenant, other = world.tenant(), world.tenant("Other")
    first = ask(tenant, key="once")
    assert ask(tenant, key="once") == first
    assert ask(other, key="once") != first
    put(first, state=JobState.SUCCEEDED)
    assert ask(tenant, key="once") != first
    assert AuditEvent.objects.filter(event=Event.JOB_REQUESTED).count() == 3


def test_an_exclusive_job_is_asked_for_once_per_account_without_naming_a_key() -> None:
    tenant = world.tenant()
    first, second = world.account(tenant), world.account(tenant)
    job = ask(tenant, "probe_alone", target=first)
    assert ask(tenant, "probe_alone", target=first) == job
    assert ask(tenant, "probe_alone", target=second) != job


@pytest.mark.django_db(transaction=True)
def test_many_who_ask_with_one_key_at_once_get_one_job() -> None:
    tenant = world.tenant()
    found = world.at_once(*[lambda: ask(tenant, key="race").pk for _ in range(8)])
    assert len(set(found)) == 1
    assert Job.objects.count() == 1
    assert AuditEvent.objects.filter(event=Event.JOB_REQUESTED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_job_is_handed_over_after_the_commit_and_never_when_it_is_rolled_back() -> None:
    tenant = world.tenant()
    with transaction.atomic():
        job = ask(tenant)
        assert job.pk not in admitted()
    assert admitted() == {job.pk}
    with suppress(RuntimeError), transaction.atomic():
        ask(tenant)
        raise RuntimeError
    assert admitted() == {job.pk}
    assert Job.objects.count() == 1


# --- admission --------------------------------------------------------------------------------------------------------


@pytest.fixture
def caps(settings: Any) -> Any:
    settings.JOBS_PER_QUEUE = {"interactive": 4, "bulk": 6}
    settings.JOBS_PER_TENANT = 3
    settings.JOBS_PER_ACCOUNT = 2
    return settings


def test_no_more_is_admitted_than_the_caps_allow(caps: Any) -> None:
    tenants = [world.tenant(name) for name in ("Aster", "Birch", "Cedar")]
    account = world.account(tenants[0])
    crowd = [ask(tenants[0], target=account) for _ in range(4)]
    assert jobs.dispatch() == 2, "two per account"
    elsewhere = [ask(tenants[0]) for _ in range(4)]
    assert jobs.dispatch() == 1, "three per tenant"
    for tenant in tenants[1:]:
        crowd += [ask(tenant) for _ in range(4)]
    assert jobs.dispatch() == 3, "six per queue"
    assert jobs.dispatch() == 0
    quick = [ask(tenants[0], "probe_quick") for _ in range(2)]
    assert jobs.dispatch() == 2, "a full bulk queue does not hold up short calls"
    assert Job.objects.in_flight().count() == 8
    put_running(next(job for job in elsewhere if job.pk in admitted()), state=JobState.SUCCEEDED)
    assert jobs.dispatch() == 1, "a place that becomes free is given away"
    assert {job.pk for job in quick} <= admitted()


def test_a_tenant_with_few_jobs_does_not_wait_behind_one_with_many(caps: Any) -> None:
    crowded, quiet = world.tenant("Crowded"), world.tenant("Quiet")
    crowd = [ask(crowded) for _ in range(20)]
    jobs.dispatch()
    single = ask(quiet)
    jobs.dispatch()
    assert single.pk in admitted()
    assert len(admitted() & {job.pk for job in crowd}) == caps.JOBS_PER_TENANT


def test_tenants_take_turns_when_one_place_becomes_free_at_a_time(caps: Any) -> None:
    caps.JOBS_PER_QUEUE = {"interactive": 1, "bulk": 1}
    names = ("Aster", "Birch", "Cedar")
    tenants = {name: world.tenant(name) for name in names}
    for name in names:
        for _ in range(3):
            ask(tenants[name])
    served = []
    while jobs.dispatch():
        job = Job.objects.in_flight().get()
        served.append(job.tenant.name)
        put(job, state=JobState.SUCCEEDED)
    assert len(served) == 9
    for turn in (served[0:3], served[3:6], served[6:9]):
        assert sorted(turn) == sorted(names)


def test_the_oldest_job_of_a_tenant_comes_first(caps: Any) -> None:
    caps.JOBS_PER_TENANT = 1
    tenant = world.tenant()
    first, second = ask(tenant), ask(tenant)
    jobs.dispatch()
    assert admitted() == {first.pk}
    put(first, state=JobState.SUCCEEDED)
    jobs.dispatch()
    assert admitted() == {second.pk}


def test_a_second_exclusive_job_of_an_account_waits_for_the_first_and_says_so() -> None:
    tenant = world.tenant()
    account, other = world.account(tenant), world.account(tenant)
    first = ask(tenant, "probe_alone", target=account, key="first")
    second = ask(tenant, "probe_alone", target=account, key="second")
    elsewhere = ask(tenant, "probe_alone", target=other)
    ordinary = ask(tenant, "probe", target=account)
    jobs.dispatch()
    assert admitted() == {first.pk, elsewhere.pk, ordinary.pk}
    second.refresh_from_db()
    assert (second.state, second.waiting_for) == (JobState.WAITING, "another probe of this account runs")
    put_running(first)
    assert jobs.dispatch() == 0
    put(first, state=JobState.SUCCEEDED)
    assert jobs.dispatch() == 1
    second.refresh_from_db()
    assert (second.state, second.waiting_for) == (JobState.QUEUED, "")
    assert second.pk in admitted()


@pytest.mark.django_db(transaction=True)
def test_dispatchers_racing_for_the_last_places_do_not_overfill_them(caps: Any) -> None:
    tenants = [world.tenant() for _ in range(4)]
    account = world.account(tenants[0])
    with transaction.atomic():
        for tenant in tenants:
            for _ in range(4):
                ask(tenant)
        for number in range(3):
            ask(tenants[0], "probe_alone", target=account, key=f"alone {number}")
        # Committed without the dispatch that follows a commit: the race is about who does it.
        transaction.get_connection().run_on_commit.clear()
    sent = world.at_once(*[jobs.dispatch for _ in range(6)])
    assert sum(sent) == 6 == Job.objects.in_flight().count()
    for tenant in tenants:
        assert Job.objects.for_tenant(tenant).in_flight().count() <= 3
    assert Job.objects.in_flight().filter(type="probe_alone").count() <= 1


@pytest.fixture
def dead_broker() -> Iterator[None]:
    """Celery sends to a broker where nobody listens."""
    elsewhere = Celery("elsewhere", broker="redis://127.0.0.1:1/0", set_as_current=False)
    elsewhere.conf.broker_transport_options = transport_options("redis://127.0.0.1:1/0", "")
    elsewhere.set_current()
    yield
    app.set_current()


@pytest.mark.django_db(transaction=True)
def test_without_a_broker_a_job_is_kept_and_goes_out_when_the_broker_is_back(dead_broker: None) -> None:
    job, later = ask(world.tenant()), ask(world.tenant("Later"))
    assert states([job, later]) == ["queued", "queued"]
    assert admitted() == set()
    jobs.sweep()
    assert admitted() == set()
    app.set_current()
    jobs.sweep()
    assert admitted() == {job.pk, later.pk}


# --- cancelling -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.WAITING])
def test_a_job_that_has_not_begun_is_cancelled_at_once(state: JobState) -> None:
    tenant = world.tenant()
    job = put(ask(tenant), state=state, not_before=timezone.now() + timedelta(hours=1))
    done = jobs.cancel(job=job, by=world.member(tenant))
    assert done.state == JobState.CANCELLED
    assert done.finished_at is not None
    assert AuditEvent.objects.filter(event=Event.JOB_CANCELLED, by_label="Editor Person").count() == 1
    jobs.sweep()
    assert admitted() == set()


def test_a_running_job_is_asked_to_stop_and_a_finished_one_stays_as_it_is() -> None:
    tenant = world.tenant()
    person = world.member(tenant)
    running = jobs.cancel(job=put_running(ask(tenant)), by=person)
    assert running.state == JobState.RUNNING
    assert running.cancel_requested_at is not None
    done = put(ask(tenant), state=JobState.SUCCEEDED)
    assert jobs.cancel(job=done, by=person).state == JobState.SUCCEEDED
    jobs.cancel(job=running, by=person)
    assert AuditEvent.objects.filter(event=Event.JOB_CANCELLED).count() == 1


def test_cancelling_and_trying_again_need_their_permission() -> None:
    tenant = world.tenant()
    for person in (world.member(tenant, "viewer"), world.member(world.tenant("Other"), "owner")):
        with pytest.raises(PermissionDenied):
            jobs.cancel(job=ask(tenant), by=person)
        with pytest.raises(PermissionDenied):
            jobs.retry(job=put(ask(tenant), state=JobState.FAILED), by=person)
    assert set(Job.objects.values_list("state", flat=True)) == {"queued", "failed"}


# --- trying again -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.PARTIAL, JobState.CANCELLED])
def test_trying_again_is_a_new_job_that_does_the_same(state: JobState) -> None:
    tenant = world.tenant()
    account = world.account(tenant)
    old = put(ask(tenant, target=account, key="k", units=7), state=state, error="It broke.", attempt=3)
    new = jobs.retry(job=old, by=world.member(tenant))
    assert new.pk != old.pk
    assert (new.state, new.attempt, new.error) == (JobState.QUEUED, 0, "")
    for field in ("type", "title", "queue", "vendor_account", "target_id", "target_label", "params", "key"):
        assert getattr(new, field) == getattr(old, field), field
    event = AuditEvent.objects.get(event=Event.JOB_RETRIED)
    assert event.detail == {"retry_of": str(old.pk)}


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED, JobState.UNKNOWN])
def test_what_has_not_failed_is_not_tried_again(state: JobState) -> None:
    tenant = world.tenant()
    job = put(ask(tenant), state=state)
    with pytest.raises(jobs.JobStateError, match="Only a job that failed"):
        jobs.retry(job=job, by=world.member(tenant))


def test_only_what_failed_is_done_again_where_the_type_can_do_that() -> None:
    tenant = world.tenant()
    person = world.member(tenant)
    job = world.run_here(ask(tenant, units=4, failing=[1, 3]))
    again = jobs.retry(job=job, by=person, only_failed=True)
    assert again.params["only"] == ["thing 1", "thing 3"]
    assert again.params["units"] == 4
    whole = put(ask(tenant, "probe_quick"), state=JobState.FAILED)
    with pytest.raises(jobs.JobStateError, match="as a whole"):
        jobs.retry(job=whole, by=person, only_failed=True)


def test_a_job_of_a_removed_account_is_not_tried_again() -> None:
    tenant = world.tenant()
    account = world.account(tenant)
    job = put(ask(tenant, target=account), state=JobState.FAILED)
    account.removed_at = timezone.now()
    account.save()
    job.refresh_from_db()
    with pytest.raises(jobs.JobStateError, match="removed"):
        jobs.retry(job=job, by=world.member(tenant))


# --- the sweep --------------------------------------------------------------------------------------------------------


def test_a_job_whose_worker_fell_silent_is_queued_again_with_a_line_that_says_so() -> None:
    tenant = world.tenant()
    lost = put_running(ask(tenant), lease=-1, worker="elsewhere:12")
    alive = put_running(ask(tenant), lease=30)
    jobs.sweep()
    lost.refresh_from_db()
    assert lost.state == JobState.QUEUED
    assert lost.pk in admitted()
    assert "elsewhere:12" in lost.lines.get().text
    assert states([alive]) == ["running"]


def test_a_job_whose_workers_fell_silent_too_often_fails_with_a_sentence() -> None:
    job = put_running(ask(world.tenant()), lease=-1, attempt=3)
    jobs.sweep()
    job.refresh_from_db()
    assert (job.state, job.error_code) == (JobState.FAILED, "worker_lost")
    assert job.error == "The worker that ran this stopped without a word 3 times."
    assert AuditEvent.objects.get(event=Event.JOB_FINISHED).detail["state"] == "failed"


def test_a_cancelled_job_whose_worker_fell_silent_ends_as_cancelled() -> None:
    now = timezone.now()
    running = put_running(ask(world.tenant()), lease=-1, cancel_requested_at=now)
    queued = put(ask(world.tenant()), cancel_requested_at=now)
    jobs.sweep()
    assert states([running, queued]) == ["cancelled", "cancelled"]


def test_an_admitted_job_that_nobody_claimed_is_admitted_again() -> None:
    job = ask(world.tenant())
    jobs.dispatch()
    long_ago = timezone.now() - timedelta(seconds=jobs.ADMISSION_SECONDS + 1)
    put(job, admitted_at=long_ago)
    jobs.sweep()
    job.refresh_from_db()
    assert job.admitted_at is not None
    assert job.admitted_at > long_ago


def test_a_waiting_job_is_queued_when_its_time_has_come() -> None:
    tenant = world.tenant()
    due = put(ask(tenant), state=JobState.WAITING, not_before=timezone.now() - timedelta(seconds=1), waiting_for="x")
    early = put(ask(tenant), state=JobState.WAITING, not_before=timezone.now() + timedelta(hours=1))
    jobs.sweep()
    assert states([due, early]) == ["queued", "waiting"]
    assert admitted() == {due.pk}


def test_a_sweep_with_nothing_to_do_does_nothing() -> None:
    put(ask(world.tenant()), state=JobState.SUCCEEDED)
    assert jobs.sweep() == 0


@pytest.mark.django_db(transaction=True)
def test_sweeps_that_race_recover_each_job_once() -> None:
    lost = [put_running(ask(world.tenant()), lease=-1) for _ in range(5)]
    spent = [put_running(ask(world.tenant()), lease=-1, attempt=3) for _ in range(3)]
    world.at_once(*[jobs.sweep for _ in range(4)])
    assert states(lost) == ["queued"] * 5
    assert states(spent) == ["failed"] * 3
    assert [job.lines.count() for job in lost] == [1] * 5
    assert AuditEvent.objects.filter(event=Event.JOB_FINISHED).count() == 3
