"""What an installer looks at: does each part of the console do its work, and what to do where it does not.

The health page and `manage.py doctor` ask the same questions; only doctor also asks the workers by name, which takes
seconds when one is missing.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from celery import current_app
from celery.exceptions import CeleryError
from django.conf import settings
from django.contrib.staticfiles.finders import find
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Min
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone
from kombu import Connection as BrokerConnection
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from console import crypto
from console.access.models import DataKey
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

    @property
    def is_well(self) -> bool:
        return self.state == "ok"


@dataclass(frozen=True)
class QueueFigures:
    queue: str
    queued: int
    waiting: int
    running: int
    oldest_seconds: float | None


def run_checks(*, ask_workers: bool = False) -> list[Check]:
    """Ask every part, whatever the others answer: the second problem is often the reason of the first.

    None of the questions takes longer than a few seconds. `ask_workers` has each worker say which queues it reads.
    """
    questions: list[Callable[[], Iterator[Check]]] = [_database, _keys, _cache, _broker]
    questions += [_workers, *([_asked_workers] if ask_workers else []), _scheduler, _vendor_accounts, _files, _disk]
    return [check for question in questions for check in _answers(question)]


def _answers(question: Callable[[], Iterator[Check]]) -> list[Check]:
    """The answers of one question; without a database most have none, and the first check has said so."""
    try:
        return list(question())
    except DatabaseError:
        return []


def _database() -> Iterator[Check]:
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        yield Check("Database", "failing", "does not answer", "Check DATABASE_URL and the server.")
        return
    if pending:
        finding = f"{len(pending)} of its migrations {'is' if len(pending) == 1 else 'are'} not applied"
        yield Check("Database", "failing", finding, "Run manage.py migrate.")
    else:
        yield Check("Database", "ok", f"{connection.display_name}, migrated")


def _keys() -> Iterator[Check]:
    """The key file is there, for its owner alone, and holds every key that something was wrapped with."""
    path = Path(settings.ENCRYPTION_KEY_FILE)
    try:
        names = set(crypto.key_names())
    except crypto.KeyFileError as error:
        advice = "Put the key file back from its backup: nothing stored opens without it."
        yield Check("Key file", "failing", str(error), advice)
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        yield Check("Key file", "failing", f"may be read by others ({mode:o})", f"Run chmod 600 {path}.")
    lost = sorted(set(DataKey.objects.values_list("wrapped_with", flat=True)) - names)
    if lost:
        advice = "Put them back into the file, after the current key."
        yield Check("Key file", "failing", f"no longer holds {', '.join(lost)}", advice)
    elif not mode & 0o077:
        yield Check("Key file", "ok", "holds every key; keep a copy of it outside this machine")


def _cache() -> Iterator[Check]:
    try:
        cache.set("health", "here", 10)
        is_well = cache.get("health") == "here"
    except (DatabaseError, OSError, RedisError):
        is_well = False
    if is_well:
        yield Check("Cache", "ok", "keeps what it is given")
    else:
        yield Check("Cache", "failing", "forgets", "Run manage.py createcachetable, or check CACHE_URL.")


def _broker() -> Iterator[Check]:
    try:
        with BrokerConnection(settings.BROKER_URL, connect_timeout=BROKER_PATIENCE_SECONDS) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_PATIENCE_SECONDS)
    except (OperationalError, OSError):
        advice = "Check BROKER_URL and the server. Jobs wait safely in the database meanwhile; nothing is lost."
        yield Check("Broker", "failing", "does not answer", advice)
    else:
        yield Check("Broker", "ok", "answers")


def _workers() -> Iterator[Check]:
    """From the rows alone: do jobs wait that nobody takes?"""
    now = timezone.now()
    # One that waited for a vendor is queued again from the moment it may go on.
    since = Greatest("created_at", Coalesce("not_before", "created_at"))
    oldest = Job.objects.filter(state=JobState.QUEUED).aggregate(at=Min(since))["at"]
    busy = Job.objects.running().filter(lease_until__gt=now).count()
    if oldest is not None and now - oldest > QUEUE_PATIENCE and not busy:
        advice = "Start the workers, or look at their log."
        yield Check("Workers", "failing", "jobs wait and nobody takes them", advice)
    else:
        yield Check("Workers", "ok", f"{busy} at work" if busy else "nothing waits for them")


def _asked_workers() -> Iterator[Check]:
    try:
        answers = current_app.control.inspect(timeout=2).active_queues() or {}
    except (OperationalError, CeleryError, OSError):
        answers = {}
    served = {queue["name"] for queues in answers.values() for queue in queues}
    for queue in Job.Queue:
        if queue.value in served:
            yield Check("Workers", "ok", f"the queue {queue.value} has one")
        else:
            yield Check("Workers", "failing", f"nobody reads the queue {queue.value}", "Start a worker for it.")


def _scheduler() -> Iterator[Check]:
    late = Schedule.objects.filter(is_paused=False, next_at__lt=timezone.now() - QUEUE_PATIENCE).count()
    if late:
        yield Check("Scheduler", "failing", f"{late} of its schedules overdue", "Start the scheduler (celery beat).")
        return
    count = Schedule.objects.filter(is_paused=False).count()
    yield Check("Scheduler", "ok", f"{count} {'schedule' if count == 1 else 'schedules'}, none overdue")


def _vendor_accounts() -> Iterator[Check]:
    failing = VendorAccount.objects.in_use().filter(state=VendorAccount.State.FAILING).count()
    count = VendorAccount.objects.in_use().count()
    if failing:
        yield Check("Vendor accounts", "partial", f"{failing} of {count} failing", "Their pages say why.")
    else:
        yield Check("Vendor accounts", "ok", f"{count} in use, none failing")


def _files() -> Iterator[Check]:
    if find("vendor/tabler.min.css") is None:
        yield Check("Front-end files", "failing", "are not built", "Run make setup.")
    elif not settings.DEBUG and not (Path(settings.STATIC_ROOT) / "staticfiles.json").is_file():
        yield Check("Front-end files", "failing", "are not collected", "Run manage.py collectstatic.")
    else:
        yield Check("Front-end files", "ok", "are there")


def _disk() -> Iterator[Check]:
    free = shutil.disk_usage(settings.DATA_DIR).free
    if free < LOW_DISK_BYTES:
        yield Check("Disk", "partial", f"{free // 1_000_000} MB free", "Make room, or move DATA_DIR.")
    else:
        yield Check("Disk", "ok", f"{free // 1_000_000_000} GB free")


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
