"""Template archives: fetched from the vendor, kept sealed, looked at without secrets, compared, downloaded, let go.

`archive_files.py` has the file, `archive_reader.py` reads a hostile zip, `archive_entries.py` makes what a page shows.
"""

from __future__ import annotations

import functools
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.text import slugify

from console.access import policy
from console.access.models import User
from console.access.permissions import Permission
from console.access.vault import TenantVault
from console.audit.events import Event
from console.audit.services import record
from integrations_app.models import ArchiveEntry, Integration, Job, TemplateArchive
from integrations_app.services import account_health, archive_files, jobs, vendor_accounts
from integrations_app.services.archive_entries import EntryMaker, shown_path
from integrations_app.services.archive_files import ArchiveFileError, ArchiveTooLargeError, SealedFile, StoredFile
from integrations_app.services.archive_reader import ArchiveRefusedError, read_archive
from integrations_app.services.documents import plain
from integrations_app.services.errors import InvalidError
from integrations_app.vendors import registry
from integrations_app.vendors.capabilities import SupportsArchive
from integrations_app.vendors.errors import VendorError, VendorForbiddenError

__all__ = [
    "Download",
    "are_offered",
    "entries_of",
    "expire",
    "fetch",
    "history",
    "open_download",
    "open_job",
    "request",
    "tidy",
    "why_not",
]

log = structlog.get_logger(__name__)

# The vendor's client stops a little later than we do: what is too large is then refused here, and its row says so.
_GRACE_BYTES = 1024 * 1024
_SIGNINGS = 2
# Rows are written in lots, so that SQLite's one writer is not held long and a statement stays short.
_LOT = 200
# What one tidying lets go; the rest is the next one's.
TIDY_ROWS = 500


# --- asking ------------------------------------------------------------------------------------------------------


def are_offered(vendor: str) -> bool:
    """Whether the vendor makes template archives."""
    return registry.supports(vendor, SupportsArchive)


def why_not(integration: Integration) -> str:
    """Why an archive cannot be fetched now, for a person; "" when it can."""
    if not are_offered(integration.vendor):
        return f"{registry.label(integration.vendor)} makes no template archives."
    if integration.gone_at is not None:
        return "The vendor has this integration no more."
    return "The vendor account was removed." if integration.vendor_account.is_removed else ""


def request(integration: Integration, *, by: User) -> Job:
    """Ask for a fresh archive; while one is being fetched, that job. Raises InvalidError, PermissionDenied."""
    if reason := why_not(integration):
        raise InvalidError({"": reason})
    return jobs.request(
        "fetch_archive",
        tenant=integration.tenant,
        by=by,
        target=integration,
        vendor_account=integration.vendor_account,
        key=_job_key(integration),
    )


def open_job(integration: Integration) -> Job | None:
    """The fetching that is under way, if there is one."""
    return Job.objects.for_tenant(integration.tenant).open().filter(key=_job_key(integration)).first()


def _job_key(integration: Integration) -> str:
    return f"fetch_archive:{integration.pk}"


def history(integration: Integration) -> QuerySet[TemplateArchive]:
    """The archives of an integration, newest first."""
    kept = TemplateArchive.objects.for_tenant(integration.tenant).filter(integration=integration)
    return kept.select_related("taken_by", "job", "integration__tenant")


# --- fetching, in the worker -------------------------------------------------------------------------------------


def fetch(
    integration: Integration,
    *,
    by: User | None,
    job: Job | None = None,
    check: Callable[[], None] = lambda: None,
    hold: Callable[[], None] = lambda: None,
) -> TemplateArchive:
    """Fetch the integration's archive by a fresh address, keep it sealed, and read what is inside.

    A hostile, damaged or too large one comes back refused, with the reason and without a file. A job run again finds
    the archive it made. `check` is called between two pieces, `hold` in the transaction that writes. Raises
    VendorError. Workers only.
    """
    if job is not None and (made := history(integration).filter(job=job).first()) is not None:
        return made
    archive = TemplateArchive(tenant=integration.tenant, integration=integration, taken_by=by, job=job)
    try:
        entries = _fetched(archive, check)
        _write(archive, entries, hold)
    except BaseException:
        # No row names it: a lost job, a stop, or a database that went away.
        archive_files.remove(archive.pk)
        raise
    if archive.state == TemplateArchive.State.REFUSED:
        archive_files.remove(archive.pk)
    return archive


