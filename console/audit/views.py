"""The audit log: of one tenant, and of all that a person may audit."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.access import policy
from console.access.decorators import requires, signed_in
from console.access.permissions import Permission
from console.audit.events import Event
from console.audit.models import AuditEvent, AuditEventQuerySet
from console.http import SignedInRequest, TenantRequest
from console.paging import among, keyset_page

PAGE_SIZE = 50

_AREAS = tuple(sorted({event.value.partition(".")[0] for event in Event}))


@require_safe
@requires(Permission.AUDIT_VIEW)
def index(request: TenantRequest) -> HttpResponse:
    return _page(request, AuditEvent.objects.for_tenant(request.tenant))


@require_safe
@signed_in
def fleet(request: SignedInRequest) -> HttpResponse:
    """All events of the tenants this person may audit; a platform admin also sees the installation's own."""
    reach = among("tenant_id", policy.tenants_where(request.user, Permission.AUDIT_VIEW).values("id"))
    if request.user.is_platform_admin:
        reach |= Q(tenant_id=None)
    return _page(request, AuditEvent.objects.filter(reach))


def _page(request: SignedInRequest, events: AuditEventQuerySet) -> HttpResponse:
    area, text = request.GET.get("area", ""), request.GET.get("q", "").strip()
    if area in _AREAS:
        events = events.filter(event__startswith=f"{area}.")
    if text:
        events = events.filter(Q(by_label__icontains=text) | Q(target_label__icontains=text))
    page = keyset_page(events, order=("-at", "-id"), query=request.GET, size=PAGE_SIZE)
    context = {"section": "audit", "areas": _AREAS, "area": area, "query": text, "page": page}
    return render(request, "audit/index.html", context)
