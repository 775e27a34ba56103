"""The connections of an integration: registered from those of the account, pinged, taken off the list."""

from __future__ import annotations

import uuid
from dataclasses import replace

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest, render_page, wants_fragment
from integrations_app.models import Integration
from integrations_app.services import listings, pings, vendor_writes
from integrations_app.services.errors import InvalidError
from integrations_app.vendor_words import vendor_words
from integrations_app.vendors.base import PartKind
from integrations_app.views import listing
from integrations_app.views.flows import ask, listed, not_listed
from integrations_app.views.listing_actions import Choosing, Offered
from integrations_app.views.listing_rows import Action
from integrations_app.views.starting import job_started

KIND, OF_ACCOUNT = listing.CONNECTIONS, "account_connections"
_NONE_LEFT = "The account has no connection that is not registered already."


@require_http_methods(["GET", "POST"])
@requires(Permission.CONNECTION_REGISTER)
def register(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """The account's connections that are not on the list yet; those that are chosen are asked for together."""
    integration = listing.find_integration(request, pk)
    try:
        kind = replace(listings.kind_of(integration.vendor, OF_ACCOUNT), empty=_NONE_LEFT)
    except KeyError as error:
        raise Http404 from error
    if request.method == "POST":
        return _register(request, integration)
    account = integration.vendor_account
    made = listing.context(request, integration, account, kind, "", without=_registered(integration))
    here = request.path
    reason = vendor_writes.unsupported_reason("register_connections", integration.vendor)
    choosing = Choosing(
        "connections",
        kind.item,
        (("key", vendor_writes.new_key()),),
        (Action("register", "Register", here, reason=reason),),
    )
    tab_url = reverse("integrations:tab", args=[request.tenant.slug, integration.pk, KIND])
    context = {
        **made,
        "section": "integrations",
        "integration": integration,
        "vendor": vendor_words(integration.vendor),
        "facts_url": "",
        "offered": Offered(choosing=choosing),
        "tabs": [],
        "tab_url": tab_url,
        "kind_title": f"Not registered in {account.name}",
    }
    return render_page(request, "integrations/register.html", "integrations/tabs/_listing.html", context)


def _register(request: TenantRequest, integration: Integration) -> HttpResponse:
    chosen = [request.POST["only"]] if request.POST.get("only") else request.POST.getlist("connections")
    if not chosen:
        messages.warning(request, "Choose at least one connection.")
        return redirect(request.path)
    return ask(request, integration, "register_connections", {"connections": chosen}, back=KIND)


def _registered(integration: Integration) -> set[str]:
    """The remote ids that are on the list, as far as was last seen."""
    parts = integration.parts.for_tenant(integration.tenant).filter(kind=PartKind.CONNECTION)
    row = listings.find(integration, KIND)
    if row is not None and row.read_at is not None and row.is_whole:
        return {item["remote_id"] for item in listings.items(row)}
    return set(parts.values_list("remote_id", flat=True))


@require_POST
@requires(Permission.CONNECTION_REGISTER)
def unregister(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    integration = listing.find_integration(request, pk)
    item = listed(integration, KIND, request.POST.get("connection", ""))
    if item is None:
        return not_listed(request, integration, KIND)
    params = {"connection": item["remote_id"], "name": item["name"]}
    return ask(request, integration, "unregister_connection", params, back=KIND)


@require_POST
@requires(Permission.VENDOR_ACCOUNT_TEST)
def ping(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """Have a connection tried; the row it stands in shows what came of it."""
    integration = listing.find_integration(request, pk)
    if pings.unsupported_reason(integration.vendor):
        raise Http404
    try:
        job = pings.request(integration, request.POST.get("connection", ""), by=request.user)
    except InvalidError as error:
        if not wants_fragment(request):
            return not_listed(request, integration, KIND)
        return trigger_client_event(HttpResponse(status=204), "toast", {"text": str(error), "tone": "warning"})
    return trigger_client_event(job_started(request, job), "listing-asked", {})
