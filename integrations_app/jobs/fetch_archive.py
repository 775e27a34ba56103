"""Fetches a fresh template archive of an integration and reads what is inside."""

from __future__ import annotations

from typing import Any

from integrations_app.jobs.accounts import integration_of
from integrations_app.jobs.progress import JobFailedError, Progress
from integrations_app.models import Job
from integrations_app.services import archives


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Fetch the archive of the job's integration; run again, it finds the one it fetched. A refused one fails the job,
    with the reason.
    """
    progress.start(1, "archives")
    archive = archives.fetch(
        integration_of(job), by=job.requested_by, job=job, check=progress.check, hold=progress.hold
    )
    if not archive.was_read:
        raise JobFailedError(f"The archive was refused and not kept. {archive.refusal}", code="archive_refused")
    progress.say(
        f"{archive.entry_count:,} entries, {archive.size_bytes:,} bytes, kept until {archive.expires_at:%-d %b %Y}."
    )
    if archive.secrets_count:
        progress.say(f"{archive.secrets_count:,} likely secrets in it; none is shown.", level="warning")
    progress.advance()
    return {"archive": str(archive.pk)}
