"""The history tab: everything that happened to an integration, and what differs between any two of its states."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from console.access import policy
from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.models import Integration, Snapshot
from integrations_app.services import history as service
from integrations_app.services import history_export, listings, snapshots, vendor_writes
from integrations_app.services.differences import Diff, Section
from integrations_app.views import restoring, timeline
from integrations_app.views.starting import job_started

PAGE_SIZE = 25
# The state after a snapshot's, whichever that is: what the change it was kept for has done.
NEXT = "next"


def count(integration: Integration) -> int:
    return service.count(integration)


def build(request: TenantRequest, integration: Integration) -> dict[str, Any]:
    history = service.History(request.tenant, integration)
    query = timeline.read_query(request.GET)
    page = history.page(query, cursors=request.GET, size=PAGE_SIZE)
    comparison = _comparison(request, integration)
    may_snapshot = Permission.SNAPSHOT_CREATE in request.permissions
    return {
        "page": page,
        "records": _records(history),
        "reading": _reading(history, integration),
        "reading_refusal": _reading_refusal(request, integration),
        "filters": timeline.filters(request, history, query, page.rows),
        "rows_at_most": history_export.ROWS_AT_MOST,
        "comparison": comparison,
        "states": _states(request, page, comparison),
        "is_side": request.GET.get("view") == "side",
        "show_noise": request.GET.get("noise") == "1",
        "restore_refusal": restoring.refusal(request, integration),
        "snapshot_refusal": "" if may_snapshot else policy.refusal(Permission.SNAPSHOT_CREATE, request.tenant),
        "form_key": vendor_writes.new_key(),
    }


# --- comparing ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """Two states; `after` None is the present. `sections` are with or without noise, as was asked for."""

    before: Snapshot
    after: Snapshot | None
    diff: Diff
    sections: tuple[Section, ...]

    @property
    def before_label(self) -> str:
        return _words(self.before)

    @property
    def after_label(self) -> str:
        return "now" if self.after is None else _words(self.after)


def _comparison(request: TenantRequest, integration: Integration) -> Comparison | None:
    """The two states that an address names; None when it names none."""
    before = _chosen(integration, request.GET.get("from", ""))
    to = request.GET.get("to", "")
    after = _chosen(integration, "" if to in (NEXT, "now") else to)
    if before is None:
        before, after = after, None
    if before is None:
        return None
    if to == NEXT:
        after = snapshots.next_after(before)
    if after is not None and (after.taken_at, after.pk) < (before.taken_at, before.pk):
        before, after = after, before
    diff = snapshots.compare(before, after)
    sections = diff.noisy_sections if request.GET.get("noise") == "1" else diff.sections
    return Comparison(before, after, diff, sections)


def _chosen(integration: Integration, given: str) -> Snapshot | None:
    """The snapshot an address names; one of another integration is a 404 like one that never was."""
    if not given:
        return None
    try:
        # With its documents: it is about to be compared.
        kept = Snapshot.objects.for_tenant(integration.tenant).filter(integration=integration)
        return kept.select_related("by").defer("sealed").get(id=uuid.UUID(given))
    except (ValueError, Snapshot.DoesNotExist) as error:
        raise Http404 from error


@dataclass(frozen=True)
class States:
    """Which states the columns From and To have chosen (ids of snapshots; None: not on this page).

    `kept` are fields of the form beside them: this page of the timeline, and a state that was chosen on another page.
    """

    before: uuid.UUID | None
    after: uuid.UUID | None
    is_to_now: bool
    kept: tuple[tuple[str, str], ...]

    @property
    def needs_from(self) -> bool:
        return "from" not in dict(self.kept)


def _states(request: TenantRequest, page: service.Timeline, comparison: Comparison | None) -> States | None:
    """None where nothing on the page can be compared."""
    shown = {row.state_id for row in page.rows if row.state_id is not None}
    if not shown:
        return None
    before = comparison.before.pk if comparison is not None else None
    after = comparison.after.pk if comparison is not None and comparison.after is not None else None
    kept = [(name, request.GET[name]) for name in ("after", "before") if name in request.GET]
    kept += [(name, str(pk)) for name, pk in (("from", before), ("to", after)) if pk is not None and pk not in shown]
    return States(before, after, after is None, tuple(kept))


def _words(snapshot: Snapshot) -> str:
    return f"{snapshot.get_cause_display().lower()}, {timezone.localtime(snapshot.as_of):%d %b %Y, %H:%M}".lstrip("0")


# --- the vendor's own records ------------------------------------------------------------------------------------


def _records(history: service.History) -> list[dict[str, Any]]:
    """How old each of the vendor's own sources is, in words."""
    return [
        {
            "label": record.label,
            "read_at": record.read_at,
            "failure": record.failure if record.failed_at is not None else "",
            "is_whole": record.is_whole,
            "is_stale": record.read_at is not None and timezone.now() - record.read_at > listings.STALE_AFTER,
        }
        for record in history.records
    ]


def _reading(history: service.History, integration: Integration) -> bool:
    """Whether they are being read at this moment."""
    return any(listings.open_job(integration, record.kind.slug) is not None for record in history.records)


def _reading_refusal(request: TenantRequest, integration: Integration) -> str:
    if integration.vendor_account.is_removed:
        return "Its vendor account was removed here, so nothing can be asked of the vendor."
    if Permission.INTEGRATION_SYNC not in request.permissions:
        return policy.refusal(Permission.INTEGRATION_SYNC, request.tenant)
    return ""


@require_POST
@requires(Permission.INTEGRATION_SYNC)
def refresh(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """Have the vendor's own records of an integration read anew."""
    integration = _find(request, pk)
    records = service.History(request.tenant, integration).records
    if not records:
        raise Http404
    jobs = [listings.request(integration, record.kind.slug, by=request.user) for record in records]
    return trigger_client_event(job_started(request, jobs[0]), "history-asked", {})


@require_safe
@requires(Permission.INTEGRATION_VIEW)
def export(request: TenantRequest, pk: uuid.UUID) -> StreamingHttpResponse:
    return timeline.as_file(request, service.History(request.tenant, _find(request, pk)))


def _find(request: TenantRequest, pk: uuid.UUID) -> Integration:
    rows = Integration.objects.for_tenant(request.tenant).select_related("tenant", "vendor_account__tenant")
    return get_object_or_404(rows, pk=pk)
