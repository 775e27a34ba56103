"""What stands above every view: who may open it. A view without one of these is found by the whole-site table test."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.decorators import login_not_required, login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase

from console.access import policy, scope
from console.access.models import User
from console.access.permissions import Permission
from console.http import SignedInRequest, TenantRequest

P = ParamSpec("P")
View = Callable[..., HttpResponseBase]


def requires(permission: Permission) -> Callable[[Callable[Concatenate[TenantRequest, P], HttpResponseBase]], View]:
    """Open the view only inside a tenant the person may see (else 404) and where they hold `permission` (else 403).

    Takes `tenant` (a slug) out of the URL's arguments and leaves `request.tenant` and `request.permissions`.
    """

    def decorate(view: Callable[Concatenate[TenantRequest, P], HttpResponseBase]) -> View:
        @functools.wraps(view)
        @login_required
        def guarded(request: HttpRequest, *args: Any, tenant: str, **kwargs: Any) -> HttpResponseBase:
            enter_tenant(request, tenant)
            tenant_request = cast(TenantRequest, request)
            if permission not in tenant_request.permissions:
                raise PermissionDenied(policy.refusal(permission, tenant_request.tenant))
            return view(tenant_request, *args, **kwargs)

        guarded.console_access = permission  # type: ignore[attr-defined]  # read by the table test
        return guarded

    return decorate


def signed_in(view: Callable[Concatenate[SignedInRequest, P], HttpResponse]) -> View:
    """Open to everybody who is signed in; the view itself starts each read from `policy.visible_tenants`."""

    @functools.wraps(view)
    @login_required
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(cast(SignedInRequest, request), *args, **kwargs)

    guarded.console_access = "signed in"  # type: ignore[attr-defined]  # read by the table test
    return guarded


def platform_admin(view: Callable[Concatenate[SignedInRequest, P], HttpResponse]) -> View:
    """Open to platform admins; 404 for everybody else, who need not know the page exists."""

    @functools.wraps(view)
    @login_required
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not cast(User, request.user).is_platform_admin:
            raise Http404
        # Shared credentials and the installation's health concern every tenant, whoever has a grant there.
        with scope.everything():
            return view(cast(SignedInRequest, request), *args, **kwargs)

    guarded.console_access = "platform admin"  # type: ignore[attr-defined]  # read by the table test
    return guarded


def public(view: View) -> View:
    """Open without signing in."""
    guarded = login_not_required(view)
    guarded.console_access = "public"  # type: ignore[attr-defined]  # read by the table test
    return guarded


def enter_tenant(request: HttpRequest, slug: str) -> None:
    """Put the tenant and what the person may do there on the request; a stranger's tenant and a missing one are 404."""
    user = cast(User, request.user)
    tenant = policy.visible_tenants(user).filter(slug=slug).first()
    if tenant is None:
        raise Http404
    request.tenant = tenant  # type: ignore[attr-defined]  # TenantRequest declares it
    request.permissions = policy.permissions_at(user, tenant)  # type: ignore[attr-defined]
