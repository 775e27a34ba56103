"""What a job is about, read when it runs: the row may have changed, or gone, since it was asked for."""

from __future__ import annotations

import uuid

from integrations_app.jobs.progress import JobFailedError
from integrations_app.models import Integration, Job, VendorAccount, VendorWrite, WriteBatch
from integrations_app.services import write_ledger


def account_of(job: Job) -> VendorAccount:
    """The job's vendor account with its credential and tenant; raises JobFailedError when it was removed."""
    rows = VendorAccount.objects.in_use().for_tenant(job.tenant).select_related("tenant", "credential")
    account = rows.filter(pk=job.vendor_account_id).first() if job.vendor_account_id else None
    if account is None:
        raise JobFailedError("The vendor account was removed.", code="account_removed")
    return account


def integration_of(job: Job) -> Integration:
    """The job's integration with its account; raises JobFailedError when it is not here any more."""
    rows = Integration.objects.for_tenant(job.tenant).select_related(
        "tenant", "vendor_account__tenant", "vendor_account__credential"
    )
    wanted = _uuid(job.target_id)
    found = rows.filter(pk=wanted).first() if wanted else None
    if found is None:
        raise JobFailedError("The integration is not in the console any more.", code="target_missing")
    return found


def write_of(job: Job) -> VendorWrite:
    """The write that the job is to take further; raises JobFailedError when it is not here any more."""
    rows = write_ledger.with_all(VendorWrite.objects.for_tenant(job.tenant))
    wanted = _uuid(str(job.params.get("write", "")))
    found = rows.filter(pk=wanted).first() if wanted else None
    if found is None:
        raise JobFailedError("The change is not in the console any more.", code="target_missing")
    return found


def batch_of(job: Job) -> WriteBatch:
    """The batch that the job is to take further; raises JobFailedError when it is not here any more."""
    wanted = _uuid(job.target_id)
    rows = WriteBatch.objects.for_tenant(job.tenant).select_related("tenant", "requested_by")
    found = rows.filter(pk=wanted).first() if wanted else None
    if found is None:
        raise JobFailedError("The changes are not in the console any more.", code="target_missing")
    return found


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
