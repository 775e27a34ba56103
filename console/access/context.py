"""The context every page gets. All of it is lazy: a fragment that shows no shell costs no query."""

from __future__ import annotations

import functools
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from console.access import demo_sign_ins, policy, shell
from console.access.models import User
from console.access.permissions import Permission

# The switcher lists this many; with more tenants its search box finds the others.
SWITCHER_LIMIT = 200


class Can:
    """`can.integration_sync` in a template: may this person do it in the page's tenant? Unknown names are errors."""

    def __init__(self, permissions: frozenset[Permission]) -> None:
        self._held = {permission.attribute for permission in permissions}

    def __getattr__(self, name: str) -> bool:
        if name not in _ATTRIBUTES:
            raise AttributeError(f"No permission is called {name!r}.")
        return name in self._held


_ATTRIBUTES = frozenset(permission.attribute for permission in Permission)


def shell_context(request: HttpRequest) -> dict[str, Any]:
    """Everything `base.html` relies on; see the comment at its top."""
    context: dict[str, Any] = {
        "demo": settings.DEMO,
        "tenant": getattr(request, "tenant", None),
        "can": Can(getattr(request, "permissions", frozenset())),
        "is_platform_admin": False,
    }
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        if settings.DEMO:
            context["demo_sign_ins"] = SimpleLazyObject(demo_sign_ins.emails)
            context["demo_password"] = SimpleLazyObject(demo_sign_ins.password)
        return context
    context["is_platform_admin"] = user.is_platform_admin
    context["tenant_choices"] = SimpleLazyObject(
        lambda: list(policy.visible_tenants(user).order_by("name", "id")[:SWITCHER_LIMIT])
    )
    audited = policy.tenants_where(user, Permission.AUDIT_VIEW)
    context["may_audit"] = SimpleLazyObject(lambda: user.is_platform_admin or audited.exists())
    if context["tenant"] is not None:
        context["support_pass"] = SimpleLazyObject(functools.partial(policy.support_pass_at, user, context["tenant"]))
    for name, count in shell.counters().items():
        context[name] = SimpleLazyObject(functools.partial(count, user))
    return context
