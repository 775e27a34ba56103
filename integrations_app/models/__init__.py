"""What the product keeps, one noun per file. Only `services/` (and `jobs/`, for a job's progress) writes these."""

from integrations_app.models.archive import ArchiveEntry, TemplateArchive
from integrations_app.models.credential import Credential, CredentialSecret, SecretChange
from integrations_app.models.integration import (
    Integration,
    IntegrationAlias,
    IntegrationDocument,
    IntegrationPart,
    QuarantinedItem,
)
from integrations_app.models.job import Job, JobLine, JobState
from integrations_app.models.listing import Listing
from integrations_app.models.revision_policy import RevisionPolicy
from integrations_app.models.schedule import Schedule
from integrations_app.models.snapshot import Snapshot
from integrations_app.models.sync_run import SyncRun
from integrations_app.models.vendor_account import VendorAccount, VendorGate
from integrations_app.models.vendor_write import VendorWrite, WriteBatch, WriteState

__all__ = [
    "ArchiveEntry",
    "Credential",
    "CredentialSecret",
    "Integration",
    "IntegrationAlias",
    "IntegrationDocument",
    "IntegrationPart",
    "Job",
    "JobLine",
    "JobState",
    "Listing",
    "QuarantinedItem",
    "RevisionPolicy",
    "Schedule",
    "SecretChange",
    "Snapshot",
    "SyncRun",
    "TemplateArchive",
    "VendorAccount",
    "VendorGate",
    "VendorWrite",
    "WriteBatch",
    "WriteState",
]
