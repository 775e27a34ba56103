"""A tenant's vendor accounts: add, test, sync, replace the secret, change, remove."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.access import policy
from console.access.decorators import requires
from console.access.models import User
from console.access.permissions import Permission
from console.http import TenantRequest, render_page
from integrations_app.forms import AccountForm, AccountSettingsForm, RemoveForm, ReplaceForm, show_errors
from integrations_app.models import Integration, Job, SyncRun, VendorAccount
from integrations_app.services import credentials, schedules
from integrations_app.services import vendor_accounts as service
from integrations_app.services.errors import InvalidError, StaleError
from integrations_app.vendor_words import all_vendor_words, vendor_words
from integrations_app.vendors import registry
from integrations_app.vendors.base import SupportsLiveSearch, VendorClient
from integrations_app.views import revisions
from integrations_app.views.starting import job_started


def _region_choices(vendor: str) -> list[tuple[str, str]]:
    return [(region.slug, region.label) for region in service.regions_for(vendor)]


@require_safe
@requires(Permission.VENDOR_ACCOUNT_VIEW)
def index(request: TenantRequest) -> HttpResponse:
    accounts = [
        {"account": account, "shown": service.shown_state(account), "vendor": vendor_words(account.vendor)}
        for account in service.for_page(request.tenant).order_by("name", "id")
    ]
    refusal = policy.refusal(Permission.VENDOR_ACCOUNT_MANAGE, request.tenant)
    context = {
        "section": "vendor_accounts",
        "accounts": accounts,
        "add_reason": "" if Permission.VENDOR_ACCOUNT_MANAGE in request.permissions else refusal,
    }
    return render(request, "vendor_accounts/index.html", context)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@requires(Permission.VENDOR_ACCOUNT_MANAGE)
def create(request: TenantRequest) -> HttpResponse:
    """First the vendor, then its own form; the vendor stands in the address, so both steps can be linked to."""
    slug = request.GET.get("vendor", "")
    if not slug:
        return render(
            request, "vendor_accounts/choose.html", {"section": "vendor_accounts", "vendors": all_vendor_words()}
        )
    client = _client_or_404(slug)
    shared = credentials.shared(slug) if request.user.is_platform_admin else None
    form = AccountForm(
        request.POST or None,
        client=client,
        regions=_region_choices(slug),
        shared=shared,
        initial={"name": _free_name(request, slug)},
    )
    if form.is_valid():
        account = _add(request, client, form)
        if account is not None:
            return redirect(account)
    context = {"section": "vendor_accounts", "form": form, "vendor": vendor_words(client.slug)}
    return render(request, "vendor_accounts/create.html", context, status=400 if form.errors else 200)


def _free_name(request: TenantRequest, vendor: str) -> str:
    taken = set(
        VendorAccount.objects.for_tenant(request.tenant).in_use().filter(vendor=vendor).values_list("name", flat=True)
    )
    return next(name for name in ("Production", *(f"Production {n}" for n in range(2, 1000))) if name not in taken)


def _client_or_404(slug: str) -> type[VendorClient]:
    client = next((client for client in registry.VENDORS if client.slug == slug), None)
    if client is None:
        raise Http404
    return client


def _add(request: TenantRequest, client: type[VendorClient], form: AccountForm) -> VendorAccount | None:
    values = form.cleaned_data
    credential = values.get("credential")
    try:
        account = service.add(
            tenant=request.tenant,
            by=request.user,
            vendor=client.slug,
            name=values["name"],
            region=values["region"],
            binding=form.binding,
            fields=None if credential else form.secret_fields,
            credential=credential,
            expires_on=values["expires_on"],
            owner=request.user,
            every_seconds=values["every_seconds"],
        )
    except InvalidError as error:
        show_errors(form, error)
        return None
    messages.success(request, f"{account.name} is stored. It is being tested and synced now.")
    service.request_test(account, by=request.user)
    service.request_sync(account, by=request.user)
    return account


def _find(request: TenantRequest, pk: uuid.UUID) -> VendorAccount:
    return get_object_or_404(service.for_page(request.tenant), pk=pk)


@require_safe
@requires(Permission.VENDOR_ACCOUNT_VIEW)
def detail(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    account = VendorAccount.objects.for_tenant(request.tenant).filter(pk=pk).first()
    if account is not None and account.is_removed:
        return render(request, "vendor_accounts/removed.html", _removed(request, account))
    account = _find(request, pk)
    return render_page(
        request, "vendor_accounts/detail.html", "vendor_accounts/_detail.html", _detail_context(request, account)
    )


def _removed(request: TenantRequest, account: VendorAccount) -> dict[str, Any]:
    count = Integration.objects.for_tenant(request.tenant).filter(vendor_account=account).count()
    vendor = vendor_words(account.vendor)
    return {"section": "vendor_accounts", "account": account, "vendor": vendor, "integrations_count": count}


def _detail_context(request: TenantRequest, account: VendorAccount) -> dict[str, Any]:
    client = registry.vendor(account.vendor)
    credential = account.credential
    jobs = Job.objects.for_tenant(request.tenant).filter(vendor_account=account).select_related("tenant")
    # A shared secret's history tells of other tenants' tests, in words meant for platform admins.
    has_history = credential is not None and not credential.is_shared
    has_history = has_history and Permission.CREDENTIAL_MANAGE in request.permissions
    return {
        "section": "vendor_accounts",
        "account": account,
        "vendor": vendor_words(client.slug),
        "shown": service.shown_state(account),
        "region_label": dict(_region_choices(account.vendor)).get(account.region, account.region),
        "binding": [(field.label, account.binding.get(field.name, "")) for field in client.binding_fields],
        "secrets": service.secret_status(credential) if credential is not None else [],
        "changes": service.secret_history(credential) if credential is not None and has_history else [],
        "schedule": schedules.find(account),
        "revisions": revisions.account_card(request, account),
        "runs": SyncRun.objects.for_tenant(request.tenant).filter(vendor_account=account).select_related("job")[:6],
        "quarantined": account.quarantined_items.for_tenant(request.tenant)[:20],
        "jobs": jobs[:5],
        "open_jobs": jobs.open().count(),
        "has_search": registry.supports(account.vendor, SupportsLiveSearch),
        "search_reason": client.unsupported_reasons.get("SupportsLiveSearch", "This vendor offers no search."),
        "reasons": {
            permission.attribute: ""
            if permission in request.permissions
            else policy.refusal(permission, request.tenant)
            for permission in Permission
        },
    }


@require_POST
@requires(Permission.VENDOR_ACCOUNT_TEST)
def test(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    account = _find(request, pk)
    return _asked(request, account, service.request_test(account, by=request.user))


@require_POST
@requires(Permission.INTEGRATION_SYNC)
def sync(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    account = _find(request, pk)
    return _asked(request, account, service.request_sync(account, by=request.user))


def _asked(request: TenantRequest, account: VendorAccount, job: Job) -> HttpResponse:
    """The account's page drawn anew: it follows what it waits for by itself."""
    fragment = render(request, "vendor_accounts/_detail.html", _detail_context(request, account))
    return job_started(request, job, answer=fragment)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@requires(Permission.CREDENTIAL_MANAGE)
