"""Mirrors the whole list of a vendor account."""

from __future__ import annotations

from typing import Any

from integrations_app.jobs.accounts import account_of
from integrations_app.jobs.progress import Progress
from integrations_app.models import Job
from integrations_app.services import sync_runs


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Sync the account; the result holds the run's counts. Run again, it reads the list again and changes nothing
    twice.
    """
    return sync_runs.sync(account_of(job), job=job, progress=progress)
