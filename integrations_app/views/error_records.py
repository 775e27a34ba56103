"""What is done with records that failed in a step of a flow: tried again or marked as resolved, one or many."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.models import Integration
from integrations_app.services import listings
from integrations_app.views.flows import ask
from integrations_app.views.listing import QUERY_LENGTH, find_integration
from integrations_app.views.listing_actions import step_name
from integrations_app.views.listing_rows import columns_of, matching

KIND = "error_records"


@require_POST
@requires(Permission.INTEGRATION_EDIT)
def retry(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    return _ask(request, pk, "retry_errors")


@require_POST
@requires(Permission.INTEGRATION_EDIT)
def resolve(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    return _ask(request, pk, "resolve_errors")


def _ask(request: TenantRequest, pk: uuid.UUID, operation: str) -> HttpResponse:
    integration = find_integration(request, pk)
    scope = request.POST.get("scope", "")[: listings.SCOPE_LENGTH]
    query = f"?{urlencode({'scope': scope})}"
    chosen = _chosen(request, integration, scope)
    if not chosen:
        messages.warning(request, "Choose at least one record.")
        return redirect(reverse("integrations:tab", args=[request.tenant.slug, integration.pk, KIND]) + query)
    params = {"scope": scope, "step": step_name(integration, scope), "errors": chosen}
    return ask(request, integration, operation, params, back=KIND, query=query)


def _chosen(request: TenantRequest, integration: Integration, scope: str) -> list[str]:
    """The ids asked for: of the one row whose button was pressed, of all that match the search, or of those ticked."""
    if only := request.POST.get("only"):
        return [only]
    if request.POST.get("all") != "1":
        return request.POST.getlist("errors")
    listing = listings.find(integration, KIND, scope)
    found = listings.items(listing) if listing is not None else []
    query = request.POST.get("q", "").strip()[:QUERY_LENGTH]
    columns = columns_of(listings.kind_of(integration.vendor, KIND)) if found else []
    return [item["remote_id"] for item in matching(found, columns, query)]
