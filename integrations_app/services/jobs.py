"""Jobs: asked for, cancelled, tried again, and put right by the sweep when a worker, a message or the broker is lost.

Admission to Celery is in `job_admission.py`; running them is `integrations_app/jobs/runner.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import structlog
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from console.access import policy
from console.access.models import Tenant, User
from console.access.permissions import Permission
from console.audit.events import Event
from console.audit.services import record
from integrations_app.models import Job, JobLine, JobState, VendorAccount
from integrations_app.services.errors import InvalidError
from integrations_app.services.job_admission import dispatch
from integrations_app.services.job_types import JOB_TYPES, JobType
from integrations_app.vendors import registry

__all__ = ["JobStateError", "cancel", "cannot_retry", "dispatch", "finish", "request", "retry", "sweep"]

log = structlog.get_logger(__name__)

_NOT_BEGUN = (JobState.QUEUED, JobState.WAITING)
RETRYABLE_STATES = (JobState.FAILED, JobState.PARTIAL, JobState.CANCELLED)
# An admitted job that nobody claimed for this long is admitted again: its message may be lost. Where it only waits in
# Celery's queue the second message finds the job claimed and does nothing.
ADMISSION_SECONDS = 60
# What one sweep puts right; the rest is the next one's, seconds later.
SWEEP_ROWS = 200
_KEY_TRIES = 5


class JobStateError(InvalidError):
    """The job is not in a state that allows this; the text says so to the person."""

    def __init__(self, sentence: str) -> None:
        super().__init__({"": sentence})


def request(
    job_type: str,
    *,
    tenant: Tenant,
    by: User | None,
    target: models.Model | None = None,
    vendor_account: VendorAccount | None = None,
    params: Mapping[str, Any] | None = None,
    reason: str = "",
    key: str = "",
    title: str = "",
    queue: Job.Queue | None = None,
) -> Job:
    """Ask for a job; while one with the same `key` is open at this tenant, that one is returned instead.

    `by` None is the console itself (a schedule). `target` is what the job is about; a vendor account given as target is
    also its `vendor_account`. Jobs of an exclusive type get the account as their key when none is given. `params` is
    plain JSON without any secret; `title` and `queue` stand in for the type's own. Raises PermissionDenied when
    `by` may not do this here, ValueError when target or account belong to another tenant, KeyError for a type that is
    not in JOB_TYPES.
    """
    kind = JOB_TYPES[job_type]
    if by is not None:
        policy.require(by, kind.permission, tenant)
    if vendor_account is None and isinstance(target, VendorAccount):
        vendor_account = target
    for thing in (target, vendor_account):
        if thing is not None and getattr(thing, "tenant_id", tenant.pk) != tenant.pk:
            raise ValueError("A job's target and its vendor account belong to the job's tenant.")
    subject = target if target is not None else vendor_account
    label = _label(subject if subject is not None else tenant)
    draft = Job(
        tenant=tenant,
        type=kind.name,
        title=(title or kind.title.format(target=label))[:300],
        queue=queue or kind.queue,
        vendor_account=vendor_account,
        target_type=(subject._meta.model_name or "") if subject is not None else "",
        target_id=str(subject.pk) if subject is not None else "",
        target_label=label if subject is not None else "",
        params=dict(params or {}),
        key=key or _default_key(kind, vendor_account),
        reason=reason[:300],
        requested_by=by,
        requested_by_label=str(by)[:320] if by else "",
    )
    return _add(draft, Event.JOB_REQUESTED, by=by)


def _label(subject: models.Model) -> str:
    """What people call it; a vendor account, whose own name may be "Production", with its vendor before it."""
    name = str(subject)
    if isinstance(subject, VendorAccount) and (vendor := _vendor_label(subject.vendor)).lower() not in name.lower():
        name = f"{vendor}, {name}"
    return name[:300]


def _vendor_label(slug: str) -> str:
    try:
        return registry.label(slug)
    except KeyError:
        return slug


def _default_key(kind: JobType, account: VendorAccount | None) -> str:
    return f"{kind.name}:{account.pk}" if kind.is_exclusive and account is not None else ""


def _add(draft: Job, event: Event, *, by: User | None, detail: Mapping[str, Any] | None = None) -> Job:
    """Insert `draft` with its audit row, or return the open job that has its key.

    The unique index decides between two that ask at once: the loser's insert fails, and it finds the winner's row. When
    that one has finished meanwhile the key is free again, hence the loop.
    """
    for tries_left in reversed(range(_KEY_TRIES)):
        if draft.key and (same := Job.objects.for_tenant(draft.tenant).open().filter(key=draft.key).first()):
            return same
        try:
            with transaction.atomic():
                draft.save(force_insert=True)
                record(event, tenant=draft.tenant, by=by, target=draft, detail=detail, reason=draft.reason)
                _dispatch_after_commit()
        except IntegrityError:
            if not draft.key or not tries_left:
                raise
        else:
            return draft
    raise AssertionError("unreachable")


def _dispatch_after_commit() -> None:
    """Once for a transaction, however many jobs it asks for. A dispatch lost here is made good by the sweep."""
    waiting: list[object] = [entry[1] for entry in connection.run_on_commit]
    if dispatch not in waiting:
        transaction.on_commit(dispatch, robust=True)


def cancel(*, job: Job, by: User) -> Job:
    """Cancel a job: one that has not begun at once, a running one between two of its units. A finished one stays as it
    is.

    Returns the job as it is afterwards. Raises PermissionDenied.
    """
    policy.require(by, Permission.JOB_CONTROL, job.tenant)
    with transaction.atomic():
        current = _locked(Job.objects.for_tenant(job.tenant).filter(pk=job.pk)).get()
        if current.is_finished or current.cancel_requested_at:
            return current
        current.cancel_requested_at = timezone.now()
        if current.state == JobState.RUNNING:
            current.save(update_fields=["cancel_requested_at"])
        else:
            _end(current, JobState.CANCELLED)
        record(Event.JOB_CANCELLED, tenant=current.tenant, by=by, target=current)
        transaction.on_commit(dispatch, robust=True)
    return current


def retry(*, job: Job, by: User, only_failed: bool = False) -> Job:
    """Ask again for a job that failed, was done in part or cancelled: a new job with the same parameters.

    `only_failed` does only the items that failed, where the type can do that: their subjects stand in `params["only"]`.
    Raises JobStateError when the job cannot be tried again, PermissionDenied when `by` may not control jobs or may not
    do this job's work.
    """
    policy.require(by, Permission.JOB_CONTROL, job.tenant)
    kind = JOB_TYPES.get(job.type)
    if job.state not in RETRYABLE_STATES or kind is None:
        raise JobStateError("Only a job that failed, was done in part or was cancelled can be tried again.")
    policy.require(by, kind.permission, job.tenant)
    if reason := cannot_retry(job):
        raise JobStateError(reason)
    params = dict(job.params)
    if only_failed:
        params["only"] = _failed_subjects(job, kind)
    draft = Job(
        tenant=job.tenant,
        type=job.type,
        title=job.title,
        queue=job.queue,
        vendor_account=job.vendor_account,
        target_type=job.target_type,
        target_id=job.target_id,
        target_label=job.target_label,
        params=params,
        key=job.key,
        reason=job.reason,
        requested_by=by,
        requested_by_label=str(by)[:320],
    )
    return _add(draft, Event.JOB_RETRIED, by=by, detail={"retry_of": str(job.pk)})


def cannot_retry(job: Job) -> str:
    """Why a job that ended cannot be done again as it was, whoever asks; "" when it can."""
    kind = JOB_TYPES.get(job.type)
    if kind is None:
        return "This console does not know this kind of job any more."
    if job.vendor_account is not None and job.vendor_account.is_removed:
        return "The vendor account of this job was removed."
    return kind.no_retry


def _failed_subjects(job: Job, kind: JobType) -> list[str]:
    if not kind.can_retry_failed:
        raise JobStateError("This kind of job can only be tried again as a whole.")
    failed = job.lines.filter(level=JobLine.Level.ERROR).exclude(subject="")
    subjects = list(failed.order_by("subject").values_list("subject", flat=True).distinct())
    if not subjects:
        raise JobStateError("No item of this job failed.")
    return subjects


def finish(
    job: Job, state: JobState, *, code: str = "", error: str = "", result: Mapping[str, Any] | None = None
) -> None:
    """Put `job` into its final state, with the audit row; the caller holds the row's lock in a transaction."""
    job.error_code = code[:40]
    job.error = error[:500]
    job.result = dict(result or {})
    _end(job, state)
    record(
        Event.JOB_FINISHED,
        tenant=job.tenant,
        by=None,
        target=job,
        detail={"state": JobState(state).label.lower(), "done": job.units_done, "failed": job.units_failed},
    )
    transaction.on_commit(dispatch, robust=True)


