"""Who has access to a tenant: give and take roles, invite, withdraw an invitation."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from console.access import invitations, services
from console.access.decorators import requires
from console.access.forms import GrantForm
from console.access.models import Grant, Invitation, User
from console.access.permissions import Permission
from console.access.roles import BUILTIN_ROLES
from console.http import TenantRequest


@require_http_methods(["GET", "POST"])
@requires(Permission.PEOPLE_VIEW)
def index(request: TenantRequest) -> HttpResponse:
    may_manage = Permission.PEOPLE_MANAGE in request.permissions
    roles = services.grantable_roles(request.user, request.tenant) if may_manage else []
    form = GrantForm((request.POST or None) if may_manage else None, roles=roles)
    link = ""
    if request.method == "POST":
        if not may_manage:
            return _refused(request)
        if form.is_valid():
            link = _give_or_invite(request, form)
            if not form.errors and not link:
                return redirect("people:index", request.tenant.slug)
    return _page(request, form, link, status=400 if form.errors else 200)


def _refused(request: TenantRequest) -> HttpResponse:
    messages.error(request, "Giving access needs a role that lets you manage people.")
    return _page(request, GrantForm(roles=[]), "", status=403)


def _give_or_invite(request: TenantRequest, form: GrantForm) -> str:
    """Give the role, or return the link of an invitation for somebody without an account."""
    values = dict(form.cleaned_data)
    email = values.pop("email")
    user = User.objects.filter(email=email.lower()).first()
    try:
        if user is not None:
            services.give_role(tenant=request.tenant, user=user, by=request.user, **values)
            messages.success(request, f"{user} is {values['role']} here now.")
            return ""
        sent = invitations.invite(tenant=request.tenant, email=email, name="", by=request.user, **values)
    except ValidationError as error:
        form.add_error(None, error)
        return ""
    return request.build_absolute_uri(reverse("invitation", args=[sent.token]))


def _page(request: TenantRequest, form: GrantForm, link: str, status: int) -> HttpResponse:
    grants = (
        Grant.objects.reaching(request.tenant)
        .select_related("user", "team", "role", "granted_by")
        .order_by("role__position", "granted_at", "id")
    )
    removable = {role.id for role in services.grantable_roles(request.user, request.tenant)}
    may_manage = Permission.PEOPLE_MANAGE in request.permissions
    context = {
        "section": "people",
        "grants": [
            (grant, may_manage and grant.tenant_id is not None and grant.role_id in removable) for grant in grants
        ],
        "invitations": Invitation.objects.filter(tenant=request.tenant, accepted_at=None).select_related(
            "role", "invited_by"
        ),
        "form": form,
        "link": link,
        "roles": BUILTIN_ROLES,
    }
    return render(request, "people/index.html", context, status=status)


@require_POST
@requires(Permission.PEOPLE_MANAGE)
def remove(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    grant = get_object_or_404(Grant.objects.reaching(request.tenant).select_related("user", "role"), pk=pk)
    subject = str(grant.user or grant.team)
    try:
        services.remove_grant(grant=grant, tenant=request.tenant, by=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, f"{subject} no longer has this role here.")
    if grant.user_id == request.user.id and not request.user.grants.active().reaching(request.tenant).exists():
        return redirect("home")
    return redirect("people:index", request.tenant.slug)


@require_POST
@requires(Permission.INTEGRATION_VIEW)
def end_pass(request: TenantRequest) -> HttpResponse:
    """End one's own support pass before its time."""
    if services.end_own_pass(tenant=request.tenant, by=request.user):
        messages.success(request, f"Your support pass at {request.tenant} has ended.")
    else:
        messages.warning(request, "This access reaches further than this tenant; a platform admin can end it.")
    return redirect("home")


@require_POST
@requires(Permission.PEOPLE_MANAGE)
def withdraw(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    invitations.withdraw(invitation_id=pk, tenant=request.tenant, by=request.user)
    messages.success(request, "The invitation's link no longer works.")
    return redirect("people:index", request.tenant.slug)
