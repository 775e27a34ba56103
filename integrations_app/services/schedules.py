"""Schedules: ask for a vendor account's job again and again, spread so that accounts do not all begin together."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from console.access import policy
from console.access.models import User
from console.access.permissions import Permission
from console.audit.events import Event
from console.audit.services import record
from integrations_app.models import Schedule, VendorAccount
from integrations_app.services import jobs
from integrations_app.services.errors import InvalidError, StaleError
from integrations_app.services.job_types import JOB_TYPES

log = structlog.get_logger(__name__)

SYNC = "sync_account"
MIN_SECONDS = 300
MAX_SECONDS = 31 * 24 * 3600
# What one look asks for; the rest is the next one's, seconds later.
DUE_ROWS = 200
NIGHT_BEGINS, NIGHT_ENDS = timedelta(hours=1), timedelta(hours=5)

_STALE = "Somebody else changed this schedule meanwhile. Nothing was saved: look at it again."


def find(account: VendorAccount, job_type: str = SYNC) -> Schedule | None:
    """The account's schedule of a job type, None when there never was one."""
    return Schedule.objects.for_tenant(account.tenant).filter(vendor_account=account, job_type=job_type).first()


def set_schedule(
    *,
    account: VendorAccount,
    every_seconds: int,
    by: User | None,
    is_paused: bool = False,
    version: int | None = None,
    job_type: str = SYNC,
) -> Schedule:
    """Have a job of `job_type` asked for `account` every `every_seconds` (MIN_SECONDS to MAX_SECONDS), or keep that but
    pause it.

    `version` is the schedule's as the form showed it, None where there was none or nobody looked. Raises StaleError
    when it has changed since, PermissionDenied, and InvalidError for a span out of bounds or a removed account.
    """
    if by is not None:
        policy.require(by, Permission.VENDOR_ACCOUNT_MANAGE, account.tenant)
    if not MIN_SECONDS <= every_seconds <= MAX_SECONDS:
        raise InvalidError({"every_seconds": f"Choose between {MIN_SECONDS // 60} minutes and 31 days."})
    if account.is_removed:
        raise InvalidError({"": "A removed vendor account has no schedule."})
    try:
        with transaction.atomic():
            schedule = _find_or_new(account, job_type, version)
            schedule.every_seconds = every_seconds
            schedule.jitter_seconds = every_seconds
            schedule.is_paused = is_paused
            schedule.next_at = _following(account, job_type, every_seconds, timezone.now())
            schedule.save()
            record(
                Event.SCHEDULE_CHANGED,
                tenant=account.tenant,
                by=by,
                target=account,
                detail={
                    "schedule": f"{JOB_TYPES[job_type].label.lower()} {describe(schedule)}",
                    "every_seconds": every_seconds,
                    "is_paused": is_paused,
                },
            )
    except IntegrityError as error:
        # Two people set an account's first schedule at once.
        raise StaleError(_STALE) from error
    return schedule


def _find_or_new(account: VendorAccount, job_type: str, version: int | None) -> Schedule:
    found = Schedule.objects.select_for_update().filter(vendor_account=account, job_type=job_type).first()
    if found is None:
        return Schedule(tenant=account.tenant, vendor_account=account, job_type=job_type)
    if version is not None and version != found.version:
        raise StaleError(_STALE)
    found.version += 1
    return found


def describe(schedule: Schedule) -> str:
    """The schedule in words: "every 15 minutes", "every day, paused", "every night"."""
    if JOB_TYPES[schedule.job_type].is_nightly:
        return "every night, paused" if schedule.is_paused else "every night"
    for seconds, unit in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if schedule.every_seconds % seconds == 0:
            count = schedule.every_seconds // seconds
            span = f"every {unit}" if count == 1 else f"every {count} {unit}s"
            return f"{span}, paused" if schedule.is_paused else span
    raise AssertionError("unreachable")


def _following(account: VendorAccount, job_type: str, every_seconds: int, after: datetime) -> datetime:
    if JOB_TYPES[job_type].is_nightly:
        return next_night(account.pk, account.tenant.time_zone, after=after)
    return next_run(account.pk, every_seconds, after=after)


def next_night(account_id: uuid.UUID, time_zone: str, *, after: datetime) -> datetime:
    """This account's moment in the next night of a time zone: between one and five o'clock there, the accounts spread
    over these hours.
    """
    zone = ZoneInfo(time_zone)
    into_the_night = NIGHT_BEGINS + (NIGHT_ENDS - NIGHT_BEGINS) * _share(account_id)
    today = after.astimezone(zone).date()
    nights = (datetime.combine(today + timedelta(days=days), time(), zone) + into_the_night for days in range(3))
    return next(moment for moment in nights if moment > after).astimezone(UTC)


def next_run(account_id: uuid.UUID, every_seconds: int, *, after: datetime) -> datetime:
    """The first of this account's moments later than `after`.

    Moments lie `every_seconds` apart on a grid of the account's own, moved by a share of the span that its id gives:
    the accounts spread over the whole span, one account keeps its rhythm through restarts, and a console that was down
    for a day asks once per account, not once per missed moment.
    """
    offset = int(_share(account_id) * every_seconds)
    passed = int((after.timestamp() - offset) // every_seconds)
    return datetime.fromtimestamp((passed + 1) * every_seconds + offset, UTC)


def _share(account_id: uuid.UUID) -> float:
    """Where in a span the account stands, from 0 to 1, always the same."""
    return int.from_bytes(hashlib.sha256(account_id.bytes).digest()[:8]) / 2**64


def enqueue_due() -> int:
    """Ask for the job of every schedule that is due; returns how many new jobs were asked for.

    Runs every few seconds; any number at once do no harm: one of them moves `next_at` on, the others find it moved.
    While a job of the schedule is open no second one is made.
    """
    now = timezone.now()
    due = Schedule.objects.filter(is_paused=False, next_at__lte=now, vendor_account__removed_at=None)
    asked = 0
    for schedule in due.select_related("tenant", "vendor_account__tenant").order_by("next_at")[:DUE_ROWS]:
        try:
            asked += _ask(schedule, now)
        except Exception:  # one schedule that cannot be asked for must not keep the others from theirs
            log.exception("schedule_failed", schedule=str(schedule.pk))
    if asked:
        log.info("due_jobs_requested", jobs=asked)
    return asked


def _ask(schedule: Schedule, now: datetime) -> int:
    following = _following(schedule.vendor_account, schedule.job_type, schedule.every_seconds, now)
    with transaction.atomic():
        is_mine = Schedule.objects.filter(pk=schedule.pk, next_at=schedule.next_at, is_paused=False).update(
            next_at=following, last_at=now
        )
        if not is_mine:
            return 0
        job = jobs.request(
            schedule.job_type, tenant=schedule.tenant, by=None, target=schedule.vendor_account, reason="Schedule"
        )
    return int(job.created_at >= now)
