"""Deleting an integration: what it would cost is read at the vendor first; nothing is sent from here."""

from __future__ import annotations

import uuid

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods

from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.models import Integration
from integrations_app.services import vendor_writes
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations.delete import blocking_job, blocking_write
from integrations_app.vendor_words import vendor_words
from integrations_app.views.starting import write_started


@require_http_methods(["GET", "POST"])
@requires(Permission.INTEGRATION_DELETE)
def delete(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """The page after it names what is in it, who uses it and who has access, and asks for name and reason."""
    integration = _find(request, pk)
    if vendor_writes.unsupported_reason("delete", integration.vendor):
        raise Http404
    refusal = ""
    if request.method == "POST":
        key = request.POST.get("key", "")
        try:
            write = vendor_writes.request("delete", by=request.user, integration=integration, params={}, key=key)
            return write_started(request, write)
        except InvalidError as error:
            refusal = str(error)
    context = {
        "section": "integrations",
        "integration": integration,
        "vendor": vendor_words(integration.vendor),
        "blocking": blocking_write(integration) or blocking_job(integration),
        "refusal": refusal,
        "form_key": vendor_writes.new_key(),
    }
    return render(request, "deleting/delete.html", context, status=422 if refusal else 200)


def _find(request: TenantRequest, pk: uuid.UUID) -> Integration:
    rows = Integration.objects.for_tenant(request.tenant).select_related("tenant", "vendor_account__tenant")
    return get_object_or_404(rows, pk=pk)
