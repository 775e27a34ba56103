"""May they do this here? Every check of a permission in the console asks this module."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.db.models import Exists, Q, QuerySet

from console.access.models import Grant, GrantQuerySet, Tenant, TenantLabel, User
from console.access.permissions import Permission


def visible_tenants(user: User) -> QuerySet[Tenant]:
    """The tenants `user` may see at all; every read of tenant data starts from these."""
    return _reached(Grant.objects.active().of(user))


def tenants_where(user: User, permission: Permission) -> QuerySet[Tenant]:
    """The tenants in which `user` may do `permission`; for lists over several tenants."""
    return _reached(Grant.objects.active().of(user).giving(permission))


def _reached(grants: GrantQuerySet) -> QuerySet[Tenant]:
    """The tenants that these grants reach: named ones, those with a label, or all. Asks nothing by itself."""
    everywhere = Exists(grants.filter(scope=Grant.Scope.ALL))
    by_tenant = grants.filter(scope=Grant.Scope.TENANT).values("tenant_id")
    by_label = grants.filter(scope=Grant.Scope.LABEL).values("label")
    labelled = TenantLabel.objects.filter(name__in=by_label).values("tenant_id")
    return Tenant.objects.filter(Q(everywhere) | Q(id__in=by_tenant) | Q(id__in=labelled))


def support_pass_at(user: User, tenant: Tenant) -> Grant | None:
    """The grant with an end under which `user` acts at `tenant` now, the one that lasts longest; None for a member."""
    grants = Grant.objects.active().of(user).reaching(tenant).filter(expires_at__isnull=False)
    return grants.select_related("role", "granted_by").order_by("-expires_at").first()


def permissions_at(user: User, tenant: Tenant) -> frozenset[Permission]:
    """All that `user` may do at `tenant` now; empty for a stranger."""
    grants = Grant.objects.active().of(user).reaching(tenant)
    return frozenset(
        Permission(name) for name in grants.values_list("role__permissions__permission", flat=True) if name
    )


def may(user: User, permission: Permission, tenant: Tenant) -> bool:
    """Whether `user` may do `permission` at `tenant` at this moment."""
    return Grant.objects.active().of(user).reaching(tenant).giving(permission).exists()


def require(user: User, permission: Permission, tenant: Tenant) -> None:
    """Raises PermissionDenied unless `user` may do `permission` at `tenant`; for services behind several doors."""
    if not may(user, permission, tenant):
        raise PermissionDenied(refusal(permission, tenant))


def refusal(permission: Permission, tenant: Tenant | None) -> str:
    """Why an action is refused, for a tooltip or the 403 page; `tenant` None: it is allowed at none of them."""
    where = f"at {tenant.name}" if tenant else "at one of these tenants"
    return f"This needs a role that lets you {permission.label} {where}."
