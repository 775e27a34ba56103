"""The history tab: our snapshots, and what changed between any two of them or up to now."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404

from console.access import policy
from console.access.permissions import Permission
from console.http import TenantRequest
from console.paging import keyset_page
from integrations_app.models import Integration, Snapshot
from integrations_app.services import snapshots

PAGE_SIZE = 25


def count(integration: Integration) -> int:
    return snapshots.history(integration).count()


def build(request: TenantRequest, integration: Integration) -> dict[str, Any]:
    rows = snapshots.history(integration)
    page = keyset_page(rows.select_related("by"), order=("-taken_at", "-id"), query=request.GET, size=PAGE_SIZE)
    before = _chosen(integration, request.GET.get("from", "")) or (page.rows[0] if page.rows else None)
    after = _chosen(integration, request.GET.get("to", ""))
    if before is not None and after is not None and before.taken_at > after.taken_at:
        before, after = after, before
    refusal = (
        ""
        if Permission.SNAPSHOT_CREATE in request.permissions
        else policy.refusal(Permission.SNAPSHOT_CREATE, request.tenant)
    )
    diff = snapshots.compare(before, after) if before is not None else None
    show_noise = request.GET.get("noise") == "1"
    return {
        "page": page,
        "before": before,
        "after": after,
        "diff": diff,
        "sections": () if diff is None else diff.noisy_sections if show_noise else diff.sections,
        "show_noise": show_noise,
        "is_side": request.GET.get("view") == "side",
        "snapshot_refusal": refusal,
    }


def _chosen(integration: Integration, given: str) -> Snapshot | None:
    """The snapshot an address names; one of another integration is a 404 like one that never was."""
    if not given:
        return None
    try:
        return snapshots.history(integration).select_related("by", "integration__document").get(id=uuid.UUID(given))
    except (ValueError, Snapshot.DoesNotExist) as error:
        raise Http404 from error
