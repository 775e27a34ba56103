"""Putting back what a snapshot holds: all that differs, or chosen fields of it."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods

from console.access import policy
from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.models import Integration, Snapshot
from integrations_app.services import restoring as service
from integrations_app.services import vendor_writes
from integrations_app.services.errors import InvalidError
from integrations_app.vendor_words import vendor_words
from integrations_app.views.starting import write_started


def refusal(request: TenantRequest, integration: Integration) -> str:
    """Why nothing can be put back here, "" when it can."""
    if reason := impossible(integration):
        return reason
    if Permission.INTEGRATION_EDIT not in request.permissions:
        return policy.refusal(Permission.INTEGRATION_EDIT, request.tenant)
    return ""


def impossible(integration: Integration) -> str:
    """Why nobody can put anything back, "" when somebody may."""
    if reason := vendor_writes.unsupported_reason(service.OPERATION, integration.vendor):
        return reason
    if integration.vendor_account.is_removed:
        return "Its vendor account was removed here, so nothing can be asked of the vendor."
    return "It is gone at the vendor." if integration.gone_at is not None else ""


@require_http_methods(["GET", "POST"])
@requires(Permission.INTEGRATION_EDIT)
def restore(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """Nothing is sent from here: the page after it reads the vendor, shows what would change, and asks."""
    kept = _find(request, pk)
    reason, errors = impossible(kept.integration), {}
    chosen = request.POST.getlist("keys")
    if request.method == "POST" and not reason:
        try:
            write = service.request(
                kept,
                keys=chosen,
                base=request.POST.get("base", ""),
                by=request.user,
                form_key=request.POST.get("key", ""),
                reason=request.POST.get("reason", ""),
            )
            return write_started(request, write)
        except InvalidError as error:
            errors = error.errors
    restorable = service.compare(kept) if not reason else None
    context = {
        "section": "integrations",
        "integration": kept.integration,
        "snapshot": kept,
        "vendor": vendor_words(kept.integration.vendor),
        "refusal": reason,
        "restorable": restorable,
        "chosen": chosen if errors else [change.path for change in restorable.changes] if restorable else [],
        "errors": list(errors.values()),
        "reason": request.POST.get("reason", ""),
        "form_key": request.POST.get("key", "") or vendor_writes.new_key(),
    }
    return render(
        request, "restoring/restore.html", context, status=422 if errors or (reason and request.POST) else 200
    )


def _find(request: TenantRequest, pk: uuid.UUID) -> Snapshot:
    rows = Snapshot.objects.for_tenant(request.tenant).defer("sealed")
    rows = rows.select_related("by", "integration__tenant", "integration__vendor_account__tenant")
    return get_object_or_404(rows, pk=pk)
