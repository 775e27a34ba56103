"""Editing an integration at its vendor: the safe form of declared fields, or its whole document as JSON."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods

from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.edit_form import DocumentForm, EditForm
from integrations_app.models import Integration
from integrations_app.services import integrations, snapshots, vendor_writes
from integrations_app.services.errors import InvalidError
from integrations_app.vendor_words import vendor_words
from integrations_app.vendors import registry
from integrations_app.vendors.capabilities import EditRules
from integrations_app.views.starting import write_started


@require_http_methods(["GET", "POST"])
@requires(Permission.INTEGRATION_EDIT)
def edit(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """Nothing is sent from here: the page after it shows what would change, and asks."""
    integration = _find(request, pk)
    rules = registry.vendor(integration.vendor).edit_rules
    if rules is None or vendor_writes.unsupported_reason("edit", integration.vendor):
        raise Http404
    as_json = request.GET.get("as") == "json"
    form = _form(request, integration, rules, as_json=as_json)
    if request.method == "POST" and form.is_valid():
        params = {"changes": form.changes, "base": form.cleaned_data["base"]}
        try:
            if not params["changes"]:
                raise InvalidError({"": "Nothing was changed yet."})
            write = vendor_writes.request(
                "edit", by=request.user, integration=integration, params=params, key=form.cleaned_data["key"]
            )
            return write_started(request, write)
        except InvalidError as error:
            form.show_errors(error)
    context = {
        "section": "integrations",
        "integration": integration,
        "vendor": vendor_words(integration.vendor),
        "form": form,
        "as_json": as_json,
    }
    return render(request, "editing/edit.html", context, status=422 if form.errors else 200)


def _form(request: TenantRequest, integration: Integration, rules: EditRules, *, as_json: bool) -> Any:
    """The form over the document it was drawn from, even when a sync has put another one in its place since."""
    kind = DocumentForm if as_json else EditForm
    now = integration.document
    drawn_from = request.POST.get("base", "")
    document = snapshots.redacted_of_digest(integration, drawn_from) if drawn_from else None
    initial = {"base": bytes(now.digest).hex(), "key": vendor_writes.new_key()}
    return kind(
        request.POST or None,
        document=document if document is not None else integrations.load_document(integration),
        rules=rules,
        initial=initial,
    )


def _find(request: TenantRequest, pk: uuid.UUID) -> Integration:
    rows = Integration.objects.for_tenant(request.tenant).select_related(
        "tenant", "vendor_account__tenant", "vendor_account__credential", "document"
    )
    return get_object_or_404(rows, pk=pk)
