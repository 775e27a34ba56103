"""`manage.py doctor`: is this installation well? One line per question, exit code 1 when something needs a person."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import celery.exceptions
import kombu.exceptions
from django.conf import settings
from django.contrib.staticfiles.finders import find
from django.core.cache import cache
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from console import crypto
from console.access.models import DataKey
from console.celery import app

ENOUGH_BYTES = 1_000_000_000
BROKER_SECONDS = 5


class Finding(NamedTuple):
    """One answer: `is_well`, and a sentence that says what was found and, when it is not well, what to do."""

    is_well: bool
    sentence: str


class Command(BaseCommand):
    """Asks everything, even when an early answer is bad: the second problem is often the reason of the first."""

    help = "Check database, keys, broker, workers, files and disk, and say what to do about each problem."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        problems = 0
        for title, question in QUESTIONS:
            for finding in question():
                problems += not finding.is_well
                self.stdout.write(f"{'ok     ' if finding.is_well else 'PROBLEM'} {title}: {finding.sentence}")
        if problems:
            raise CommandError(f"{problems} {'problem' if problems == 1 else 'problems'} found.")


def check_database() -> Iterator[Finding]:
    """Reachable, and migrated to what this version of the console expects."""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        yield Finding(False, f"does not answer ({type(error).__name__}); check DATABASE_URL and the server.")
        return
    name = f"{connection.vendor}, {settings.MODE}"
    yield (
        Finding(False, f"{len(missing)} migrations are missing; run manage.py migrate.")
        if missing
        else Finding(True, f"answers and is migrated ({name}).")
    )


def check_keys() -> Iterator[Finding]:
    """The key file is there, for its owner alone, and holds every key that something was wrapped with."""
    path = Path(settings.ENCRYPTION_KEY_FILE)
    try:
        current = crypto.current_key_name()
    except crypto.KeyFileError as error:
        yield Finding(False, f"{error} Put it back from its backup; without it no stored secret opens.")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        yield Finding(False, f"{path} may be read by others ({mode:o}); run chmod 600.")
    try:
        lost = sorted(set(DataKey.objects.values_list("wrapped_with", flat=True)) - set(crypto.key_names()))
    except DatabaseError:
        yield Finding(True, f"the current key is {current}; the database could not be asked which keys are needed.")
        return
    yield (
        Finding(False, f"{path} no longer holds {', '.join(lost)}; put them back, after the current key.")
        if lost
        else Finding(True, f"every key is there; the current one is {current}.")
    )


def check_cache() -> Iterator[Finding]:
    """A value comes back from the cache."""
    try:
        cache.set("doctor", "here", 10)
        is_well = cache.get("doctor") == "here"
    except (DatabaseError, OSError) as error:
        yield Finding(
            False, f"does not work ({type(error).__name__}); run manage.py createcachetable, or check CACHE_URL."
        )
        return
    yield Finding(is_well, "works." if is_well else "forgets; check CACHE_URL.")


def check_broker() -> Iterator[Finding]:
    """The broker takes connections, and a worker for each queue answers."""
    try:
        with app.connection_for_write(connect_timeout=BROKER_SECONDS) as broker:
            broker.ensure_connection(max_retries=1, timeout=BROKER_SECONDS)
        answers = app.control.inspect(timeout=2).active_queues() or {}
    except (kombu.exceptions.OperationalError, celery.exceptions.CeleryError, OSError) as error:
        yield Finding(False, f"the broker does not answer ({type(error).__name__}); check BROKER_URL and the server.")
        return
    served = {queue["name"] for queues in answers.values() for queue in queues}
    for queue in app.conf.task_queues:
        is_served = queue.name in served
        yield Finding(is_served, f"queue {queue.name} {'has a worker.' if is_served else 'has no worker; start one.'}")


def check_files() -> Iterator[Finding]:
    """Front-end files are built and collected; the data directory has room."""
    if find("vendor/tabler.min.css") is None:
        yield Finding(False, "the front-end files are not built; run make setup.")
    elif not settings.DEBUG and not (Path(settings.STATIC_ROOT) / "staticfiles.json").is_file():
        yield Finding(False, "the static files are not collected; run manage.py collectstatic.")
    else:
        yield Finding(True, "the front-end files are there.")
    free = shutil.disk_usage(settings.DATA_DIR).free
    yield Finding(free > ENOUGH_BYTES, f"{free / 1e9:.1f} GB are free in {settings.DATA_DIR}.")


QUESTIONS: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
    ("database", check_database),
    ("keys", check_keys),
    ("cache", check_cache),
    ("jobs", check_broker),
    ("files", check_files),
)
