"""Reads one integration anew from its vendor."""

from __future__ import annotations

from typing import Any

from integrations_app.jobs.accounts import integration_of
from integrations_app.jobs.progress import Progress
from integrations_app.models import Job
from integrations_app.services import integrations


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Refresh the job's integration; the result says whether it changed, and its state."""
    progress.start(1, "integrations")
    refreshed = integrations.refresh(integration_of(job), job=job, hold=progress.hold)
    progress.advance()
    return {"change": refreshed.change, "state": refreshed.state}
