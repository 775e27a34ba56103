"""Snapshots: our own copies of integrations as they were; kept before a change by a sync, or taken by a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from console.access import vault
from console.access.models import User
from console.audit.events import Event
from console.audit.services import record
from integrations_app.models import Integration, IntegrationDocument, Job, Snapshot
from integrations_app.services import integrations, jobs
from integrations_app.services.differences import Diff, diff
from integrations_app.services.documents import load
from integrations_app.vendors.errors import VendorNotFoundError

NOTE_LENGTH = 300


def request(integration: Integration, *, by: User, note: str = "") -> Job:
    """Ask for a snapshot of the integration as it is at the vendor now; while one is being taken, that one."""
    return jobs.request(
        "take_snapshot",
        key=f"take_snapshot:{integration.pk}",
        tenant=integration.tenant,
        by=by,
        target=integration,
        vendor_account=integration.vendor_account,
        params={"note": note.strip()[:NOTE_LENGTH]},
    )


def take(
    integration: Integration,
    *,
    by: User | None,
    note: str = "",
    job: Job | None = None,
    hold: Callable[[], None] = lambda: None,
) -> Snapshot:
    """Read the integration from its vendor, then keep a copy of what it is now. A job run again finds the one it took.

    Raises VendorError; what the vendor does not show cannot be copied. Workers only.
    """
    if job is not None and (taken := _taken_by(job, integration)) is not None:
        return taken
    integrations.refresh(integration, job=job, hold=hold)
    if integration.missing_since is not None or integration.gone_at is not None:
        raise VendorNotFoundError("The vendor has no such integration any more.", vendor=integration.vendor, status=404)
    snapshot = _copy(integration, Snapshot.Cause.MANUAL, by=by, job=job, note=note)
    with transaction.atomic():
        hold()
        snapshot.save(force_insert=True)
        detail = {"snapshot": snapshot.pk.hex, "note": snapshot.note}
        record(Event.SNAPSHOT_TAKEN, by=by, tenant=integration.tenant, target=integration, detail=detail)
    return snapshot


def keep(integration: Integration, *, by: User | None, job: Job | None) -> Snapshot:
    """A copy of the integration as it was last read, put aside before a change made here; in a transaction."""
    snapshot = _copy(integration, Snapshot.Cause.WRITE, by=by, job=job, note="")
    snapshot.save(force_insert=True)
    return snapshot


def _copy(integration: Integration, cause: Snapshot.Cause, *, by: User | None, job: Job | None, note: str) -> Snapshot:
    document = IntegrationDocument.objects.for_tenant(integration.tenant).get(pk=integration.pk)
    snapshot = Snapshot(
        tenant=integration.tenant,
        integration=integration,
        cause=cause,
        note=note[:NOTE_LENGTH],
        by=by,
        job=job,
        as_of=integration.seen_at,
        taken_at=timezone.now(),
        redacted=bytes(document.redacted),
        digest=bytes(document.digest),
    )
    keys = vault.TenantVault(integration.tenant_id)
    snapshot.sealed = keys.seal(snapshot.context, keys.unseal(document.context, document.sealed))
    return snapshot


def _taken_by(job: Job, integration: Integration) -> Snapshot | None:
    taken = Snapshot.objects.for_tenant(integration.tenant).filter(integration=integration, job=job)
    return taken.filter(cause=Snapshot.Cause.MANUAL).first()


def history(integration: Integration) -> QuerySet[Snapshot]:
    """The snapshots of an integration, newest first, without their documents."""
    kept = Snapshot.objects.for_tenant(integration.tenant).filter(integration=integration)
    return kept.select_related("by", "job").defer("sealed", "redacted")


def next_after(snapshot: Snapshot) -> Snapshot | None:
    """The next known state after a snapshot's: the one the next snapshot kept; None when that is how it is now."""
    later = Snapshot.objects.filter(tenant_id=snapshot.tenant_id, integration_id=snapshot.integration_id)
    later = later.filter(taken_at__gte=snapshot.taken_at).exclude(taken_at=snapshot.taken_at, id__lte=snapshot.pk)
    return later.select_related("by").order_by("taken_at", "id").first()


def redacted_of_digest(integration: Integration, wanted: str) -> dict[str, Any] | None:
    """The redacted document whose digest (hex) this is: the present one, or one a snapshot kept; None for no known."""
    try:
        digest = bytes.fromhex(wanted)
    except ValueError:
        return None
    documents = IntegrationDocument.objects.for_tenant(integration.tenant).filter(pk=integration.pk, digest=digest)
    kept = Snapshot.objects.for_tenant(integration.tenant).filter(integration=integration, digest=digest)
    found = documents.first() or kept.first()
    if found is None:
        return None
    document: dict[str, Any] = load(found.redacted)
    return document


def compare(before: Snapshot, after: Snapshot | None = None) -> Diff:
    """What changed between two snapshots of one integration; `after` None is the integration as it is now."""
    if after is not None:
        return diff(before.redacted, after.redacted)
    present = IntegrationDocument.objects.filter(tenant_id=before.tenant_id).get(pk=before.integration_id)
    return diff(before.redacted, present.redacted)
