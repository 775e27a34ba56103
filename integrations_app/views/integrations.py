"""Integrations: the lists (all tenants, one tenant), one of them with its tabs, refresh and snapshot."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from console.access import policy
from console.access.decorators import requires, signed_in
from console.access.models import Tenant, TenantLabel
from console.access.permissions import Permission
from console.http import SignedInRequest, TenantRequest, render_page
from integrations_app import tabs
from integrations_app.models import Integration, IntegrationPart, VendorAccount, VendorWrite
from integrations_app.services import integrations as service
from integrations_app.services import listings, snapshots, states, vendor_accounts, write_batches
from integrations_app.vendor_words import vendor_words
from integrations_app.vendors import registry
from integrations_app.views import offered
from integrations_app.views.starting import job_started

PAGE_SIZE = 50
FILTER_CHOICES = 200


# --- lists -------------------------------------------------------------------------------------------------------


@require_safe
@signed_in
def fleet(request: SignedInRequest) -> HttpResponse:
    tenants = policy.tenants_where(request.user, Permission.INTEGRATION_VIEW)
    return _list(request, tenants, tenant=None)


@require_safe
@requires(Permission.INTEGRATION_VIEW)
def index(request: TenantRequest) -> HttpResponse:
    return _list(request, Tenant.objects.filter(id=request.tenant.id), tenant=request.tenant)


def _list(request: SignedInRequest, tenants: QuerySet[Tenant], tenant: Tenant | None) -> HttpResponse:
    query = read_query(request, tenants, tenant)
    page = service.list_page(query, cursors=request.GET, size=PAGE_SIZE)
    context = {
        "section": "integrations",
        "page": page,
        "rows": [_row(integration) for integration in page.rows],
        "count": service.count(query),
        "list_age": service.list_age(query),
        "filters": _filters(request, tenants, tenant, query),
        "toggles": _toggles(query),
        "search": query.text,
        "is_filtered": bool(set(request.GET) - {"sort", "after", "before"}),
        "may_sync": _may_sync(request, tenant),
        "sync_reason": policy.refusal(Permission.INTEGRATION_SYNC, tenant),
        "create_reason": policy.refusal(Permission.INTEGRATION_CREATE, tenant),
        "choose_cap": write_batches.MAX_ROWS,
        "revision_reason": policy.refusal(Permission.REVISION_CREATE, tenant),
        "edit_reason": policy.refusal(Permission.INTEGRATION_EDIT, tenant),
    }
    return render_page(request, "integrations/index.html", "integrations/_table.html", context)


@dataclass(frozen=True)
class Row:
    """A line of the list: the integration with the words that are worked out, not stored."""

    integration: Integration
    vendor_label: str
    sentence: str
    is_stale: bool


def _row(integration: Integration) -> Row:
    return Row(
        integration=integration,
        vendor_label=registry.vendor(integration.vendor).label,
        sentence=states.sentence(integration),
        is_stale=timezone.now() - integration.seen_at > service.STALE_AFTER,
    )


def _may_sync(request: SignedInRequest, tenant: Tenant | None) -> bool:
    if tenant is not None:
        return policy.may(request.user, Permission.INTEGRATION_SYNC, tenant)
    return policy.tenants_where(request.user, Permission.INTEGRATION_SYNC).exists()


def read_query(request: SignedInRequest, tenants: QuerySet[Tenant], tenant: Tenant | None) -> service.ListQuery:
    """What the address of a list asks for: its filters and its order."""
    given = request.GET
    try:
        account = uuid.UUID(given["account"]) if given.get("account") else None
    except ValueError:
        account = None
    return service.ListQuery(
        tenants=tenants,
        vendor=given.get("vendor", ""),
        state=given.get("state", ""),
        account=account,
        tenant=tenant.slug if tenant else given.get("tenant", ""),
        label="" if tenant else given.get("label", ""),
        text=given.get("q", "").strip()[:200],
        needs_attention=given.get("attention") == "1",
        with_archived=given.get("archived") == "1",
        sort=given.get("sort", "-changed"),
    )


def _filters(
    request: SignedInRequest, tenants: QuerySet[Tenant], tenant: Tenant | None, query: service.ListQuery
) -> list[dict[str, Any]]:
    filters = [
        _choice("vendor", "Vendor", query.vendor, [(client.slug, client.label) for client in registry.VENDORS]),
        _choice("state", "State", query.state, Integration.State.choices),
    ]
    accounts = VendorAccount.objects.for_tenants(tenants).in_use()
    if tenant is not None:
        choices = [(str(account.id), account.name) for account in accounts.order_by("name")[:FILTER_CHOICES]]
        return [*filters, _choice("account", "Account", str(query.account or ""), choices)]
    labels = TenantLabel.objects.filter(tenant__in=tenants.values("id")).values_list("name", flat=True)
    label_names = sorted(set(labels[: FILTER_CHOICES * 5]))
    chosen = list(tenants.order_by("name").values_list("slug", "name")[:FILTER_CHOICES])
    filters.insert(0, _choice("tenant", "Tenant", query.tenant, chosen))
    if label_names:
        filters.append(_choice("label", "Label", query.label, [(name, name) for name in label_names]))
    if query.account:
        name = accounts.filter(id=query.account).values_list("name", flat=True).first() or "unknown"
        filters.append({"name": "account", "label": "Account", "current": name, "options": []})
    return filters


def _choice(name: str, label: str, current: str, choices: list[tuple[Any, Any]]) -> dict[str, Any]:
    words = next((text for value, text in choices if str(value) == current), current)
    options = [{"value": value, "label": text} for value, text in choices]
    return {"name": name, "label": label, "current": words, "options": options}


def _toggles(query: service.ListQuery) -> list[dict[str, Any]]:
    return [
        {"name": "attention", "label": "Needs attention", "value": "1", "is_on": query.needs_attention},
        {"name": "archived", "label": "Archived and gone too", "value": "1", "is_on": query.with_archived},
    ]


# --- one integration ---------------------------------------------------------------------------------------------


@require_safe
@requires(Permission.INTEGRATION_VIEW)
def detail(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    return _tab(request, pk, "overview")


@require_safe
@requires(Permission.INTEGRATION_VIEW)
def tab(request: TenantRequest, pk: uuid.UUID, tab: str) -> HttpResponse:
    return _tab(request, pk, tab)


def _tab(request: TenantRequest, pk: uuid.UUID, slug: str) -> HttpResponse:
    integration = _find(request, pk)
    chosen = tabs.find_tab(slug, integration)
    if chosen is None or chosen.permission not in request.permissions:
        raise Http404
    built = chosen.build(request, integration)
    # After the tab's own reading: a listing that a worker ends in between must not stand in the tab and lack its count
    # in the row of tabs, for then nothing asks again.
    prefetch_related_objects([integration], listings.with_listings(request.tenant))
    context = {
        "section": "integrations",
        "integration": integration,
        "sentence": states.sentence(integration),
        "account_state": vendor_accounts.shown_state(integration.vendor_account),
        "vendor": vendor_words(integration.vendor),
        "tabs": _shown_tabs(request, integration, chosen),
        "tab_template": chosen.template_name,
        "actions": offered.actions(request, integration),
        "menu": offered.menu(request, integration),
        # A query set: only the whole page shows them.
        "open_changes": VendorWrite.objects.for_tenant(request.tenant).filter(integration=integration).open()[:3],
        **built,
    }
    return render_page(request, "integrations/detail.html", "integrations/_tab.html", context)


def _find(request: TenantRequest, pk: uuid.UUID) -> Integration:
    parts = Prefetch("parts", IntegrationPart.objects.for_tenant(request.tenant))
    rows = Integration.objects.for_tenant(request.tenant).select_related(
        "tenant", "vendor_account__tenant", "vendor_account__credential", "vendor_account__gate", "document"
    )
    return get_object_or_404(rows.prefetch_related(parts), pk=pk)


def _shown_tabs(request: TenantRequest, integration: Integration, chosen: tabs.Tab) -> list[dict[str, Any]]:
    here = [request.tenant.slug, integration.pk]
    return [
        {
            "label": tab.label,
            "url": reverse("integrations:detail", args=here)
            if tab.slug == "overview"
            else reverse("integrations:tab", args=[*here, tab.slug]),
            "is_current": tab.slug == (chosen.under or chosen.slug),
            "count": tab.count(integration) if tab.count else None,
            "as_of": tab.as_of(integration) if tab.as_of else None,
        }
        for tab in tabs.tabs_of(integration)
        if tab.is_listed and tab.permission in request.permissions
    ]


@require_POST
@requires(Permission.INTEGRATION_SYNC)
def refresh(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    return job_started(request, service.request_refresh(_find(request, pk), by=request.user))


@require_POST
@requires(Permission.SNAPSHOT_CREATE)
def snapshot(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    integration = _find(request, pk)
    job = snapshots.request(integration, by=request.user, note=request.POST.get("note", "").strip()[:300])
    return job_started(request, job)


@require_POST
@requires(Permission.INTEGRATION_SYNC)
def sync(request: TenantRequest) -> HttpResponse:
    """Sync every account of this tenant."""
    return _sync_all(
        request, Tenant.objects.filter(id=request.tenant.id), reverse("integrations:index", args=[request.tenant.slug])
    )


@require_POST
@signed_in
def sync_fleet(request: SignedInRequest) -> HttpResponse:
    """Sync every account of every tenant where this person may."""
    tenants = policy.tenants_where(request.user, Permission.INTEGRATION_SYNC)
    return _sync_all(request, tenants, reverse("jobs:fleet"))


def _sync_all(request: SignedInRequest, tenants: QuerySet[Tenant], back: str) -> HttpResponse:
    accounts = list(vendor_accounts.for_page(tenants))
    vendor_accounts.request_syncs(accounts, by=request.user)
    if accounts:
        words = "1 account is" if len(accounts) == 1 else f"{len(accounts)} accounts are"
        messages.success(request, f"{words} being synced.")
    else:
        messages.warning(request, "There is no vendor account to sync yet.")
    return redirect(back)