def _fetched(archive: TemplateArchive, check: Callable[[], None]) -> list[ArchiveEntry]:
    """Store the archive and read it; what came out stands in `archive`, not yet in the database."""
    archive.taken_at = timezone.now()
    try:
        stored = _stored(archive, check)
        archive.size_bytes, archive.digest, archive.chunk_count = stored.size_bytes, stored.digest, stored.chunk_count
        entries = entries_of(archive, check)
    except ArchiveTooLargeError:
        limit = settings.ARCHIVE_MAX_BYTES / (1024 * 1024)
        _refuse(
            archive, ArchiveRefusedError("too_large", f"The archive is larger than the {limit:g} MiB allowed here.")
        )
        return []
    except ArchiveRefusedError as refused:
        _refuse(archive, refused)
        return []
    archive.state = TemplateArchive.State.KEPT
    archive.expires_at = archive.taken_at + timedelta(days=settings.ARCHIVE_RETENTION_DAYS)
    archive.entry_count = len(entries)
    archive.unpacked_bytes = sum(entry.size_bytes for entry in entries)
    archive.secrets_count = sum(entry.secrets_count for entry in entries)
    return entries


def _stored(archive: TemplateArchive, check: Callable[[], None]) -> StoredFile:
    """Have the vendor sign an address and store what is there, without the account's secret."""
    integration = archive.integration
    account, limit = integration.vendor_account, settings.ARCHIVE_MAX_BYTES
    try:
        client = cast(SupportsArchive, vendor_accounts.connect(account, needs=SupportsArchive))
        for signings_left in reversed(range(_SIGNINGS)):
            signed = client.sign_archive(integration.remote_id)
            archive.remote_name = plain(signed.name, 200)
            try:
                pieces = client.fetch_archive(signed, limit_bytes=limit + _GRACE_BYTES)
                return archive_files.store(archive.tenant_id, archive.pk, _checked(pieces, check), limit_bytes=limit)
            except VendorForbiddenError:
                # The address expired on the way, or this console's clock is wrong: a fresh one, once.
                if not signings_left:
                    raise
    except VendorError as error:
        account_health.note_failure(account, error, is_about_one=True)
        raise
    raise AssertionError("unreachable")


