"""What is done with one flow of an integration: switched on or off, run now. The page that follows asks first."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
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
    return _ask(request, pk, "switch_flow", {"is_on": request.POST.get("is_on") == "1"})


@require_POST
@requires(Permission.INTEGRATION_EDIT)
def run(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    return _ask(request, pk, "run_flow", {})


def _ask(request: TenantRequest, pk: uuid.UUID, operation: str, params: dict[str, Any]) -> HttpResponse:
    integration = find_integration(request, pk)
    flow = listed(integration, "flows", request.POST.get("flow", ""))
    if flow is None:
        return not_listed(request, integration, "flows")
    params = {"flow": flow["remote_id"], "name": flow["name"], **params}
    return ask(request, integration, operation, params, back="flows")


# --- what the actions of all listings share ----------------------------------------------------------------------


def listed(integration: Integration, kind: str, remote_id: str) -> dict[str, Any] | None:
    """One thing of a listing as it was last read; None for one that is not in it."""
    listing = listings.find(integration, kind)
    found = listings.items(listing) if listing is not None else []
    return next((item for item in found if item["remote_id"] == remote_id), None)


def not_listed(request: TenantRequest, integration: Integration, kind: str) -> HttpResponse:
    """Lead back from a button whose row is not in the list any more."""
    messages.warning(request, "It is not in the list any more: the list was read again since this page was opened.")
    return redirect("integrations:tab", request.tenant.slug, integration.pk, kind)


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
