"""What is done with one flow of an integration: switched on or off, run now. The page that follows asks first."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.models import Integration
from integrations_app.services import listings, vendor_writes
from integrations_app.services.errors import InvalidError
from integrations_app.views.listing import find_integration
from integrations_app.views.starting import write_started


@require_POST
@requires(Permission.INTEGRATION_EDIT)
def switch(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    integration = find_integration(request, pk)
    params = _flow(request, integration) | {"is_on": request.POST.get("is_on") == "1"}
    return ask(request, integration, "switch_flow", params, back="flows")


@require_POST
@requires(Permission.INTEGRATION_EDIT)
def run(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    integration = find_integration(request, pk)
    return ask(request, integration, "run_flow", _flow(request, integration), back="flows")


def _flow(request: TenantRequest, integration: Integration) -> dict[str, Any]:
    item = listed(integration, "flows", request.POST.get("flow", ""))
    return {"flow": item["remote_id"], "name": item["name"]}


def listed(integration: Integration, kind: str, remote_id: str) -> dict[str, Any]:
    """One thing of a listing as it was last read; 404 for one that is not in it."""
    listing = listings.find(integration, kind)
    found = listings.items(listing) if listing is not None else []
    for item in found:
        if item["remote_id"] == remote_id:
            return item
    raise Http404


def ask(
    request: TenantRequest,
    integration: Integration,
    operation: str,
    params: dict[str, Any],
    *,
    back: str,
    query: str = "",
) -> HttpResponse:
    """Ask for a write and lead to its page; what cannot be asked for leads back to the tab, with the reason."""
    try:
        write = vendor_writes.request(
            operation, by=request.user, integration=integration, params=params, key=request.POST.get("key", "")
        )
    except InvalidError as error:
        messages.warning(request, str(error))
        return redirect(reverse("integrations:tab", args=[request.tenant.slug, integration.pk, back]) + query)
    return write_started(request, write)
