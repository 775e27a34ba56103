"""Making a new integration: first the account, then the vendor's own form; nothing is sent from here."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.models import VendorAccount, VendorWrite
from integrations_app.services import vendor_accounts, vendor_writes
from integrations_app.services.documents import is_secret_mark
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations.arrivals import mirrored_namesakes
from integrations_app.services.operations.create import fields_of
from integrations_app.vendor_words import vendor_words
from integrations_app.views.starting import write_started
from integrations_app.write_forms import CreateForm


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@requires(Permission.INTEGRATION_CREATE)
def create(request: TenantRequest) -> HttpResponse:
    """The account stands in the address, so both steps can be linked to."""
    if not request.GET.get("account"):
        return render(request, "creating/choose.html", {"section": "integrations", "accounts": _accounts(request)})
    account = _account_or_404(request)
    form = CreateForm(
        request.POST or None,
        fields=fields_of(account.vendor),
        values=_values_of_earlier(request),
        initial={"key": vendor_writes.new_key()},
    )
    if request.method == "POST" and form.is_valid():
        params = {"document": form.document}
        try:
            write = vendor_writes.request(
                "create", by=request.user, account=account, params=params, key=form.cleaned_data["key"]
            )
            return write_started(request, write)
        except InvalidError as error:
            form.show_errors(error)
    context = {
        "section": "integrations",
        "account": account,
        "vendor": vendor_words(account.vendor),
        "form": form,
        "namesakes": _namesakes(account, form),
    }
    return render(request, "creating/create.html", context, status=422 if form.errors else 200)


def _accounts(request: TenantRequest) -> list[dict[str, Any]]:
    """Every account of the tenant; one whose vendor makes none stays, with the reason."""
    return [
        {
            "account": account,
            "vendor": vendor_words(account.vendor),
            "shown": vendor_accounts.shown_state(account),
            "reason": vendor_writes.unsupported_reason("create", account.vendor),
        }
        for account in vendor_accounts.for_page(request.tenant).order_by("name", "id")
    ]


def _account_or_404(request: TenantRequest) -> VendorAccount:
    wanted = _uuid(request.GET["account"])
    account = vendor_accounts.for_page(request.tenant).filter(pk=wanted).first() if wanted else None
    if account is None or vendor_writes.unsupported_reason("create", account.vendor):
        raise Http404
    return account


def _values_of_earlier(request: TenantRequest) -> dict[str, Any]:
    """What an earlier attempt that came to nothing was to hold, secrets aside: `?again=<id of that change>`."""
    wanted = _uuid(request.GET.get("again", ""))
    writes = VendorWrite.objects.for_tenant(request.tenant).filter(operation="create")
    earlier = writes.filter(pk=wanted).first() if wanted else None
    changes = earlier.changes if earlier is not None else []
    return {change["key"]: change["after"] for change in changes if not is_secret_mark(change["after"])}


def _namesakes(account: VendorAccount, form: CreateForm) -> list[str]:
    """Who has the name already, once one was typed; asked of the mirror, so it costs no call."""
    name = str(form.main[0].value() or "") if form.is_bound and form.main else ""
    return mirrored_namesakes(account, name) if name.strip() else []


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
