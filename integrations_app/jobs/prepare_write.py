"""Reads the vendor afresh and says what a change would do; nothing is changed."""

from __future__ import annotations

from typing import Any

from integrations_app.jobs.accounts import write_of
from integrations_app.jobs.progress import Progress
from integrations_app.models import Job
from integrations_app.services import write_runs


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Check the job's write; run again, it leaves one that was checked as it is."""
    progress.start(1, "changes")
    write = write_runs.check(write_of(job), job=job, progress=progress)
    progress.advance()
    return {"write": write.pk.hex, "state": write.state}
