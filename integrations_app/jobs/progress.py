"""What a job's `run(job, progress)` tells the person who watches, and how it learns that it must stop."""

from __future__ import annotations

import time
from typing import Any

from django.db import transaction
from django.utils import timezone

from integrations_app.jobs.lease import Lease
from integrations_app.jobs.stopping import is_stopping
from integrations_app.models import Job, JobLine

# At most so often does a job write its progress and look whether somebody cancelled it.
WRITE_SECONDS = 0.5
# A job's log is for reading; whatever repeats itself 100,000 times is counted, not listed.
MAX_LINES = 1000


class JobCancelledError(Exception):
    """Somebody cancelled the job; raised between two units."""


class JobLostError(Exception):
    """This worker no longer holds the job: another one may have begun it, so nothing more may be written."""


class JobStoppedError(Exception):
    """The worker is shutting down; the job goes back to the queue."""


class JobTimeLimitError(Exception):
    """The run took longer than its type allows."""


class JobFailedError(Exception):
    """The job cannot be done, for a reason a person understands: the text is shown to them. `code` is for machines."""

    def __init__(self, sentence: str, *, code: str = "failed") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code


class Progress:
    """Progress of one run of one job, in units done of units known.

    Writes are gathered and sent about twice a second, never inside a transaction of the job's own (what that rolls back
    would take the progress along) and never once the job is lost.
    """

    def __init__(self, job: Job, lease: Lease, *, limit_seconds: float) -> None:
        self._job = job
        self._lease = lease
        self._ends = time.monotonic() + limit_seconds
        self._lines: list[JobLine] = []
        self._lines_left = MAX_LINES - JobLine.objects.filter(job=job).count()
        self._is_changed = False
        self._written_at = 0.0
        self.units_done = 0
        self.units_failed = 0
        self.units_total: int | None = None
        self.unit_name = ""

    def start(self, total: int | None, unit: str) -> None:
        """Begin counting: `total` units called `unit` ("integrations"), None when nobody knows how many."""
        self.units_done = self.units_failed = 0
        self.units_total = None if total is None else max(total, 0)
        self.unit_name = _plain(unit, 40)
        self._changed()

    def advance(self, n: int = 1, failed: int = 0) -> None:
        """`n` more units are dealt with, `failed` of them in vain."""
        self.units_done += n
        self.units_failed += failed
        self._changed()

    def say(self, text: str, level: str = "info", subject: str = "") -> None:
        """Add a line to the job's log: plain words, no secret. `subject` names the item it is about.

        Lines beyond MAX_LINES are left out; the last one says so.
        """
        self._lines_left -= 1
        if self._lines_left < 0:
            return
        if self._lines_left == 0:
            text, level, subject = "More lines were left out.", JobLine.Level.WARNING, ""
        self._lines.append(
            JobLine(
                tenant_id=self._job.tenant_id,
                job_id=self._job.pk,
                at=timezone.now(),
                level=JobLine.Level(level),
                subject=_plain(subject, 300),
                text=_plain(text, 500),
            )
        )
        self._changed()

    def fail_item(self, subject: str, reason: str) -> None:
        """One unit is dealt with, in vain: counted as done and failed, with a line that says why.

        A job with failed units ends as `partial`.
        """
        self.units_done += 1
        self.units_failed += 1
        self.say(reason, level=JobLine.Level.ERROR, subject=subject)
        self._changed()

    def check(self) -> None:
        """Call between two units, outside any transaction: whether to go on.

        Raises JobCancelledError, JobLostError, JobStoppedError (the worker shuts down) or JobTimeLimitError; let them
        pass through.
        """
        if self._lease.is_lost:
            raise JobLostError
        if is_stopping():
            raise JobStoppedError
        if time.monotonic() > self._ends:
            raise JobTimeLimitError
        if self._is_due:
            self._write()
            if Job.objects.filter(pk=self._job.pk, cancel_requested_at__isnull=False).exists():
                raise JobCancelledError

    def hold(self) -> None:
        """Call inside a transaction that writes what the job is about: it commits only while this worker holds the job.

        The job's row stays locked until the transaction ends, so nobody can take the job over in between; keep it
        short. Raises JobLostError.
        """
        held = Job.objects.held_by(self._job.pk, self._lease.fence).select_for_update()
        if self._lease.is_lost or held.values_list("pk").order_by().first() is None:
            self._lease.lose()
            raise JobLostError

    def fields(self) -> dict[str, Any]:
        """The counters as the job's columns; for the runner."""
        return {
            "units_done": self.units_done,
            "units_failed": self.units_failed,
            "units_total": self.units_total,
            "unit_name": self.unit_name,
        }

    def write_lines(self) -> None:
        """Store the lines gathered so far; for the runner, which holds the job in a transaction."""
        JobLine.objects.bulk_create(self._lines)
        self._lines = []

    @property
    def _is_due(self) -> bool:
        return time.monotonic() - self._written_at >= WRITE_SECONDS

    def _changed(self) -> None:
        self._is_changed = True
        if self._is_due and not transaction.get_connection().in_atomic_block:
            self._write()

    def _write(self) -> None:
        self._written_at = time.monotonic()
        with transaction.atomic():
            # The update comes first: it is what tells whether the job is still ours, and it locks the row the lines
            # need.
            if not Job.objects.held_by(self._job.pk, self._lease.fence).update(**self.fields()):
                self._lease.lose()
                raise JobLostError
            self.write_lines()
        self._is_changed = False


def _plain(text: str, limit: int) -> str:
    # PostgreSQL's text refuses NUL, and lone surrogates cannot be encoded at all.
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:limit]
