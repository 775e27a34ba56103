"""Sends the confirmed changes of a selection, each once, and reads back what became of them."""

from __future__ import annotations

from typing import Any

from integrations_app.jobs.accounts import batch_of
from integrations_app.jobs.progress import Progress
from integrations_app.models import Job
from integrations_app.services import write_batches


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Send the batch's rows; run again, it goes on with those that are left."""
    return {"rows": write_batches.perform(batch_of(job), job=job, progress=progress)}
