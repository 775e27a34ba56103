"""Live search: asks the vendor itself, with its own filters, as a short job whose answer the page picks up."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest, render_page
from integrations_app.forms import SearchForm
from integrations_app.models import Job
from integrations_app.services import vendor_accounts as service
from integrations_app.services.live_search import CURSOR_LENGTH
from integrations_app.vendor_words import vendor_words
from integrations_app.vendors import registry
from integrations_app.vendors.base import SupportsLiveSearch


@require_http_methods(["GET", "POST"])
@requires(Permission.INTEGRATION_SEARCH)
def search(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """POST asks; GET with `?job=` shows the answer, or that it is still being waited for."""
    account = get_object_or_404(service.for_page(request.tenant), pk=pk)
    client = registry.vendor(account.vendor)
    if not issubclass(client, SupportsLiveSearch):
        raise Http404
    job = _job(request, account.pk)
    initial = job.params.get("filters", {}) if job is not None else {}
    form = SearchForm(request.POST or None, search_fields=client.search_fields, initial=initial)
    if request.method == "POST" and not request.POST.keys() - {"csrfmiddlewaretoken"}:
        form = SearchForm({}, search_fields=client.search_fields)
    if form.is_valid():
        asked = service.request_search(
            account, by=request.user, filters=form.filters, cursor=request.POST.get("cursor", "")[:CURSOR_LENGTH]
        )
        return redirect(f"{reverse('vendor_accounts:search', args=[request.tenant.slug, account.pk])}?job={asked.pk}")
    context: dict[str, Any] = {
        "section": "vendor_accounts",
        "account": account,
        "vendor": vendor_words(client.slug),
        "form": form,
        "job": job,
        "answer": job.result if job is not None and job.is_finished else None,
        "filters": job.params.get("filters", {}) if job is not None else {},
    }
    return render_page(request, "live_search/search.html", "live_search/_answer.html", context)


def _job(request: TenantRequest, account_id: uuid.UUID) -> Job | None:
    given = request.GET.get("job", "")
    if not given:
        return None
    try:
        job_id = uuid.UUID(given)
    except ValueError as error:
        raise Http404 from error
    jobs = Job.objects.for_tenant(request.tenant).filter(vendor_account_id=account_id, type="search_vendor")
    return get_object_or_404(jobs, pk=job_id)
