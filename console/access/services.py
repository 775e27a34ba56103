"""What can be done with users, tenants and grants; the only writers of the access models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from console.access import policy
from console.access.models import (
    Grant,
    Role,
    RolePermission,
    Team,
    TeamMember,
    Tenant,
    TenantLabel,
    User,
)
from console.access.permissions import Permission
from console.access.roles import BUILTIN_ROLES, OWNER
from console.audit.events import Event
from console.audit.services import record


class StaleError(Exception):
    """What a form was drawn from has changed meanwhile; nothing was saved. The text says so to the person."""


@transaction.atomic
def sync_builtin_roles() -> None:
    """Make the rows of the built-in roles equal to `roles.py`; custom roles are left alone."""
    for position, builtin in enumerate(BUILTIN_ROLES):
        role, _ = Role.objects.update_or_create(
            slug=builtin.slug,
            defaults={"name": builtin.name, "summary": builtin.summary, "is_builtin": True, "position": position},
        )
        wanted = {permission.value for permission in builtin.permissions}
        role.permissions.exclude(permission__in=wanted).delete()
        present = set(role.permissions.values_list("permission", flat=True))
        RolePermission.objects.bulk_create(
            RolePermission(role=role, permission=permission) for permission in sorted(wanted - present)
        )


# --- users -------------------------------------------------------------------------------------------------------


def has_users() -> bool:
    """Whether anybody can sign in yet; False on a new installation."""
    return User.objects.exists()


@transaction.atomic
def create_user(
    *,
    email: str,
    name: str,
    password: str | None,
    by: User | None,
    is_platform_admin: bool = False,
    time_zone: str = "UTC",
) -> User:
    """Create an account; raises ValidationError when the e-mail is taken or malformed."""
    user = User(
        email=User.objects.normalize_email(email).lower(),
        name=name.strip(),
        is_platform_admin=is_platform_admin,
        time_zone=time_zone,
    )
    user.set_password(password)
    user.full_clean(exclude=["password"])
    if is_second_address(user.email):
        raise ValidationError({"email": "Somebody who is here already signs in with this address too."})
    user.save()
    # The address that the account was made for. Without a confirmed one, a person could make any address theirs that
    # they type, and receive what is given to somebody else by e-mail.
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    record(Event.USER_CREATED, by=by, target=user, detail={"is_platform_admin": is_platform_admin})
    return user


def is_second_address(email: str) -> bool:
    """Whether somebody has confirmed this address as another one of theirs."""
    return bool(EmailAddress.objects.filter(email__iexact=email, verified=True).exists())


@transaction.atomic
def create_first_user(*, email: str, name: str, password: str, time_zone: str = "UTC") -> User:
    """Create the owner of a new installation; raises PermissionDenied once anybody exists."""
    if User.objects.select_for_update().exists():
        raise PermissionDenied("This console has its first user already: sign in, or ask for an invitation.")
    return create_user(email=email, name=name, password=password, by=None, is_platform_admin=True, time_zone=time_zone)


@transaction.atomic
def change_profile(*, user: User, name: str, time_zone: str) -> None:
    """Save what a person says of themselves."""
    user.name, user.time_zone = name.strip(), time_zone
    user.full_clean(exclude=["password"])
    user.save(update_fields=["name", "time_zone"])
    record(Event.USER_CHANGED, by=user, target=user)


# --- tenants -----------------------------------------------------------------------------------------------------


@transaction.atomic
def create_tenant(
    *,
    by: User,
    name: str,
    slug: str,
    external_id: str = "",
    labels: Iterable[str] = (),
    notes: str = "",
    time_zone: str = "UTC",
    colour: str = Tenant.Colour.BLUE,
) -> Tenant:
    """Add a tenant and make its creator its owner, by a grant like any other.

    Raises PermissionDenied unless `by` is a platform admin, ValidationError for a taken or malformed address.
    """
    if not by.is_platform_admin:
        raise PermissionDenied("Only platform admins add tenants.")
    tenant = Tenant(
        name=name.strip(),
        slug=slug,
        external_id=external_id.strip(),
        owner=by,
        notes=notes,
        time_zone=time_zone,
        colour=colour,
    )
    tenant.full_clean()
    tenant.save()
    _set_labels(tenant, labels)
    record(Event.TENANT_CREATED, by=by, tenant=tenant, target=tenant)
    owner = Role.objects.get(slug=OWNER.slug)
    _save_grant(Grant(user=by, role=owner, tenant=tenant, granted_by=by, reason="Created the tenant"), by=by)
    return tenant


@transaction.atomic
def change_tenant(
    *, tenant: Tenant, by: User, version: int, labels: Iterable[str], changes: Mapping[str, Any]
) -> Tenant:
    """Save settings drawn from `version` of the tenant; raises StaleError when somebody else saved meanwhile.

    `changes` may hold name, external_id, owner, notes, time_zone, colour. The address (slug) never changes: it
    stands in tickets.
    """
    policy.require(by, Permission.TENANT_SETTINGS, tenant)
    current = Tenant.objects.select_for_update().get(id=tenant.id)
    if current.version != version:
        raise StaleError("Somebody else saved these settings while you were typing. Compare and save again.")
    changed = sorted(name for name, value in changes.items() if getattr(current, name) != value)
    for name in changed:
        setattr(current, name, changes[name])
    if _set_labels(current, labels):
        changed.append("labels")
    if not changed:
        return current
    current.version += 1
    current.full_clean()
    current.save()
    record(
        Event.TENANT_CHANGED,
        by=by,
        tenant=current,
        target=current,
        detail={"fields": ", ".join(changed).replace("_", " ")},
    )
    return current


def _set_labels(tenant: Tenant, labels: Iterable[str]) -> bool:
    wanted = {label.strip()[:40] for label in labels if label.strip()}
    present = set(tenant.labels.values_list("name", flat=True))
    tenant.labels.filter(name__in=present - wanted).delete()
    TenantLabel.objects.bulk_create(TenantLabel(tenant=tenant, name=name) for name in sorted(wanted - present))
    return wanted != present


# --- grants ------------------------------------------------------------------------------------------------------


def grantable_roles(by: User, tenant: Tenant) -> list[Role]:
    """The roles `by` may give at `tenant`: those whose every permission they hold there themselves."""
    held = policy.permissions_at(by, tenant)
    roles = Role.objects.prefetch_related("permissions")
    return [role for role in roles if {p.permission for p in role.permissions.all()} <= {p.value for p in held}]


@transaction.atomic
def give_role(
    *,
    tenant: Tenant,
    user: User,
    role: Role,
    by: User,
    expires_at: datetime | None = None,
    reason: str = "",
    ticket: str = "",
) -> Grant:
    """Let `user` act at `tenant` in `role`; a grant they hold already in the same role is returned, its end moved.

    Raises PermissionDenied when `by` may not manage people there or does not hold all that the role gives,
    ValidationError when the end lies in the past.
    """
    check_may_give(tenant, role, by, expires_at)
    _lock_grants(tenant)
    grant = Grant.objects.select_for_update().filter(tenant=tenant, user=user, role=role).first()
    grant = grant or Grant(tenant=tenant, user=user, role=role)
    if expires_at is not None and not grant._state.adding:
        _check_owner_remains(grant)
    grant.expires_at, grant.reason, grant.ticket, grant.granted_by = expires_at, reason, ticket, by
    return _save_grant(grant, by=by)


def check_may_give(tenant: Tenant, role: Role, by: User, expires_at: datetime | None) -> None:
    """Whether `by` may give `role` at `tenant` until `expires_at`; raises what `give_role` raises."""
    policy.require(by, Permission.PEOPLE_MANAGE, tenant)
    if role not in grantable_roles(by, tenant):
        raise PermissionDenied(f"You can only give roles whose permissions you hold yourself; {role} gives more.")
    if expires_at is not None and expires_at <= timezone.now():
        raise ValidationError({"expires_at": "This moment has passed."})


def _lock_grants(tenant: Tenant) -> None:
    """One change of a tenant's grants at a time: two at once would make one grant twice, or leave no owner."""
    Tenant.objects.select_for_update(of=("self",)).only("pk").get(pk=tenant.pk)


