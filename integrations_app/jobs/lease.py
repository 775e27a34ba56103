"""A worker's hold on a job: renewed by a thread of its own, since a job's code may be busy for longer than a lease."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.utils import timezone

from integrations_app.models import Job

log = structlog.get_logger(__name__)

# Renewals per lease: two may fail (a busy database) before the lease runs out.
_RENEWALS = 3


class Lease:
    """Holds one claimed job while the `with` block runs.

    `is_lost` turns true for good when another worker or the sweep took the job, the job is gone, or the lease ran out
    unrenewed. After `limit_seconds` the lease is renewed no more: a run that hangs loses its job to the sweep even
    where Celery cannot interrupt it.
    """

    def __init__(self, job: Job, *, limit_seconds: float) -> None:
        self.job_id = job.pk
        self.fence = job.fence
        self._seconds: float = settings.JOBS_LEASE_SECONDS
        self._ends = time.monotonic() + limit_seconds
        self._valid_until = time.monotonic() + self._seconds
        self._is_lost = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease of {job.pk}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    @property
    def is_lost(self) -> bool:
        return self._is_lost or time.monotonic() > self._valid_until

    def lose(self) -> None:
        """The database said that somebody else holds the job."""
        self._is_lost = True
        self._done.set()

    def renew(self) -> None:
        """Extend the lease, if it is still ours."""
        begun, now = time.monotonic(), timezone.now()
        held = Job.objects.held_by(self.job_id, self.fence)
        if held.update(lease_until=now + timedelta(seconds=self._seconds), heartbeat_at=now):
            self._valid_until = begun + self._seconds
        else:
            self.lose()

    def _keep(self) -> None:
        try:
            while not self._done.wait(self._seconds / _RENEWALS) and time.monotonic() < self._ends:
                try:
                    self.renew()
                except DatabaseError as error:
                    # The database may be back before the lease runs out; a broken connection must not be used again.
                    log.warning("lease_not_renewed", job=str(self.job_id), error=str(error))
                    connection.close()
        finally:
            # Connections belong to their thread: this one's would stay open for as long as the worker lives.
            connections.close_all()
