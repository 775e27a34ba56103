"""Asks a vendor what the secret of an account is good for."""

from __future__ import annotations

from typing import Any

from integrations_app.jobs.accounts import account_of
from integrations_app.jobs.progress import JobFailedError, Progress
from integrations_app.models import Job, VendorAccount
from integrations_app.services import vendor_accounts

# pytest takes modules of this name for tests.
__test__ = False


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Test the account; the result holds its state and the answers. A secret the vendor refuses fails the job."""
    account = account_of(job)
    progress.start(None, "questions")
    report = vendor_accounts.test(account, by=job.requested_by)
    for probe in report.probes:
        progress.say(
            f"{probe.answer}: {probe.consequence}", level="info" if probe.ok else "warning", subject=probe.name
        )
    progress.advance(len(report.probes))
    if account.state == VendorAccount.State.FAILING:
        raise JobFailedError(f"The vendor refuses: {account.state_reason}.", code="account_failing")
    return {"state": account.state, "probes": account.test_report, "identity": account.identity}