def _checked(pieces: Iterator[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    for piece in pieces:
        check()
        yield piece


def entries_of(archive: TemplateArchive, check: Callable[[], None] = lambda: None) -> list[ArchiveEntry]:
    """What is inside a stored archive, as rows that are not written yet; raises ArchiveRefusedError. Workers only."""
    maker = EntryMaker(archive)
    entries = []
    for found, content in read_archive(_file_of(archive)):
        check()
        entries.append(maker.entry(found, content))
    return sorted(entries, key=lambda entry: entry.number)


def _file_of(archive: TemplateArchive) -> SealedFile:
    stored = StoredFile(archive.size_bytes, bytes(archive.digest or b""), archive.chunk_count)
    return SealedFile(archive.tenant_id, archive.pk, stored)


def _refuse(archive: TemplateArchive, refused: ArchiveRefusedError) -> None:
    path = shown_path(refused.entry, TenantVault(archive.tenant_id).fingerprint)
    where = f" It is “{path}”." if path else ""
    archive.state = TemplateArchive.State.REFUSED
    archive.refusal_code = refused.code
    archive.refusal = plain(refused.sentence + where, 300)


def _write(archive: TemplateArchive, entries: list[ArchiveEntry], hold: Callable[[], None]) -> None:
    is_kept = archive.state == TemplateArchive.State.KEPT
    detail = {"archive": archive.pk.hex, "size": archive.size_bytes, "sha256": archive.sha256}
    detail |= {"entries": archive.entry_count} if is_kept else {"why": archive.refusal}
    with transaction.atomic():
        hold()
        archive.save(force_insert=True)
        ArchiveEntry.objects.bulk_create(entries, batch_size=_LOT)
        record(
            Event.ARCHIVE_FETCHED if is_kept else Event.ARCHIVE_REFUSED,
            by=archive.taken_by,
            tenant=archive.tenant,
            target=archive.integration,
            detail=detail,
        )
    log.info("archive_fetched", state=archive.state, code=archive.refusal_code, size_bytes=archive.size_bytes)


# --- downloading -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Download:
    """An archive on its way to a browser: its name in full, its name in plain ASCII, its size, its bytes."""

    name: str
    ascii_name: str
    size_bytes: int
    chunks: Iterator[bytes] = field(repr=False)


def open_download(archive: TemplateArchive, *, by: User) -> Download:
    """Open a kept archive for somebody to take along; the audit row is written before the first byte.

    Raises PermissionDenied, InvalidError when the file is not kept, not here, or not what was stored.
    """
    policy.require(by, Permission.ARCHIVE_DOWNLOAD, archive.tenant)
    with transaction.atomic():
        current = TemplateArchive.objects.for_tenant(archive.tenant).select_for_update().get(pk=archive.pk)
        if not current.is_kept:
            raise InvalidError({"": "The file of this archive is not kept any more."})
        file = _file_of(current)
        try:
            file.check()
            chunks = file.chunks()
            first = next(chunks)
        except ArchiveFileError as error:
            raise InvalidError({"": str(error)}) from error
        detail = {"archive": current.pk.hex, "size": current.size_bytes, "sha256": current.sha256}
        record(Event.ARCHIVE_DOWNLOADED, by=by, tenant=archive.tenant, target=archive.integration, detail=detail)
    name = file_name(archive)
    plain_name = slugify(archive.integration.name)[:80].strip("-_") or "archive"
    return Download(name, f"{plain_name}-{archive.taken_at:%Y-%m-%d}.zip", archive.size_bytes, _after(first, chunks))


def file_name(archive: TemplateArchive) -> str:
    """What the downloaded file is called: the integration's name without anything a file system or a header minds."""
    kept = [
        one if one.isalnum() or one in "-_ ()" else " "
        for one in unicodedata.normalize("NFC", archive.integration.name)
    ]
    name = " ".join("".join(kept).split())[:80].strip(" -") or "archive"
    return f"{name} {archive.taken_at:%Y-%m-%d}.zip"


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


# --- letting go --------------------------------------------------------------------------------------------------


def tidy() -> int:
    """Let go what is past its time, and files that no row names; returns how many. Any number at once do no harm."""
    due = TemplateArchive.objects.filter(state=TemplateArchive.State.KEPT, expires_at__lte=timezone.now())
    count = sum(expire(pk) for pk in list(due.values_list("pk", flat=True)[:TIDY_ROWS]))
    return count + _remove_orphans()


def expire(pk: uuid.UUID) -> bool:
    """Let go one archive's file and what was read from it; the list of its entries stays. False when it was gone."""
    with transaction.atomic():
        archive = (
            TemplateArchive.objects.filter(pk=pk, state=TemplateArchive.State.KEPT)
            .select_related("tenant", "integration")
            .select_for_update(of=("self",))
            .first()
        )
        if archive is None:
            return False
        archive.state = TemplateArchive.State.EXPIRED
        archive.save(update_fields=["state"])
        archive.entries.exclude(redacted=None).update(redacted=None, secret_paths=[], note="Its time is over.")
        detail = {"archive": archive.pk.hex, "size": archive.size_bytes, "sha256": archive.sha256}
        record(Event.ARCHIVE_EXPIRED, by=None, tenant=archive.tenant, target=archive.integration, detail=detail)
        # After the commit: were it undone, the row would promise a file that is gone.
        transaction.on_commit(functools.partial(archive_files.remove, archive.pk), robust=True)
    return True


def _remove_orphans() -> int:
    """Files whose row is gone (a tenant was deleted) or was never written (a worker died in between)."""
    old = [pk for pk, age in archive_files.stored_ids() if age > archive_files.LEFT_BEHIND_SECONDS]
    count = 0
    for at in range(0, len(old), TIDY_ROWS):
        lot = old[at : at + TIDY_ROWS]
        kept = TemplateArchive.objects.filter(pk__in=lot, state=TemplateArchive.State.KEPT)
        for pk in set(lot) - set(kept.values_list("pk", flat=True)):
            archive_files.remove(pk)
            count += 1
    if count:
        log.info("archives_without_row_removed", count=count)
    return count
