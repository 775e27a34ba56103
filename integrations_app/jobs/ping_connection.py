"""Has a vendor try one connection of an integration."""

from __future__ import annotations

from typing import Any

from integrations_app.jobs.accounts import account_of, integration_of
from integrations_app.jobs.progress import Progress
from integrations_app.models import Job
from integrations_app.services import pings


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Ping the job's connection; the result says whether it works, in words too."""
    integration = integration_of(job)
    account_of(job)  # says so when it was removed meanwhile
    progress.start(1, "connections")
    answer = pings.ping(integration, str(job.params.get("connection", "")))
    progress.advance()
    progress.say(answer["note"], level="info" if answer["ok"] else "warning")
    return answer
