"""Every job type: one entry here, one module `jobs/<name>.py` with `run(job, progress)` that the runner finds by name.

The table stands with the services because asking for a job needs a type's title, queue and permission, and services
know nothing of `jobs/`.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.access.permissions import Permission
from integrations_app.models import Job

READS = "changes nothing, only reads"


@dataclass(frozen=True)
class JobType:
    """`label` names the kind in filters, `title` one job of it ({target} is put in).

    `permission` is checked when the job is asked for and again when it runs. `attempts` bounds tries after a failure
    that a later try may mend; `is_exclusive` jobs never run twice at once for one vendor account. `limit_seconds` ends
    a run that hangs. `can_retry_failed`: its `run` understands `params["only"]`, the subjects to do again.
    `no_retry`: why a person cannot have it done again as it was, "" where they can. A schedule of an `is_nightly`
    type asks for it in the tenant's night. `effect` says on the job's page what it does at the vendor.
    """

    name: str
    label: str
    title: str
    queue: Job.Queue
    permission: Permission
    attempts: int = 3
    is_exclusive: bool = False
    limit_seconds: int = 300
    can_retry_failed: bool = False
    no_retry: str = ""
    is_nightly: bool = False
    effect: str = READS


_SHORT = Job.Queue.INTERACTIVE
# Each try goes on where the last one ended, so a batch is worth many.
_OF_A_BATCH = 20
_ON_THE_CHANGE = "A change is never simply sent again: its own page says what became of it, and what can be done."

JOB_TYPES: dict[str, JobType] = {
    job_type.name: job_type
    for job_type in (
        JobType(
            "sync_account",
            "Sync",
            "Sync {target}",
            Job.Queue.BULK,
            Permission.INTEGRATION_SYNC,
            is_exclusive=True,
            limit_seconds=3600,
        ),
        JobType("refresh_integration", "Refresh", "Refresh {target}", _SHORT, Permission.INTEGRATION_SYNC),
        JobType("read_listing", "Listing", "Read what belongs to {target}", _SHORT, Permission.INTEGRATION_SYNC),
        JobType("take_snapshot", "Snapshot", "Snapshot of {target}", _SHORT, Permission.SNAPSHOT_CREATE),
        JobType("fetch_archive", "Template archive", "Archive of {target}", _SHORT, Permission.ARCHIVE_INSPECT),
        JobType("test_account", "Test", "Test {target}", _SHORT, Permission.VENDOR_ACCOUNT_TEST, attempts=1),
        JobType(
            "ping_connection",
            "Ping",
            "Ping a connection of {target}",
            _SHORT,
            Permission.VENDOR_ACCOUNT_TEST,
            attempts=1,
        ),
        JobType(
            "change_secret",
            "New secret",
            "New secret for {target}",
            _SHORT,
            Permission.CREDENTIAL_MANAGE,
            attempts=1,
            no_retry="The secret was erased when its test ended: replace it again on the vendor account's page.",
        ),
        JobType(
            "prepare_write",
            "Check of a change",
            "Check a change of {target}",
            _SHORT,
            Permission.INTEGRATION_SYNC,
            no_retry=_ON_THE_CHANGE,
        ),
        # What a write may do is asked of its operation too, with the rights of whoever confirmed it.
        JobType(
            "perform_write",
            "Change",
            "Change {target}",
            _SHORT,
            Permission.INTEGRATION_SYNC,
            limit_seconds=900,
            no_retry=_ON_THE_CHANGE,
            effect="changes what the vendor holds, once",
        ),
        JobType(
            "prepare_batch",
            "Dry run",
            "Dry run: {target}",
            Job.Queue.BULK,
            Permission.INTEGRATION_SYNC,
            attempts=_OF_A_BATCH,
            limit_seconds=3600,
            no_retry=_ON_THE_CHANGE,
        ),
        JobType(
            "perform_batch",
            "Changes of a selection",
            "Changes: {target}",
            Job.Queue.BULK,
            Permission.INTEGRATION_SYNC,
            attempts=_OF_A_BATCH,
            limit_seconds=3600,
            no_retry=_ON_THE_CHANGE,
            effect="changes what the vendor holds, each thing once",
        ),
        JobType(
            "take_revisions",
            "Revisions",
            "Revisions of everything in {target}",
            Job.Queue.BULK,
            Permission.REVISION_CREATE,
            is_exclusive=True,
            is_nightly=True,
            effect="has the vendor keep copies; the integrations stay as they are",
        ),
        JobType(
            "search_vendor", "Live search", "Search at {target}", _SHORT, Permission.INTEGRATION_SEARCH, attempts=1
        ),
    )
}