def _check_owner_remains(grant: Grant) -> None:
    """Raises ValidationError when nobody else owns the tenant without an end: somebody must be able to let others in.

    A grant that has an end itself may go: it was not what kept the tenant.
    """
    if grant.role.slug != OWNER.slug or grant.is_pass:
        return
    others = Grant.objects.filter(tenant=grant.tenant_id, role=grant.role, expires_at=None).exclude(id=grant.id)
    if not others.exists():
        raise ValidationError("This is the last owner. Give somebody else the role first.")


def _save_grant(grant: Grant, *, by: User | None) -> Grant:
    grant.save()
    until = grant.expires_at.isoformat() if grant.expires_at else ""
    detail = {"subject": str(grant.user or grant.team), "role": str(grant.role), "scope": grant.scope, "until": until}
    detail |= {"label": grant.label, "ticket": grant.ticket}
    record(Event.GRANT_GIVEN, by=by, tenant=grant.tenant, target=grant, detail=detail, reason=grant.reason)
    return grant


@transaction.atomic
def give_role_everywhere(
    *, subject: User | Team, role: Role, by: User | None, label: str = "", reason: str = ""
) -> Grant:
    """Let a person or a team act in `role` at every tenant, or at every one that carries `label`.

    Raises PermissionDenied unless `by` is a platform admin, or nobody: the set-up itself.
    """
    if by is not None and not by.is_platform_admin:
        raise PermissionDenied("Only platform admins give access to several tenants at once.")
    scope = Grant.Scope.LABEL if label else Grant.Scope.ALL
    grant = Grant(role=role, scope=scope, label=label, granted_by=by, reason=reason)
    if isinstance(subject, Team):
        grant.team = subject
    else:
        grant.user = subject
    return _save_grant(grant, by=by)


