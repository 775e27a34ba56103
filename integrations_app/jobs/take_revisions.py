"""Has the vendor keep a revision of everything in an account; the batches it begins do the work, row by row."""

from __future__ import annotations

from typing import Any

from integrations_app.jobs.accounts import account_of
from integrations_app.jobs.progress import Progress
from integrations_app.models import Job
from integrations_app.services import revision_policies


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Begin the batches; run again, it finds those it began."""
    progress.start(None, "batches")
    batches = revision_policies.take_all(account_of(job), job=job)
    for batch in batches:
        progress.say(f"Begun: {batch.title}.")
        progress.advance()
    note = "" if batches else "Nothing to do: there is no integration in it, or the last night's are still under way."
    return {"batches": [batch.pk.hex for batch in batches], "note": note}
