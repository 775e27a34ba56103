"""Reads one kind of thing that belongs to an integration, or to an account, from its vendor."""

from __future__ import annotations

from typing import Any

from integrations_app.jobs.accounts import account_of, integration_of
from integrations_app.jobs.progress import JobFailedError, Progress
from integrations_app.models import Job
from integrations_app.services import listings


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Read the listing the job names; the result says how many there are and whether that is all of them."""
    integration = integration_of(job) if job.target_type == "integration" else None
    account = account_of(job)
    slug, scope = str(job.params.get("kind", "")), str(job.params.get("scope", ""))
    try:
        kind = listings.kind_of(account.vendor, slug)
    except KeyError as error:
        raise JobFailedError("The vendor lists no such thing.", code="unknown_kind") from error
    progress.start(None, kind.label.lower())
    listing = listings.read(account, integration, slug, scope, hold=progress.hold)
    progress.advance(listing.count)
    progress.say(_words(listing.count, listing.bad_count, listing.is_whole), subject=kind.label)
    return {"kind": slug, "count": listing.count, "bad": listing.bad_count, "is_whole": listing.is_whole}


def _words(count: int, bad: int, is_whole: bool) -> str:
    unread = f", {bad:,} could not be read" if bad else ""
    return f"{count:,} read{unread}{'' if is_whole else ', there are more'}."
