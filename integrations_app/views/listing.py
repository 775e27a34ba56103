"""A listing's tab: what belongs to an integration of one kind, as it was last read, with search and pages.

No page here asks the vendor. Whoever may sync has the tab ask for a reading by a POST of its own when what it shows is
old, and watches the job; everybody else sees what there is, how old it is, and why they cannot ask.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import trigger_client_event

from console.access import policy
from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest, wants_fragment
from integrations_app.models import Integration, Job, Listing, VendorAccount
from integrations_app.services import listings
from integrations_app.vendors.capabilities import ListingKind
from integrations_app.views import connection, listing_actions
from integrations_app.views.listing_rows import columns_of, shown
from integrations_app.views.starting import job_started

# The kind that stands where the tab of the connection stands at a vendor that lists none.
CONNECTIONS = "connections"

QUERY_LENGTH = 200


# --- the tab -----------------------------------------------------------------------------------------------------


def of_kind(integration: Integration, kind: ListingKind) -> Listing | None:
    """The prefetched row of a kind, without its items."""
    return next((row for row in integration.listings.all() if row.kind == kind.slug), None)


def count(integration: Integration, kind: ListingKind) -> int | None:
    """How many there are; None when nobody has read them yet."""
    row = of_kind(integration, kind)
    return row.count if row is not None and row.read_at is not None else None


def as_of(integration: Integration, kind: ListingKind) -> datetime | None:
    row = of_kind(integration, kind)
    return row.read_at if row is not None else None


def build(request: TenantRequest, integration: Integration, kind: ListingKind) -> dict[str, Any]:
    """The context of `integrations/tabs/listing.html`; a scoped kind takes its scope from the address."""
    scope = request.GET.get("scope", "")[: listings.SCOPE_LENGTH] if kind.is_scoped else ""
    if kind.is_scoped and not scope:
        raise Http404
    facts_url = ""
    if kind.slug == CONNECTIONS and connection.is_offered(integration):
        facts_url = reverse("integrations:tab", args=[request.tenant.slug, integration.pk, "connection"])
    made = context(request, integration, integration, kind, scope)
    offered = listing_actions.offer(request, integration, kind.slug, made)
    return {**made, "facts_url": facts_url, "offered": offered, "kind_title": offered.title or kind.label}


def context(
    request: TenantRequest,
    integration: Integration,
    of: Integration | VendorAccount,
    kind: ListingKind,
    scope: str,
    *,
    without: Collection[str] = (),
) -> dict[str, Any]:
    """What a page needs to show a listing `of` the integration, or of its account, with the ways to read it anew."""
    listing = listings.find(of, kind.slug, scope)
    job = listings.open_job(of, kind.slug, scope)
    query = request.GET.get("q", "").strip()[:QUERY_LENGTH]
    refusal = _refusal(request, integration)
    return {
        "kind": kind,
        "kind_title": kind.label,
        "scope": scope,
        "listing": listing,
        "listing_job": job,
        "columns": columns_of(kind),
        "search": query,
        "shown": shown(request, kind, listing, query, without=without),
        "read_url": reverse("integrations:read_listing", args=[request.tenant.slug, integration.pk, kind.slug]),
        "read_refusal": refusal,
        "asks_by_itself": not refusal and _asks_by_itself(request, integration, listing, job),
    }


def _refusal(request: TenantRequest, integration: Integration) -> str:
    if integration.vendor_account.is_removed:
        return "Its vendor account was removed here, so nothing can be asked of the vendor."
    if Permission.INTEGRATION_SYNC not in request.permissions:
        return policy.refusal(Permission.INTEGRATION_SYNC, request.tenant)
    return ""


def _asks_by_itself(request: TenantRequest, integration: Integration, listing: Listing | None, job: Job | None) -> bool:
    """Whether opening this asks for a reading. A page that only looks again does not: a job that was cancelled would
    be asked for without end.
    """
    is_looking_again = request.htmx.target == "listing"
    is_gone = integration.gone_at is not None
    return job is None and not is_looking_again and not is_gone and listings.is_stale(listing)


# --- reading anew ------------------------------------------------------------------------------------------------


@require_POST
@requires(Permission.INTEGRATION_SYNC)
def read(request: TenantRequest, pk: uuid.UUID, kind: str) -> HttpResponse:
    """Ask for a kind to be read; the page that shows it then looks again until that is done.

    `quietly`: the tab asks by itself, and nobody needs to be told.
    """
    integration = find_integration(request, pk)
    scope = request.POST.get("scope", "")[: listings.SCOPE_LENGTH]
    try:
        is_of_account = listings.kind_of(integration.vendor, kind).is_of_account
        of = integration.vendor_account if is_of_account else integration
        job = listings.request(of, kind, by=request.user, scope=scope)
    except (KeyError, ValueError) as error:
        raise Http404 from error
    is_quiet = request.POST.get("quietly") == "1" and wants_fragment(request)
    response = HttpResponse(status=204) if is_quiet else job_started(request, job)
    return trigger_client_event(response, "listing-asked", {})


def find_integration(request: TenantRequest, pk: uuid.UUID) -> Integration:
    """The integration of an address, with its account; 404 for one of another tenant."""
    rows = Integration.objects.for_tenant(request.tenant).select_related(
        "tenant", "vendor_account__tenant", "vendor_account__credential", "vendor_account__gate"
    )
    return get_object_or_404(rows, pk=pk)
