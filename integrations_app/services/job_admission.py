"""Admission: which queued jobs are handed to Celery now, so that no tenant and no vendor account crowds out the rest.

Celery's queues are first come, first served. Fairness therefore happens before: a row is admitted (one message with its
id is sent) only within the caps per queue, tenant and vendor account, and the tenant with the least in flight comes
next.
"""

from __future__ import annotations

import heapq
import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

import structlog
from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min, OuterRef, Subquery
from django.utils import timezone

from console.access import scope
from console.access.models import Tenant
from integrations_app.models import Job, JobState
from integrations_app.models.job import JobQuerySet
from integrations_app.services.job_types import JOB_TYPES

log = structlog.get_logger(__name__)

RUN_JOB = "integrations_app.tasks.run_job"
# How long after its own limit a run whose code no longer comes back is interrupted by Celery, and then killed.
LIMIT_GRACE_SECONDS = 30
# Any number no other part of the console takes for its advisory lock.
_LOCK_NUMBER = 0x4A4F4253
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def dispatch() -> int:
    """Admit what the caps allow and send Celery one message per admitted job; returns how many were sent.

    Runs after the commit that made a job and in every sweep; any number of processes may call it at once. When the
    broker is down the rows stay queued and are admitted again by a later sweep. Never call it inside a transaction:
    a worker could look for a row that is not there yet.
    """
    # The caps count all tenants' jobs, also when a request of somebody who sees one tenant asks for admission.
    with scope.everything():
        return _dispatch()


def _dispatch() -> int:
    if not Job.objects.awaiting_admission().exists():
        return 0
    admitted = _admit()
    for number, job in enumerate(admitted):
        try:
            _send(job)
        except Exception as error:  # each transport has its own tree of errors, and none of them may lose a job
            _take_back(admitted[number:])
            log.warning("jobs_not_sent", jobs=len(admitted) - number, error=str(error))
            return number
    return len(admitted)


def _admit() -> list[Job]:
    with transaction.atomic():
        _lock_out_other_dispatchers()
        load = _Load(Job.objects.in_flight())
        admitted = [job for queue in Job.Queue for job in _fill(queue, load)]
        _say_what_is_held(load)
    return admitted


def _lock_out_other_dispatchers() -> None:
    # Two dispatchers that count at once would both find the last place free. SQLite's transactions are one at a time.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_NUMBER])


class _Load:
    """What is in flight: per queue, per tenant and account in a queue, and the accounts an exclusive job keeps busy."""

    def __init__(self, in_flight: JobQuerySet) -> None:
        self.by_queue: Counter[str] = Counter()
        self.by_tenant: Counter[tuple[str, uuid.UUID]] = Counter()
        self.by_account: Counter[tuple[str, uuid.UUID]] = Counter()
        self.busy_accounts: set[uuid.UUID] = set()
        for job in in_flight.only("queue", "tenant_id", "vendor_account_id", "type"):
            self.add(job)

    def add(self, job: Job) -> None:
        self.by_queue[job.queue] += 1
        self.by_tenant[job.queue, job.tenant_id] += 1
        if job.vendor_account_id:
            self.by_account[job.queue, job.vendor_account_id] += 1
            if job.type in _exclusive_types():
                self.busy_accounts.add(job.vendor_account_id)

    def full_accounts(self, queue: str) -> list[uuid.UUID]:
        cap = settings.JOBS_PER_ACCOUNT
        return [account for (of, account), count in self.by_account.items() if of == queue and count >= cap]


def _exclusive_types() -> list[str]:
    return [job_type.name for job_type in JOB_TYPES.values() if job_type.is_exclusive]


