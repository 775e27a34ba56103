"""The tenants themselves: the list, adding one, its settings."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from console.access import policy, services
from console.access.decorators import platform_admin, requires
from console.access.forms import TenantForm, TenantSettingsForm
from console.access.models import Tenant, User
from console.access.permissions import Permission
from console.http import SignedInRequest, TenantRequest
from console.paging import keyset_page

PAGE_SIZE = 50


@require_safe
@platform_admin
def index(request: SignedInRequest) -> HttpResponse:
    """Every tenant of the installation; a platform admin sees that a tenant exists, not what is in it."""
    query = request.GET.get("q", "").strip()
    tenants = Tenant.objects.select_related("owner").prefetch_related("labels").annotate(grants_count=Count("grants"))
    if query:
        tenants = tenants.filter(name__icontains=query)
    page = keyset_page(tenants, order=("name", "id"), query=request.GET, size=PAGE_SIZE)
    shown = [tenant.id for tenant in page.rows]
    visible = set(policy.visible_tenants(request.user).filter(id__in=shown).values_list("id", flat=True))
    context = {
        "section": "tenants",
        "page": page,
        "visible": visible,
        "query": query,
    }
    return render(request, "tenants/index.html", context)


@require_http_methods(["GET", "POST"])
@platform_admin
def create(request: SignedInRequest) -> HttpResponse:
    form = TenantForm(request.POST or None, initial={"time_zone": request.user.time_zone})
    if form.is_valid():
        try:
            tenant = services.create_tenant(by=request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"{tenant} is here, and you are its owner. Connect its first vendor account.")
            return redirect("vendor_accounts:create", tenant.slug)
    return render(
        request, "tenants/create.html", {"section": "tenants", "form": form}, status=400 if form.errors else 200
    )


@require_http_methods(["GET", "POST"])
@requires(Permission.TENANT_SETTINGS)
def settings(request: TenantRequest) -> HttpResponse:
    tenant = request.tenant
    owners = User.objects.filter(grants__in=tenant.grants.active()).distinct().order_by("name", "email")
    # Compared with the stored row below; the form must not write into the object that the page's header shows.
    drawn = Tenant.objects.get(id=tenant.id)
    initial = {"labels": list(tenant.labels.values_list("name", flat=True)), "version": tenant.version}
    form = TenantSettingsForm(request.POST or None, instance=drawn, initial=initial, owners=owners)
    conflicts: list[tuple[str, str]] = []
    if form.is_valid():
        values = dict(form.cleaned_data)
        labels, version = values.pop("labels"), values.pop("version")
        try:
            services.change_tenant(tenant=tenant, by=request.user, version=version, labels=labels, changes=values)
        except services.StaleError as error:
            form.add_error(None, str(error))
            conflicts = form.move_to(Tenant.objects.get(id=tenant.id))
        else:
            messages.success(request, "Settings saved.")
            return redirect("tenants:settings", tenant.slug)
    context = {"section": "settings", "form": form, "stored": Tenant.objects.get(id=tenant.id), "conflicts": conflicts}
    return render(request, "tenants/settings.html", context, status=400 if form.errors else 200)
