"""Asks a vendor itself, with its own filters; the mirror is not touched."""

from __future__ import annotations

from typing import Any

from integrations_app.jobs.accounts import account_of
from integrations_app.jobs.progress import Progress
from integrations_app.models import Job
from integrations_app.services import live_search


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Search with the job's filters; the result holds the hits as plain text, and where to go on."""
    account = account_of(job)
    progress.start(None, "hits")
    answer = live_search.search(
        account,
        filters=job.params.get("filters", {}),
        cursor=str(job.params.get("cursor", "")),
        by=job.requested_by,
    )
    progress.advance(len(answer["hits"]))
    return answer