def _fill(queue: str, load: _Load) -> list[Job]:
    """Admit jobs to one queue, tenant by tenant, until it is full or nothing is left that may run."""
    free = settings.JOBS_PER_QUEUE[queue] - load.by_queue[queue]
    if free <= 0:
        return []
    now = timezone.now()
    admitted: list[Job] = []
    turns = _turns(queue, load)
    heapq.heapify(turns)
    while turns and len(admitted) < free:
        in_flight, _, oldest, tenant_id = heapq.heappop(turns)
        if in_flight >= settings.JOBS_PER_TENANT or (job := _next_of(tenant_id, queue, load)) is None:
            continue
        if _mark_admitted(job, now):
            load.add(job)
            admitted.append(job)
            heapq.heappush(turns, (in_flight + 1, now, oldest, tenant_id))
        else:
            # Cancelled in the moment between: the same tenant looks again.
            heapq.heappush(turns, (in_flight, _NEVER, oldest, tenant_id))
    return admitted


def _turns(queue: str, load: _Load) -> list[tuple[int, datetime, datetime, uuid.UUID]]:
    """(in flight, last admission, oldest job waiting, tenant) of each tenant with work: the smallest comes first.

    The last admission decides between equals: with one free place at a time, counting alone would serve the tenant with
    the oldest backlog until it is empty.
    """
    awaiting = Job.objects.awaiting_admission().filter(queue=queue)
    oldest = dict(awaiting.order_by().values_list("tenant_id").annotate(Min("created_at")))
    previous = Job.objects.filter(tenant=OuterRef("pk"), queue=queue, admitted_at__isnull=False)
    last = Tenant.objects.filter(id__in=awaiting.order_by().values("tenant_id")).values_list(
        "id", Subquery(previous.order_by("-admitted_at").values("admitted_at")[:1])
    )
    return [
        (load.by_tenant[queue, tenant_id], at or _NEVER, oldest[tenant_id], tenant_id)
        for tenant_id, at in last
        if tenant_id in oldest
    ]


def _next_of(tenant_id: uuid.UUID, queue: str, load: _Load) -> Job | None:
    return (
        Job.objects.awaiting_admission()
        .filter(tenant_id=tenant_id, queue=queue)
        .exclude(vendor_account_id__in=load.full_accounts(queue))
        .exclude(type__in=_exclusive_types(), vendor_account_id__in=load.busy_accounts)
        .order_by("created_at", "id")
        .first()
    )


def _mark_admitted(job: Job, now: datetime) -> bool:
    job.admitted_at = now
    return bool(
        Job.objects.awaiting_admission()
        .filter(pk=job.pk)
        .update(admitted_at=now, state=JobState.QUEUED, waiting_for="")
    )


def _say_what_is_held(load: _Load) -> None:
    """Show jobs that another job of their account holds as waiting, and those no longer held as queued."""
    awaiting = Job.objects.awaiting_admission()
    for name in _exclusive_types():
        words = name.partition("_")[0]
        awaiting.filter(state=JobState.QUEUED, type=name, vendor_account_id__in=load.busy_accounts).update(
            state=JobState.WAITING, waiting_for=f"another {words} of this account runs"
        )
    awaiting.filter(state=JobState.WAITING).exclude(
        type__in=_exclusive_types(), vendor_account_id__in=load.busy_accounts
    ).update(state=JobState.QUEUED, waiting_for="")


def _send(job: Job) -> None:
    limit = JOB_TYPES[job.type].limit_seconds if job.type in JOB_TYPES else 0
    current_app.send_task(
        RUN_JOB,
        args=[str(job.pk)],
        queue=job.queue,
        soft_time_limit=limit + LIMIT_GRACE_SECONDS,
        time_limit=limit + 2 * LIMIT_GRACE_SECONDS,
        # Once more at once: a connection kept from before the broker restarted fails on its first use. Longer would
        # hold up the page that asked; the sweep tries again anyway.
        retry=True,
        retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
    )


def _take_back(jobs: Iterable[Job]) -> None:
    """Forget the admission of jobs whose message was not sent; should it have been after all, no worker accepts it."""
    for job in jobs:
        Job.objects.filter(pk=job.pk, state=JobState.QUEUED, admitted_at=job.admitted_at).update(admitted_at=None)