def replace(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    account = _find(request, pk)
    credential = account.credential
    if credential is None or credential.is_shared:
        messages.warning(request, "This account uses a shared credential; platform admins replace it for all tenants.")
        return redirect(account)
    client = registry.vendor(account.vendor)
    form = ReplaceForm(
        request.POST or None,
        client=client,
        regions=_region_choices(account.vendor),
        binding=account.binding,
        initial={"version": credential.version, "region": account.region, "expires_on": credential.expires_on},
    )
    if form.is_valid():
        values = form.cleaned_data
        try:
            job = service.request_secret_change(
                account,
                by=request.user,
                fields=form.secret_fields,
                version=values["version"],
                region=values["region"],
                binding=form.binding,
                expires_on=values["expires_on"],
                reason=values["reason"],
            )
        except InvalidError as error:
            show_errors(form, error)
        except StaleError as error:
            form.add_error(None, str(error))
        else:
            return redirect(job)
    context = {
        "section": "vendor_accounts",
        "account": account,
        "vendor": vendor_words(client.slug),
        "form": form,
        "secrets": service.secret_status(credential),
    }
    return render(request, "vendor_accounts/replace.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@requires(Permission.VENDOR_ACCOUNT_MANAGE)
def edit(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    account = _find(request, pk)
    schedule = schedules.find(account)
    credential = account.credential
    owners = User.objects.filter(grants__in=request.tenant.grants.active()).distinct().order_by("name", "email")
    form = AccountSettingsForm(
        request.POST or None,
        owners=owners,
        is_shared=credential is None or credential.is_shared,
        initial={
            "version": account.version,
            "name": account.name,
            "owner": account.owner,
            "expires_on": credential.expires_on if credential else None,
            "every_seconds": schedule.every_seconds if schedule and not schedule.is_paused else 0,
        },
    )
    conflicts: list[tuple[str, str]] = []
    if form.is_valid():
        values = {"expires_on": credential.expires_on if credential else None, **form.cleaned_data}
        try:
            service.change(account, by=request.user, **values)
        except InvalidError as error:
            show_errors(form, error)
        except StaleError as error:
            conflicts = form.move_to_stored()
            form.add_error(None, str(error))
        else:
            messages.success(request, "Saved.")
            return redirect(account)
    context = {
        "section": "vendor_accounts",
        "account": account,
        "vendor": vendor_words(account.vendor),
        "form": form,
        "conflicts": conflicts,
    }
    return render(request, "vendor_accounts/edit.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@requires(Permission.VENDOR_ACCOUNT_MANAGE)
def remove(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    account = _find(request, pk)
    form = RemoveForm(request.POST or None, expected=account.name)
    if form.is_valid():
        service.remove(account, by=request.user, reason=form.cleaned_data["reason"])
        messages.success(request, f"{account.name} is removed. Its integrations stay as they were last seen.")
        return redirect("vendor_accounts:index", request.tenant.slug)
    context = {
        "section": "vendor_accounts",
        "account": account,
        "vendor": vendor_words(account.vendor),
        "form": form,
        "url": reverse("vendor_accounts:remove", args=[request.tenant.slug, account.pk]),
        "dependants": service.dependants(account),
    }
    return render(request, "vendor_accounts/remove.html", context, status=400 if form.errors else 200)