@transaction.atomic
def remove_grant(*, grant: Grant, tenant: Tenant, by: User) -> None:
    """End a grant of one tenant now.

    Raises PermissionDenied when `by` may not manage people there or the role gives more than they hold themselves, and
    ValidationError for the last owner: somebody must remain who can let others in.
    """
    policy.require(by, Permission.PEOPLE_MANAGE, tenant)
    if grant.tenant_id != tenant.id:
        raise PermissionDenied("This access reaches further than this tenant; a platform admin can end it.")
    if grant.role not in grantable_roles(by, tenant):
        raise PermissionDenied(f"You can only take roles whose permissions you hold yourself; {grant.role} gives more.")
    _lock_grants(tenant)
    _check_owner_remains(grant)
    detail = {"subject": str(grant.user or grant.team), "role": str(grant.role)}
    record(Event.GRANT_REMOVED, by=by, tenant=tenant, target=grant, detail=detail)
    grant.delete()


# --- teams -------------------------------------------------------------------------------------------------------


@transaction.atomic
def create_team(*, name: str, members: Iterable[User], by: User) -> Team:
    """Add a team; what is given to it is given to its members, those of today and later ones.

    Raises PermissionDenied unless `by` is a platform admin, ValidationError when there is a team of this name.
    """
    if not by.is_platform_admin:
        raise PermissionDenied("Only platform admins make teams: a team may have access to several tenants.")
    team = Team(name=name.strip())
    team.full_clean()
    team.save()
    joined = list(members)
    TeamMember.objects.bulk_create(TeamMember(team=team, user=user) for user in joined)
    record(Event.TEAM_CREATED, by=by, target=team, detail={"members": ", ".join(str(user) for user in joined)})
    return team


@transaction.atomic
def end_own_pass(*, tenant: Tenant, by: User) -> bool:
    """End the support passes that `by` holds at exactly this tenant; False when there was none to end."""
    passes = list(
        Grant.objects.active().filter(user=by, tenant=tenant, expires_at__isnull=False).select_related("role")
    )
    for grant in passes:
        detail = {"subject": str(by), "role": str(grant.role)}
        record(Event.GRANT_REMOVED, by=by, tenant=tenant, target=grant, detail=detail, reason="Ended by its holder")
        grant.delete()
    return bool(passes)
