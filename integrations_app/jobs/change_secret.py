"""Tests a new secret and puts it in place when it works."""

from __future__ import annotations

import uuid
from typing import Any

from integrations_app.jobs.accounts import account_of
from integrations_app.jobs.progress import JobFailedError, Progress
from integrations_app.models import Job, SecretChange
from integrations_app.services import secret_changes


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Decide the job's secret change; a refused one fails the job with the reason. Run again, it tells what was
    decided.
    """
    account = account_of(job)
    progress.start(1, "secrets")
    try:
        change = secret_changes.decide(account, uuid.UUID(str(job.params.get("secret_change"))))
    except (SecretChange.DoesNotExist, ValueError) as error:
        raise JobFailedError("The new secret is not here any more.", code="target_missing") from error
    if change.outcome != SecretChange.Outcome.APPLIED:
        raise JobFailedError(change.refusal or "The new secret was given up.", code=f"secret_{change.outcome}")
    progress.advance()
    progress.say("The new secret works and is in place.")
    return {"outcome": change.outcome, "fingerprint": change.fingerprint}
