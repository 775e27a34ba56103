"""Cloning an integration: into which account, under which name; nothing is sent from here."""

from __future__ import annotations

import uuid
from itertools import groupby
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods

from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.forms import show_errors
from integrations_app.models import Integration, VendorWrite
from integrations_app.services import clone_targets, vendor_writes
from integrations_app.services.errors import InvalidError
from integrations_app.vendor_words import vendor_words
from integrations_app.vendors import registry
from integrations_app.views.starting import write_started
from integrations_app.write_forms import CloneForm

_REFUSED_SHOWN = 50


@require_http_methods(["GET", "POST"])
@requires(Permission.INTEGRATION_CREATE)
def clone(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """The page after it shows what would be made and asks for the connections."""
    integration = _find(request, pk)
    if vendor_writes.unsupported_reason("clone", integration.vendor):
        raise Http404
    targets = clone_targets.targets(integration, request.user)
    length = _name_length(integration.vendor)
    form = CloneForm(
        request.POST or None,
        targets=targets,
        name_length=length,
        initial={
            "key": vendor_writes.new_key(),
            "account": str(integration.vendor_account_id),
            "name": _name_of_earlier(request) or f"Clone - {integration.name}"[: length or None],
        },
    )
    if request.method == "POST" and form.is_valid():
        try:
            write = vendor_writes.request(
                "clone", by=request.user, integration=integration, params=form.params, key=form.cleaned_data["key"]
            )
            return write_started(request, write)
        except InvalidError as error:
            show_errors(form, error)
    context = {
        "section": "integrations",
        "integration": integration,
        "vendor": vendor_words(integration.vendor),
        "form": form,
        "possible": [target.account for target in targets if not target.reason],
        "refused": _refused(targets),
        "chosen": str(form["account"].value() or ""),
    }
    return render(request, "cloning/clone.html", context, status=422 if form.errors else 200)


def _find(request: TenantRequest, pk: uuid.UUID) -> Integration:
    rows = Integration.objects.for_tenant(request.tenant).select_related("tenant", "vendor_account__tenant")
    return get_object_or_404(rows, pk=pk)


def _name_of_earlier(request: TenantRequest) -> str:
    """The name of an earlier attempt that came to nothing: `?again=<id of that change>`."""
    try:
        wanted = uuid.UUID(request.GET.get("again", ""))
    except ValueError:
        return ""
    earlier = VendorWrite.objects.for_tenant(request.tenant).filter(operation="clone", pk=wanted).first()
    return next((str(change["after"]) for change in earlier.changes if change["key"] == "name"), "") if earlier else ""


def _name_length(vendor: str) -> int:
    """How long the vendor lets a name be, 0 for as long as one likes."""
    rules = registry.vendor(vendor).edit_rules
    return next((field.max_length for field in rules.fields if field.name == "name"), 0) if rules else 0


def _refused(targets: list[clone_targets.Target]) -> list[dict[str, Any]]:
    """The accounts that nothing can be cloned into, by the reason why not."""
    refused = sorted((target for target in targets if target.reason), key=lambda target: target.reason)
    groups = []
    for reason, group in groupby(refused, key=lambda target: target.reason):
        accounts = [target.account for target in group]
        hidden = max(0, len(accounts) - _REFUSED_SHOWN)
        groups.append({"reason": reason, "accounts": accounts[:_REFUSED_SHOWN], "hidden": hidden})
    return groups
