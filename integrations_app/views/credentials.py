"""Shared credentials: the company's own secrets, which platform admins set, replace and bind to tenants."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from console.access import policy
from console.access.decorators import platform_admin
from console.access.permissions import Permission
from console.http import SignedInRequest
from integrations_app.forms import BindForm, RemoveForm, ReplaceForm, SharedCredentialForm, show_errors
from integrations_app.models import Credential
from integrations_app.services import credentials as service
from integrations_app.services import vendor_accounts
from integrations_app.services.errors import InvalidError, StaleError
from integrations_app.vendor_words import all_vendor_words, vendor_words
from integrations_app.vendors import registry


@require_safe
@platform_admin
def index(request: SignedInRequest) -> HttpResponse:
    rows = [(credential, vendor_words(credential.vendor)) for credential in service.shared().order_by("name", "id")]
    return render(
        request, "credentials/index.html", {"section": "credentials", "rows": rows, "vendors": all_vendor_words()}
    )


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@platform_admin
def create(request: SignedInRequest) -> HttpResponse:
    client = next((client for client in registry.VENDORS if client.slug == request.GET.get("vendor")), None)
    if client is None:
        raise Http404
    form = SharedCredentialForm(request.POST or None, client=client)
    if form.is_valid():
        values = form.cleaned_data
        try:
            credential = service.create_shared(
                by=request.user,
                vendor=client.slug,
                name=values["name"],
                fields=form.secret_fields,
                expires_on=values["expires_on"],
                owner=request.user,
            )
        except InvalidError as error:
            show_errors(form, error)
        else:
            messages.success(request, f"{credential} is stored. Bind it to a tenant to use it.")
            return redirect(credential)
    context = {"section": "credentials", "form": form, "vendor": vendor_words(client.slug)}
    return render(request, "credentials/create.html", context, status=400 if form.errors else 200)


def _find(pk: uuid.UUID) -> Credential:
    return get_object_or_404(service.shared(), pk=pk)


@require_safe
@platform_admin
def detail(request: SignedInRequest, pk: uuid.UUID) -> HttpResponse:
    credential = _find(pk)
    context = {
        "section": "credentials",
        "credential": credential,
        "vendor": vendor_words(credential.vendor),
        "secrets": vendor_accounts.secret_status(credential),
        "changes": vendor_accounts.secret_history(credential),
        "accounts": service.where_used(credential).select_related("tenant").order_by("tenant__name", "name"),
        # A platform admin binds anywhere, but a link into a tenant helps only where they may enter.
        "visible": set(policy.visible_tenants(request.user).values_list("id", flat=True)),
    }
    return render(request, "credentials/detail.html", context)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@platform_admin
def replace(request: SignedInRequest, pk: uuid.UUID) -> HttpResponse:
    credential = _find(pk)
    client = registry.vendor(credential.vendor)
    initial = {"version": credential.version, "expires_on": credential.expires_on}
    form = ReplaceForm(request.POST or None, client=client, regions=(), binding={}, initial=initial)
    if form.is_valid():
        values = form.cleaned_data
        try:
            job = service.request_replacement(
                credential,
                by=request.user,
                fields=form.secret_fields,
                version=values["version"],
                expires_on=values["expires_on"],
                reason=values["reason"],
            )
        except InvalidError as error:
            show_errors(form, error)
        except StaleError as error:
            form.add_error(None, str(error))
        else:
            if job is None:
                messages.success(request, "Replaced. No tenant uses it yet, so there was nothing to test it with.")
            else:
                messages.success(request, "The new secret is being tested; it replaces the old one when it works.")
            return redirect(credential)
    context = {
        "section": "credentials",
        "credential": credential,
        "vendor": vendor_words(client.slug),
        "form": form,
        "secrets": vendor_accounts.secret_status(credential),
    }
    return render(request, "credentials/replace.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@platform_admin
def bind(request: SignedInRequest, pk: uuid.UUID) -> HttpResponse:
    """A new vendor account that uses this credential, at a tenant where this person manages vendor accounts."""
    credential = _find(pk)
    client = registry.vendor(credential.vendor)
    regions = [(region.slug, region.label) for region in vendor_accounts.regions_for(client.slug)]
    tenants = policy.tenants_where(request.user, Permission.VENDOR_ACCOUNT_MANAGE).order_by("name")
    form = BindForm(request.POST or None, client=client, regions=regions, tenants=tenants)
    if form.is_valid():
        values = form.cleaned_data
        try:
            account = vendor_accounts.add(
                tenant=values["tenant"],
                by=request.user,
                vendor=client.slug,
                name=values["name"],
                region=values["region"],
                binding=form.binding,
                credential=credential,
                owner=request.user,
            )
        except InvalidError as error:
            show_errors(form, error)
        else:
            vendor_accounts.request_test(account, by=request.user)
            vendor_accounts.request_sync(account, by=request.user)
            return redirect(account)
    context = {"section": "credentials", "credential": credential, "vendor": vendor_words(client.slug), "form": form}
    return render(request, "credentials/bind.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@platform_admin
def remove(request: SignedInRequest, pk: uuid.UUID) -> HttpResponse:
    credential = _find(pk)
    form = RemoveForm(request.POST or None, expected=credential.name)
    if form.is_valid():
        try:
            service.remove(credential, by=request.user, reason=form.cleaned_data["reason"])
        except InvalidError as error:
            show_errors(form, error)
        else:
            messages.success(request, f"{credential.name} is removed.")
            return redirect("credentials:index")
    context = {
        "section": "credentials",
        "credential": credential,
        "form": form,
        "url": reverse("credentials:remove", args=[credential.pk]),
        "dependants": [f"{a.name} at {a.tenant.name}" for a in service.where_used(credential).select_related("tenant")],
    }
    return render(request, "credentials/remove.html", context, status=400 if form.errors else 200)
