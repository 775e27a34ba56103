"""Runs a job: claims its row, keeps the lease, calls `integrations_app.jobs.<type>.run`, and writes how it ended.

The message that brought us here proves nothing: it may be late, doubled or forged. The claim is one UPDATE that only
one worker can win, and every write after it names the fencing number that the claim gave.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import secrets
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from console.access import policy
from integrations_app.jobs.lease import Lease
from integrations_app.jobs.progress import (
    JobCancelledError,
    JobFailedError,
    JobLostError,
    JobStoppedError,
    JobTimeLimitError,
    Progress,
)
from integrations_app.models import Job, JobState
from integrations_app.services import jobs
from integrations_app.services.errors import InvalidError, WaitError
from integrations_app.services.job_admission import LIMIT_GRACE_SECONDS
from integrations_app.services.job_types import JOB_TYPES, JobType
from integrations_app.vendors.errors import (
    VendorError,
    VendorOutcomeUnknownError,
    VendorPausedError,
    VendorRateLimitError,
    VendorUnavailableError,
)

log = structlog.get_logger(__name__)

Work = Callable[[Job, Progress], dict[str, Any] | None]

# Tries after a failure that a later try may mend: about 10 s, 20 s, 40 s ... later, five minutes at most.
_BACKOFF_SECONDS = 10.0
_MAX_BACKOFF_SECONDS = 300.0
_dice = secrets.SystemRandom()
# A job that was told to wait again and again is given up after this long.
MAX_WAIT = timedelta(days=2)


@dataclass(frozen=True)
class Outcome:
    """How a run ended. With `wait_seconds` the job is not over; the attempt counts only if `is_attempt_used`."""

    state: JobState
    code: str = ""
    sentence: str = ""
    result: dict[str, Any] | None = None
    wait_seconds: float = 0.0
    is_attempt_used: bool = True


def run(job_id: str) -> None:
    """Run the job with this id, if it is there, admitted and nobody has it; otherwise do nothing.

    Never raises for what a job does; raises what the database raises while a job is claimed or settled, and then the
    lease runs out and the sweep sees to the job.
    """
    job = _claim(job_id)
    if job is None:
        return
    kind = JOB_TYPES.get(job.type)
    limit = kind.limit_seconds if kind else 0
    with structlog.contextvars.bound_contextvars(job=str(job.pk), job_type=job.type, attempt=job.attempt):
        try:
            with Lease(job, limit_seconds=limit + LIMIT_GRACE_SECONDS) as lease:
                progress = Progress(job, lease, limit_seconds=limit)
                _settle(job, progress, _outcome(job, kind, progress), fence=lease.fence)
        except JobLostError:
            log.warning("job_lost")


def _claim(job_id: str) -> Job | None:
    """Make the job ours: the row with its new fencing number, or None when it is not there to be had."""
    try:
        wanted = uuid.UUID(job_id)
    except (ValueError, AttributeError, TypeError):
        log.warning("job_id_malformed")
        return None
    now = timezone.now()
    with transaction.atomic():
        claimed = Job.objects.filter(
            pk=wanted, state=JobState.QUEUED, admitted_at__isnull=False, cancel_requested_at=None
        ).update(
            state=JobState.RUNNING,
            fence=F("fence") + 1,
            attempt=F("attempt") + 1,
            lease_until=now + timedelta(seconds=settings.JOBS_LEASE_SECONDS),
            heartbeat_at=now,
            started_at=Coalesce(F("started_at"), now),
            worker=f"{socket.gethostname()}:{os.getpid()}"[:120],
            waiting_for="",
            units_done=0,
            units_failed=0,
            units_total=None,
        )
        # Read in the same transaction: nobody else can have changed the row since.
        jobs_with_all = Job.objects.select_related("tenant", "vendor_account", "requested_by")
        return jobs_with_all.get(pk=wanted) if claimed else None


def _outcome(job: Job, kind: JobType | None, progress: Progress) -> Outcome:
    try:
        if kind is None:
            raise JobFailedError("This kind of job is not known to the worker.", code="unknown_type")
        _check_may_run(job, kind)
        result = _work_of(kind)(job, progress) or {}
        json.dumps(result)
    except JobLostError:
        raise
    except Exception as error:
        return _explain(error, job, kind)
    return Outcome(JobState.PARTIAL if progress.units_failed else JobState.SUCCEEDED, result=result)


def _check_may_run(job: Job, kind: JobType) -> None:
    """The rights of the person who asked, as they are now; and the vendor account must still be in use."""
    if job.vendor_account is not None and job.vendor_account.is_removed:
        raise JobFailedError("The vendor account was removed.", code="account_removed")
    if job.is_by_console:
        return
    if job.requested_by is None:
        raise JobFailedError(
            f"{job.requested_by_label} asked for this and has no account any more.", code="not_allowed"
        )
    if not policy.may(job.requested_by, kind.permission, job.tenant):
        raise JobFailedError(
            f"{job.requested_by} may no longer {kind.permission.label} at {job.tenant.name}."[:500], code="not_allowed"
        )


def _work_of(kind: JobType) -> Work:
    work: Work = importlib.import_module(f"integrations_app.jobs.{kind.name}").run
    return work


def _explain(error: Exception, job: Job, kind: JobType | None) -> Outcome:
    """What an error of a job's code means for the job."""
    match error:
        case JobCancelledError():
            return Outcome(JobState.CANCELLED)
        case JobStoppedError():
            return Outcome(JobState.QUEUED, is_attempt_used=False)
        case WaitError():
            return _wait(job, error.seconds, error.reason)
        case JobFailedError():
            return Outcome(JobState.FAILED, error.code, error.sentence)
        case InvalidError():
            return Outcome(JobState.FAILED, "invalid", str(error))
        case VendorError():
            return _explain_vendor(error, job, kind)
        case JobTimeLimitError() | SoftTimeLimitExceeded():
            return _explain_limit(error, kind)
        case OperationalError():
            log.warning("job_database_failed", exc_info=error)
            return _try_again(job, kind, "database", "The console's database did not answer in time.")
    reference = secrets.token_hex(4)
    log.error("job_failed", reference=reference, exc_info=error)
    return Outcome(JobState.FAILED, "internal", f"Internal error, reference {reference}.")


