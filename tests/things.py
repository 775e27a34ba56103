"""Rows that tests of pages start from, made directly: the pages only read them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from console.access import vault
from integrations_app.models import (
    ArchiveEntry,
    Credential,
    CredentialSecret,
    Integration,
    IntegrationDocument,
    Job,
    JobState,
    Snapshot,
    TemplateArchive,
    VendorAccount,
    VendorWrite,
    WriteBatch,
    WriteState,
)
from integrations_app.models.fields import sort_key
from integrations_app.services import states

if TYPE_CHECKING:
    from console.access.models import Tenant, User

LONG_AGO = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Things:
    """One of each at one tenant."""

    credential: Credential
    account: VendorAccount
    integration: Integration
    snapshot: Snapshot
    job: Job


def make_account(tenant: Tenant, *, vendor: str = "celigo", name: str = "Production") -> VendorAccount:
    credential = Credential.objects.create(tenant=tenant, vendor=vendor, name=name)
    secret = CredentialSecret(credential=credential, field="api_token", fingerprint="7f3a0c21")
    secret.sealed = vault.seal(tenant.id, secret.context, b"fake-token-for-tests")
    secret.save()
    return VendorAccount.objects.create(
        tenant=tenant, credential=credential, vendor=vendor, name=name, region="us", listed_at=LONG_AGO, listed_count=1
    )


def make_integration(account: VendorAccount, name: str = "Orders", **columns: Any) -> Integration:
    remote_id = columns.pop("remote_id", hashlib.sha256(name.encode()).hexdigest()[:24])
    state = columns.get("state", Integration.State.ACTIVE)
    defaults = {"state": state, "state_rank": states.RANKS[state], "digest": b"\0" * 32, "changed_at": LONG_AGO}
    integration = Integration.objects.create(
        tenant=account.tenant,
        vendor_account=account,
        vendor=account.vendor,
        remote_id=remote_id,
        name=name,
        name_sort=sort_key(name),
        **{**defaults, **columns},
    )
    redacted = b'{"_id": "%s", "name": "Orders", "settings": {"$secret": "7f3a0c21"}}' % remote_id.encode()
    IntegrationDocument.objects.create(
        integration=integration, tenant=account.tenant, sealed=b"sealed", redacted=redacted, digest=b"\0" * 32
    )
    return integration


def make_job(account: VendorAccount, *, by: User | None = None, **columns: Any) -> Job:
    defaults = {"type": "sync_account", "title": f"Sync {account.name}", "queue": Job.Queue.BULK}
    return Job.objects.create(
        tenant=account.tenant,
        vendor_account=account,
        requested_by=by,
        requested_by_label=str(by or ""),
        **{**defaults, "state": JobState.FAILED, **columns},
    )


def make_write(integration: Integration, **columns: Any) -> VendorWrite:
    """An edit that was checked and waits for somebody to confirm it."""
    plan = {"consequence": "", "changes": [], "facts": [], "questions": [], "note": ""}
    defaults = {"operation": "edit", "title": f"Edit {integration}", "state": WriteState.READY, "plan": plan}
    write = VendorWrite(
        tenant=integration.tenant,
        vendor_account=integration.vendor_account,
        integration=integration,
        key=uuid.uuid4().hex,
        **{**defaults, **columns},
    )
    write.sealed = vault.seal(integration.tenant_id, write.context, b'{"answers": {}, "params": {"changes": {}}}')
    write.save()
    return write


def make_batch(*integrations: Integration, **columns: Any) -> WriteBatch:
    """An edit of these integrations whose dry run is over and which waits for somebody to confirm it."""
    tenant = integrations[0].tenant
    defaults = {"operation": "edit", "title": "Set the tag", "state": WriteBatch.State.READY, "key": uuid.uuid4().hex}
    batch = WriteBatch(tenant=tenant, **{**defaults, **columns})
    batch.sealed = vault.seal(tenant.id, batch.context, b'{"changes": {"tag": "spring"}}')
    batch.save()
    for integration in integrations:
        make_write(integration, batch=batch)
    return batch


def make_things(tenant: Tenant, *, by: User | None = None) -> Things:
    account = make_account(tenant)
    integration = make_integration(account)
    snapshot = Snapshot.objects.create(
        tenant=tenant,
        integration=integration,
        cause=Snapshot.Cause.MANUAL,
        as_of=LONG_AGO,
        sealed=b"sealed",
        redacted=b'{"name": "Orders, before"}',
        digest=b"\1" * 32,
    )
    assert account.credential is not None
    return Things(account.credential, account, integration, snapshot, make_job(account, by=by))


def make_archive(integration: Integration, *paths: str, **columns: Any) -> TemplateArchive:
    """An archive as a worker leaves it, with a document per path; its file is not there."""
    archive = TemplateArchive.objects.create(
        tenant=integration.tenant,
        integration=integration,
        **{
            "state": TemplateArchive.State.KEPT,
            "size_bytes": 400,
            "chunk_count": 1,
            "digest": b"\2" * 32,
            "entry_count": len(paths),
            "expires_at": LONG_AGO,
            **columns,
        },
    )
    ArchiveEntry.objects.bulk_create(
        ArchiveEntry(
            tenant=integration.tenant,
            archive=archive,
            number=number,
            path=path,
            kind=ArchiveEntry.Kind.JSON,
            size_bytes=20,
            packed_bytes=20,
            digest=hashlib.sha256(f"{archive.pk}{path}".encode()).digest(),
            redacted=b'{"name": "%d"}' % number,
        )
        for number, path in enumerate(paths)
    )
    return archive


def make_listing(integration: Integration, kind: str, *rows: Mapping[str, Any], scope: str = "", **columns: Any) -> Any:
    """A listing as a worker leaves it; each row needs a `remote_id` and a `name`, the rest is what it says."""
    from django.utils import timezone

    from integrations_app.models import Listing
    from integrations_app.services.documents import canonical

    empty: dict[str, Any] = {"values": {}, "raw": {}, "at": None}
    return Listing.objects.create(
        tenant=integration.tenant,
        vendor_account=integration.vendor_account,
        integration=integration,
        kind=kind,
        scope=scope,
        items=canonical([{**empty, **row} for row in rows]),
        count=len(rows),
        **{"read_at": timezone.now(), **columns},
    )
