"""Keeps a copy of an integration as it is at the vendor now."""

from __future__ import annotations

from typing import Any

from integrations_app.jobs.accounts import integration_of
from integrations_app.jobs.progress import Progress
from integrations_app.models import Job
from integrations_app.services import snapshots


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Take a snapshot with the job's note; run again, it finds the one it took."""
    progress.start(1, "snapshots")
    note = str(job.params.get("note", ""))
    snapshot = snapshots.take(integration_of(job), by=job.requested_by, note=note, job=job, hold=progress.hold)
    progress.advance()
    return {"snapshot": str(snapshot.pk)}
