"""What an installer looks at: does each part of the console do its work, and what to do where it does not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Min
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone
from kombu import Connection as BrokerConnection
from kombu.exceptions import OperationalError

from console import crypto
from integrations_app.models import Job, JobState, Schedule, VendorAccount

# A worker beats every few seconds while it works; a queue that stood this long has nobody reading it.
QUEUE_PATIENCE = timedelta(minutes=2)
BROKER_PATIENCE_SECONDS = 2
LOW_DISK_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Check:
    """`state` is ok, partial or failing (the words of the state mark); `advice` says what to do, "" when fine."""

    name: str
    state: str
    finding: str
    advice: str = ""


@dataclass(frozen=True)
class QueueFigures:
    queue: str
    queued: int
    waiting: int
    running: int
    oldest_seconds: float | None


def run_checks() -> list[Check]:
    """Ask every part; none of the questions takes longer than a few seconds, whatever is broken."""
    checks: list[Callable[[], Check]] = [_database, _key_file, _broker, _workers, _schedules, _vendor_accounts, _disk]
    return [check() for check in checks]


def _database() -> Check:
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return Check("Database", "failing", "does not answer", "See the log of the web process.")
    if pending:
        finding = f"{len(pending)} of its migrations {'is' if len(pending) == 1 else 'are'} not applied"
        return Check("Database", "failing", finding, "Run `manage.py migrate`.")
    return Check("Database", "ok", f"{connection.display_name}, migrated")


def _key_file() -> Check:
    try:
        crypto.current_key_name()
    except crypto.KeyFileError as error:
        advice = "Put the key file back from its backup: nothing opens without it."
        return Check("Key file", "failing", str(error), advice)
    return Check("Key file", "ok", "readable; keep a copy of it outside this machine")


def _broker() -> Check:
    try:
        with BrokerConnection(settings.BROKER_URL, connect_timeout=BROKER_PATIENCE_SECONDS) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_PATIENCE_SECONDS)
    except (OperationalError, OSError):
        advice = "Jobs wait safely in the database until it is back; nothing is lost."
        return Check("Broker", "failing", "does not answer", advice)
    return Check("Broker", "ok", "answers")


def _workers() -> Check:
    now = timezone.now()
    # One that waited for a vendor is queued again from the moment it may go on.
    since = Greatest("created_at", Coalesce("not_before", "created_at"))
    oldest = Job.objects.filter(state=JobState.QUEUED).aggregate(at=Min(since))["at"]
    busy = Job.objects.running().filter(lease_until__gt=now).count()
    if oldest is not None and now - oldest > QUEUE_PATIENCE and not busy:
        advice = "Start the workers, or look at their log."
        return Check("Workers", "failing", "jobs wait and nobody takes them", advice)
    return Check("Workers", "ok", f"{busy} at work" if busy else "nothing waits for them")


def _schedules() -> Check:
    late = Schedule.objects.filter(is_paused=False, next_at__lt=timezone.now() - QUEUE_PATIENCE).count()
    if late:
        return Check("Scheduler", "failing", f"{late} schedules are overdue", "Start the scheduler (celery beat).")
    count = Schedule.objects.filter(is_paused=False).count()
    return Check("Scheduler", "ok", f"{count} schedules, none overdue")


def _vendor_accounts() -> Check:
    failing = VendorAccount.objects.in_use().filter(state=VendorAccount.State.FAILING).count()
    count = VendorAccount.objects.in_use().count()
    if failing:
        return Check("Vendor accounts", "partial", f"{failing} of {count} are failing", "Their pages say why.")
    return Check("Vendor accounts", "ok", f"{count} in use, none failing")


def _disk() -> Check:
    free = shutil.disk_usage(settings.DATA_DIR).free
    if free < LOW_DISK_BYTES:
        return Check("Disk", "partial", f"{free // 1_000_000} MB free", "Make room, or move DATA_DIR.")
    return Check("Disk", "ok", f"{free // 1_000_000_000} GB free")


def queue_figures() -> list[QueueFigures]:
    """How much stands in each queue and how long the oldest has waited."""
    now = timezone.now()
    figures = []
    for queue in Job.Queue:
        jobs = Job.objects.filter(queue=queue)
        oldest = jobs.filter(state=JobState.QUEUED).aggregate(at=Min("created_at"))["at"]
        figures.append(
            QueueFigures(
                queue=queue.label,
                queued=jobs.filter(state=JobState.QUEUED).count(),
                waiting=jobs.filter(state=JobState.WAITING).count(),
                running=jobs.filter(state=JobState.RUNNING).count(),
                oldest_seconds=(now - oldest).total_seconds() if oldest else None,
            )
        )
    return figures