def _end(job: Job, state: JobState) -> None:
    job.state = state
    job.finished_at = timezone.now()
    job.not_before = None
    job.waiting_for = ""
    job.lease_until = None
    job.save()


def _locked(jobs: models.QuerySet[Job], *, skip_locked: bool = False) -> models.QuerySet[Job]:
    """`jobs` with their rows locked until the transaction ends; on SQLite the transaction itself is the lock."""
    can_skip = connection.features.has_select_for_update_skip_locked
    return jobs.select_related("tenant").select_for_update(of=("self",), skip_locked=skip_locked and can_skip)


# --- the sweep
# ----------------------------------------------------------------------------------------------------------


def sweep() -> int:
    """Put right what was lost, then dispatch; returns how many jobs were put right or admitted.

    Runs every few seconds; any number at once do no harm, since every step changes a row only if it is still as found.
    """
    now = timezone.now()
    ended = _put_right(Job.objects.filter(state__in=_NOT_BEGUN, cancel_requested_at__isnull=False), _end_cancelled)
    recovered = _put_right(Job.objects.running().filter(lease_until__lt=now), _recover)
    woken = Job.objects.filter(state=JobState.WAITING, not_before__lte=now).update(
        state=JobState.QUEUED, not_before=None, waiting_for=""
    )
    forgotten = Job.objects.filter(
        state=JobState.QUEUED, admitted_at__lt=now - timedelta(seconds=ADMISSION_SECONDS)
    ).update(admitted_at=None)
    if ended or recovered or forgotten:
        log.info("jobs_swept", cancelled=ended, recovered=recovered, admitted_again=forgotten)
    return ended + recovered + woken + forgotten + dispatch()