def _explain_vendor(error: VendorError, job: Job, kind: JobType | None) -> Outcome:
    match error:
        case VendorRateLimitError() | VendorPausedError():
            return _wait(job, error.retry_after_seconds, error.message)
        case VendorOutcomeUnknownError():
            return Outcome(JobState.UNKNOWN, _code(error), error.message)
        case VendorUnavailableError():
            return _try_again(job, kind, _code(error), error.message)
    return Outcome(JobState.FAILED, _code(error), error.message)


def _explain_limit(error: Exception, kind: JobType | None) -> Outcome:
    # Celery interrupts anywhere, perhaps between a query and its answer: that connection cannot be used again.
    if isinstance(error, SoftTimeLimitExceeded) and not connection.in_atomic_block:
        connection.close()
    limit = kind.limit_seconds if kind else 0
    return Outcome(JobState.FAILED, "time_limit", f"This took longer than the {limit} seconds it may take.")


def _code(error: VendorError) -> str:
    """VendorRateLimitError -> vendor_rate_limit."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__.removesuffix("Error")).lower()


def _wait(job: Job, seconds: float, reason: str) -> Outcome:
    if timezone.now() - job.created_at > MAX_WAIT:
        return Outcome(JobState.FAILED, "waited_too_long", f"Given up after {MAX_WAIT.days} days of waiting: {reason}")
    return Outcome(JobState.WAITING, sentence=reason, wait_seconds=max(seconds, 1.0), is_attempt_used=False)


def _try_again(job: Job, kind: JobType | None, code: str, sentence: str) -> Outcome:
    attempts = kind.attempts if kind else 1
    if job.attempt >= attempts:
        return Outcome(JobState.FAILED, code, sentence)
    # Jitter: jobs that failed together must not all come back together.
    longest = min(_BACKOFF_SECONDS * 2 ** (job.attempt - 1), _MAX_BACKOFF_SECONDS)
    seconds = longest * _dice.uniform(0.5, 1.0)
    sentence = f"{sentence[:160]} Attempt {job.attempt + 1} of {attempts} follows."
    return Outcome(JobState.WAITING, code, sentence, wait_seconds=seconds)


def _settle(job: Job, progress: Progress, outcome: Outcome, *, fence: int) -> None:
    """Write how the run ended, with the lines and the audit row; raises JobLostError when the job is no longer ours."""
    with transaction.atomic():
        held = Job.objects.held_by(job.pk, fence).select_related("tenant").select_for_update(of=("self",)).first()
        if held is None:
            raise JobLostError
        for name, value in progress.fields().items():
            setattr(held, name, value)
        progress.write_lines()
        if outcome.state not in (JobState.QUEUED, JobState.WAITING):
            jobs.finish(held, outcome.state, code=outcome.code, error=outcome.sentence, result=outcome.result)
        elif held.cancel_requested_at:
            jobs.finish(held, JobState.CANCELLED)
        else:
            _give_back(held, outcome)
    log.info("job_ended", state=outcome.state, code=outcome.code)


def _give_back(job: Job, outcome: Outcome) -> None:
    job.state = outcome.state
    job.admitted_at = None
    job.lease_until = None
    job.waiting_for = outcome.sentence[:200]
    job.not_before = timezone.now() + timedelta(seconds=outcome.wait_seconds) if outcome.wait_seconds else None
    if not outcome.is_attempt_used:
        job.attempt -= 1
    job.save()
    # The place it leaves is somebody else's now, or its own again after a stop.
    transaction.on_commit(jobs.dispatch, robust=True)
