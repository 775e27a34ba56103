"""A tenant's one page: how it is doing, what waits, where its integrations come from."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.access.decorators import requires
from console.access.models import Grant, Tenant
from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.models import Integration, Job
from integrations_app.services import integrations, states, tasks_for_people, vendor_accounts
from integrations_app.vendor_words import vendor_words

RECENT_JOBS = 6


@require_safe
@requires(Permission.INTEGRATION_VIEW)
def detail(request: TenantRequest) -> HttpResponse:
    only_this = Tenant.objects.filter(id=request.tenant.id)
    counts = integrations.counts_by_state(only_this).get(request.tenant.id, {})
    in_order = sorted(Integration.State, key=lambda state: states.RANKS[state])
    accounts = [
        {"account": account, "shown": vendor_accounts.shown_state(account), "vendor": vendor_words(account.vendor)}
        for account in vendor_accounts.for_page(request.tenant).order_by("name", "id")
    ]
    context = {
        "section": "tenant",
        "groups": tasks_for_people.things_to_do(only_this),
        "counts": [(state, state.label, counts.get(state, 0)) for state in in_order if counts.get(state, 0)],
        "total": sum(counts.values()),
        "accounts": accounts,
        "labels": [label.name for label in request.tenant.labels.all()],
        "jobs": Job.objects.for_tenant(request.tenant).select_related("tenant")[:RECENT_JOBS],
        "people_count": Grant.objects.active().reaching(request.tenant).values("user_id", "team_id").distinct().count(),
    }
    return render(request, "tenants/detail.html", context)
