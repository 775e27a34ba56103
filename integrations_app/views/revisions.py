"""Revisions that the vendor keeps: taking one, of a selection or of a whole account; by policy; and where none is."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from console.access import policy
from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest, render_page
from console.paging import capped_count, keyset_page
from integrations_app.batch_form import RevisionForm, RevisionPolicyForm
from integrations_app.models import Integration, VendorAccount
from integrations_app.services import revision_policies as service
from integrations_app.services import schedules, vendor_accounts, vendor_writes, write_batches
from integrations_app.services.errors import InvalidError, StaleError
from integrations_app.vendor_words import vendor_words
from integrations_app.views import selecting
from integrations_app.views.starting import write_started

PAGE_SIZE = 100
COUNT_CAP = 10_000


# --- taking them ---------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@requires(Permission.REVISION_CREATE)
def take(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """Of one integration."""
    rows = Integration.objects.for_tenant(request.tenant).select_related(
        "tenant", "vendor_account__tenant", "vendor_account__credential"
    )
    integration = get_object_or_404(rows, pk=pk)
    if vendor_writes.unsupported_reason(service.OPERATION, integration.vendor):
        raise Http404
    form = _form(request)
    if request.method == "POST" and form.is_valid():
        try:
            write = vendor_writes.request(
                service.OPERATION,
                by=request.user,
                integration=integration,
                params=form.params,
                key=form.cleaned_data["key"],
            )
            return write_started(request, write)
        except InvalidError as error:
            form.add_error(None, str(error))
    vendor = vendor_words(integration.vendor)
    return _page(request, "revisions/take.html", form, integration=integration, vendor=vendor)


@require_http_methods(["GET", "POST"])
@requires(Permission.REVISION_CREATE)
def take_chosen(request: TenantRequest) -> HttpResponse:
    """Of what was chosen in the list; those of which none can be taken are left out, with the reason."""
    try:
        selection = selecting.chosen(request)
    except InvalidError as error:
        return selecting.back_to_list(request, error)
    form = _form(request, count=selection.count)
    context = selecting.shown(selection, service.OPERATION)
    if request.method == "POST" and form.is_valid():
        rows = context["possible"]
        try:
            selection.check_as_shown(form.cleaned_data["count"])
            batch = write_batches.request(
                service.OPERATION,
                tenant=request.tenant,
                by=request.user,
                integrations=rows,
                params=form.params,
                key=form.cleaned_data["key"],
                title=f"Revisions of {len(rows):,} integration{'' if len(rows) == 1 else 's'}",
                reason=form.cleaned_data["note"],
            )
            return redirect(batch)
        except InvalidError as error:
            form.add_error(None, str(error))
            form.renew("count", selection.count)
    return _page(request, "revisions/take_chosen.html", form, **context)


@require_http_methods(["GET", "POST"])
@requires(Permission.REVISION_CREATE)
def take_all(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """Of everything in an account."""
    account = _account(request, pk)
    form = _form(request)
    if request.method == "POST" and form.is_valid():
        try:
            asked = service.request_all(account, by=request.user, key=form.cleaned_data["key"], **form.params)
            return redirect(asked)
        except InvalidError as error:
            form.add_error(None, str(error))
    vendor = vendor_words(account.vendor)
    return _page(request, "revisions/take_all.html", form, account=account, vendor=vendor, count=_count(account))


def _form(request: TenantRequest, *, count: int | str = "") -> RevisionForm:
    return RevisionForm(request.POST or None, initial={"key": vendor_writes.new_key(), "count": count})


def _page(request: TenantRequest, template: str, form: RevisionForm, **context: Any) -> HttpResponse:
    section = "vendor_accounts" if "account" in context else "integrations"
    return render(request, template, {"section": section, "form": form, **context}, status=422 if form.errors else 200)


def _count(account: VendorAccount) -> int:
    return capped_count(Integration.objects.for_tenant(account.tenant).filter(vendor_account=account, gone_at=None))


def _account(request: TenantRequest, pk: uuid.UUID) -> VendorAccount:
    """An account in use whose vendor keeps revisions; 404 for any other."""
    account = get_object_or_404(vendor_accounts.for_page(request.tenant), pk=pk)
    if service.unsupported_reason(account):
        raise Http404
    return account


# --- where they are missing ----------------------------------------------------------------------------------------


@require_safe
@requires(Permission.INTEGRATION_VIEW)
def report(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """Each integration of an account with its last known revision. The vendor is not asked."""
    account = _account(request, pk)
    only_gaps = request.GET.get("gaps") == "1"
    rows = service.gaps(account) if only_gaps else service.with_last(account)
    page = keyset_page(rows.select_related("tenant"), order=("name_sort", "id"), query=request.GET, size=PAGE_SIZE)
    number = service.count_gaps(account)
    context = {
        "section": "vendor_accounts",
        "account": account,
        "vendor": vendor_words(account.vendor),
        "page": page,
        "rows": [{"integration": row, "gap": service.gap_of(row)} for row in page.rows],
        "gaps": number,
        "count": _count(account),
        "toggles": [
            {"name": "gaps", "label": "Gaps only", "value": "1", "is_on": only_gaps, "count": number},
        ],
        "only_gaps": only_gaps,
        "policy": _policy_words(account),
        "take_reason": _reason(request, Permission.REVISION_CREATE),
        "policy_reason": _reason(request, Permission.VENDOR_ACCOUNT_MANAGE),
    }
    return render_page(request, "revisions/report.html", "revisions/_report.html", context)


def account_card(request: TenantRequest, account: VendorAccount) -> dict[str, Any]:
    """What the account's page says of its revisions."""
    if reason := service.unsupported_reason(account):
        return {"reason": reason}
    return {
        "reason": "",
        "gaps": service.count_gaps(account),
        "policy": _policy_words(account),
        "schedule": schedules.find(account, service.JOB_TYPE),
        "take_reason": _reason(request, Permission.REVISION_CREATE),
        "policy_reason": _reason(request, Permission.VENDOR_ACCOUNT_MANAGE),
    }


def _policy_words(account: VendorAccount) -> str:
    found = service.find(account)
    return service.describe(found.is_nightly, found.before_writes) if found else service.describe(False, False)


def _reason(request: TenantRequest, permission: Permission) -> str:
    return "" if permission in request.permissions else policy.refusal(permission, request.tenant)


# --- the policy ----------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@requires(Permission.VENDOR_ACCOUNT_MANAGE)
def change_policy(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    account = _account(request, pk)
    found = service.find(account)
    initial = {
        "version": found.version if found else 0,
        "is_nightly": found.is_nightly if found else False,
        "before_writes": found.before_writes if found else False,
    }
    form = RevisionPolicyForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            kept = service.change(account, by=request.user, **form.cleaned_data)
        except InvalidError as error:
            form.add_error(None, str(error))
        except StaleError as error:
            # What was typed stays; sent again, it stands against what is stored now.
            form.add_error(None, f"{error} Stored now: {_policy_words(account)}.")
            form.renew("version", initial["version"])
        else:
            messages.success(
                request, f"Saved. Revisions are taken {service.describe(kept.is_nightly, kept.before_writes)}."
            )
            return redirect(account)
    context = {"section": "vendor_accounts", "account": account, "vendor": vendor_words(account.vendor), "form": form}
    return render(request, "revisions/policy.html", context, status=422 if form.errors else 200)
