"""Sends a confirmed change once and reads back what became of it."""

from __future__ import annotations

from typing import Any

from integrations_app.jobs.accounts import write_of
from integrations_app.jobs.progress import Progress
from integrations_app.models import Job
from integrations_app.services import write_runs


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Take the job's write to its end; run again, it is never sent a second time."""
    progress.start(1, "changes")
    write = write_runs.perform(write_of(job), job=job, progress=progress)
    progress.advance()
    return {"write": write.pk.hex, "state": write.state}
