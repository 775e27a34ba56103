"""The first-run path: create the owner, add a tenant, paste a key, test, first sync. Each step is found again later."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth import login
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from console.access import policy, services, setup_code
from console.access.decorators import public
from console.access.forms import FirstUserForm
from console.access.models import Tenant, User
from console.access.permissions import Permission
from integrations_app.models import VendorAccount


@dataclass(frozen=True)
class Step:
    """`is_current` is the first step not done yet; its `url` leads there."""

    title: str
    text: str
    is_done: bool
    is_current: bool
    url: str


@require_http_methods(["GET", "POST"])
@public
@never_cache
@sensitive_post_parameters()
def welcome(request: HttpRequest) -> HttpResponse:
    if not services.has_users():
        return _first_user(request)
    if not request.user.is_authenticated:
        return redirect("account_login")
    return render(request, "welcome/steps.html", {"section": "welcome", "steps": _steps(request.user)})


def _first_user(request: HttpRequest) -> HttpResponse:
    """Whoever holds the set-up code, which only the machine's operator can read, becomes the owner."""
    code = request.GET.get("code", "")
    if not constant_time_compare(code, setup_code.current()):
        if request.method == "POST":
            raise Http404
        return render(request, "welcome/code.html", {"was_wrong": bool(code)}, status=403 if code else 200)
    form = FirstUserForm(request.POST or None)
    if form.is_valid():
        values = {name: form.cleaned_data[name] for name in ("email", "name", "password", "time_zone")}
        try:
            user = services.create_first_user(**values)
        except (PermissionDenied, ValidationError) as error:
            form.add_error(None, error if isinstance(error, ValidationError) else str(error))
        else:
            setup_code.forget()
            login(request, user, backend="allauth.account.auth_backends.AuthenticationBackend")
            return redirect("welcome")
    return render(request, "welcome/owner.html", {"form": form}, status=400 if form.errors else 200)


def _steps(user: User) -> list[Step]:
    tenant = policy.tenants_where(user, Permission.VENDOR_ACCOUNT_MANAGE).order_by("created_at").first()
    accounts = (
        VendorAccount.objects.for_tenants(Tenant.objects.filter(id=tenant.id))
        if tenant
        else VendorAccount.objects.none()
    )
    account = accounts.in_use().select_related("tenant").order_by("created_at").first()
    account_url = account.get_absolute_url() if account else ""
    done = [
        True,
        tenant is not None,
        account is not None,
        account is not None and account.state in (VendorAccount.State.OK, VendorAccount.State.PARTIAL),
        account is not None and account.listed_at is not None,
    ]
    texts = [
        ("Create the owner", "You are in, and can let others in later.", ""),
        ("Add a tenant", "One of your customers.", reverse("tenants:create")),
        (
            "Paste a vendor's key",
            "Stored encrypted; nobody can read it again.",
            reverse("vendor_accounts:create", args=[tenant.slug]) if tenant else "",
        ),
        ("Test it", "A few harmless questions show what the key may do.", account_url),
        ("First sync", "The integrations are read in the background.", account_url),
    ]
    current = done.index(False) if False in done else -1
    return [
        Step(title, text, done[n], n == current, url if n == current else "")
        for n, (title, text, url) in enumerate(texts)
    ]