def _put_right(found: models.QuerySet[Job], change: Callable[[Job], None]) -> int:
    """`change` up to SWEEP_ROWS of `found`, one transaction each, passing over what another process changed first."""
    touched = 0
    for pk in list(found.order_by("created_at").values_list("pk", flat=True)[:SWEEP_ROWS]):
        with transaction.atomic():
            job = _locked(found.filter(pk=pk), skip_locked=True).first()
            if job is not None:
                change(job)
                touched += 1
    return touched


def _end_cancelled(job: Job) -> None:
    finish(job, JobState.CANCELLED)


def _recover(job: Job) -> None:
    """Queue a job again whose worker let its lease run out, or give it up when all its attempts are used."""
    kind = JOB_TYPES.get(job.type)
    if job.cancel_requested_at:
        finish(job, JobState.CANCELLED)
    elif kind is None or job.attempt >= kind.attempts:
        tries = "" if job.attempt <= 1 else f" {job.attempt} times"
        finish(
            job, JobState.FAILED, code="worker_lost", error=f"The worker that ran this stopped without a word{tries}."
        )
    else:
        JobLine.objects.create(
            tenant=job.tenant,
            job=job,
            level=JobLine.Level.WARNING,
            text=f"The worker ({job.worker}) stopped without a word in attempt {job.attempt}; begun again.",
        )
        job.state = JobState.QUEUED
        job.admitted_at = None
        job.lease_until = None
        job.save(update_fields=["state", "admitted_at", "lease_until"])
