"""The secrets of vendors: sealed field by field, replaced, removed, and never read back but by a worker that connects.

A credential belongs to one tenant or, shared, to the company; shared ones are platform admins' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet

from console.access import policy, vault
from console.access.models import Tenant, User
from console.access.permissions import Permission
from console.audit.events import Event
from console.audit.services import record
from integrations_app.models import (
    Credential,
    CredentialSecret,
    Job,
    SecretChange,
    VendorAccount,
)
from integrations_app.services import secret_changes
from integrations_app.services.errors import InvalidError, StaleError
from integrations_app.vendors import registry
from integrations_app.vendors.base import CredentialField

FIELD_LENGTH = 4096


@dataclass(frozen=True)
class SecretStatus:
    """One field of a credential as pages show it: set when and by whom, its fingerprint, never the secret.

    `value` is the text of a field that is no secret (a client id).
    """

    field: CredentialField
    is_set: bool
    value: str = ""
    fingerprint: str = ""
    set_at: datetime | None = None
    set_by: User | None = None


# --- reading -----------------------------------------------------------------------------------------------------


def shared(vendor: str | None = None) -> QuerySet[Credential]:
    """The company's shared credentials (of one vendor), with `accounts_count`, how many accounts use each."""
    rows = Credential.objects.filter(tenant=None)
    if vendor is not None:
        rows = rows.filter(vendor=vendor)
    in_use = Count("vendor_accounts", filter=Q(vendor_accounts__removed_at=None))
    return rows.select_related("owner").annotate(accounts_count=in_use)


def where_used(credential: Credential) -> QuerySet[VendorAccount]:
    """The accounts that use it, by tenant."""
    accounts = VendorAccount.objects.in_use().filter(credential=credential)
    return accounts.select_related("tenant", "credential", "gate").order_by("tenant__name", "name")


def secret_status(credential: Credential) -> list[SecretStatus]:
    """Every field of the credential, in the vendor's order."""
    secrets = {secret.field: secret for secret in credential.secrets.select_related("set_by")}
    return [_status(field, credential, secrets.get(field.name)) for field in _fields(credential.vendor)]


def secret_history(credential: Credential, limit: int = 20) -> list[SecretChange]:
    """The latest attempts to replace the secret, newest first."""
    return list(credential.changes.select_related("requested_by")[:limit])


def open_fields(credential: Credential) -> dict[str, str]:
    """All fields in the clear, for connecting. Workers only."""
    tenant_vault = vault.TenantVault(credential.tenant_id)
    secrets = {
        secret.field: tenant_vault.unseal(secret.context, secret.sealed).decode() for secret in credential.secrets.all()
    }
    return {**credential.public_fields, **secrets}


def _status(field: CredentialField, credential: Credential, secret: CredentialSecret | None) -> SecretStatus:
    if not field.is_secret:
        value = str(credential.public_fields.get(field.name, ""))
        return SecretStatus(field, is_set=bool(value), value=value)
    if secret is None:
        return SecretStatus(field, is_set=False)
    return SecretStatus(field, True, "", secret.fingerprint, secret.set_at, secret.set_by)


def _fields(vendor: str) -> tuple[CredentialField, ...]:
    return registry.vendor(vendor).credential_fields


# --- writing -----------------------------------------------------------------------------------------------------


def checked_fields(vendor: str, fields: Mapping[str, str]) -> dict[str, str]:
    """The fields of a vendor's credential form, stripped; raises InvalidError for missing, unknown or overlong ones."""
    known = _fields(vendor)
    errors = {name: "This vendor has no such field." for name in fields if name not in {field.name for field in known}}
    cleaned = {field.name: fields.get(field.name, "").strip() for field in known}
    for field in known:
        value = cleaned[field.name]
        if not value:
            errors[field.name] = f"{field.label} is needed."
        elif len(value) > FIELD_LENGTH or not value.isprintable():
            errors[field.name] = f"{field.label} must be one line of at most {FIELD_LENGTH} characters."
    if errors:
        raise InvalidError(errors)
    return cleaned


def create(
    *,
    tenant: Tenant | None,
    by: User | None,
    vendor: str,
    name: str,
    fields: Mapping[str, str],
    expires_on: date | None = None,
    owner: User | None = None,
) -> Credential:
    """Seal a new credential, shared when `tenant` is None. Raises InvalidError; permissions are the caller's to
    check.
    """
    fields = checked_fields(vendor, fields)
    with transaction.atomic():
        credential = Credential.objects.create(
            tenant=tenant,
            vendor=vendor,
            name=checked_name(name),
            expires_on=expires_on,
            owner=owner,
        )
        set_fields(credential, fields, by=by)
        record(
            Event.CREDENTIAL_CREATED,
            by=by,
            tenant=tenant,
            target=credential,
            detail={"vendor": vendor},
        )
    return credential


def create_shared(
    *,
    by: User,
    vendor: str,
    name: str,
    fields: Mapping[str, str],
    expires_on: date | None = None,
    owner: User | None = None,
) -> Credential:
    """Seal a credential of the company. Raises PermissionDenied unless `by` is a platform admin, InvalidError."""
    require_platform_admin(by)
    return create(
        tenant=None,
        by=by,
        vendor=vendor,
        name=name,
        fields=fields,
        expires_on=expires_on,
        owner=owner or by,
    )


def set_fields(credential: Credential, fields: Mapping[str, str], *, by: User | None) -> None:
    """Write every field of the credential: secret ones sealed, the others in the clear. Inside a transaction."""
    tenant_vault = vault.TenantVault(credential.tenant_id)
    secret_names = {field.name for field in _fields(credential.vendor) if field.is_secret}
    credential.public_fields = {name: value for name, value in fields.items() if name not in secret_names}
    credential.save(update_fields=["public_fields"])
    credential.secrets.all().delete()
    for name in sorted(secret_names):
        secret = CredentialSecret(credential=credential, field=name, set_by=by)
        plain = fields[name].encode()
        secret.sealed, secret.fingerprint = (
            tenant_vault.seal(secret.context, plain),
            tenant_vault.fingerprint(plain),
        )
        secret.save()


def change(
    credential: Credential,
    *,
    by: User,
    version: int,
    name: str,
    owner: User | None,
    expires_on: date | None,
) -> Credential:
    """Rename a shared credential, or change its owner or its last day.

    Raises PermissionDenied unless `by` is a platform admin, StaleError, InvalidError.
    """
    require_platform_admin(by)
    new = {"name": checked_name(name), "owner": owner, "expires_on": expires_on}
    changed = [field for field, value in new.items() if getattr(credential, field) != value]
    with transaction.atomic():
        if not take_version(credential, version):
            raise StaleError(
                f"“{credential}” was changed by somebody else meanwhile. Look again, then repeat your change."
            )
        Credential.objects.filter(pk=credential.pk).update(**new)
        detail = {"fields": ", ".join(changed) or "nothing"}
        record(Event.CREDENTIAL_CHANGED, by=by, target=credential, detail=detail)
    credential.refresh_from_db()
    return credential


def take_version(credential: Credential, version: int) -> bool:
    """Move the credential from `version` to the next; False when it is at another one. Inside a transaction."""
    rows = Credential.objects.filter(pk=credential.pk, version=version)
    return rows.update(version=F("version") + 1) == 1


def request_replacement(
    credential: Credential,
    *,
    by: User,
    fields: Mapping[str, str],
    version: int,
    expires_on: date | None = None,
    reason: str = "",
) -> Job | None:
    """Replace the secret of a shared credential, tested first through one of the accounts that use it.

    Without any account there is nothing to test it with: then it is replaced at once and None returned.
    Raises PermissionDenied unless `by` is a platform admin, StaleError, InvalidError; also where `by` may set secrets
    at none of the tenants that use it.
    """
    require_platform_admin(by)
    accounts = where_used(credential)
    # The test is a job inside a tenant, so it takes one where this person may set secrets.
    mine = accounts.filter(tenant__in=policy.tenants_where(by, Permission.CREDENTIAL_MANAGE).values("id"))
    account = mine.first()
    if account is None and accounts.exists():
        raise InvalidError(
            {"": "You may set secrets at none of the tenants that use it, so it cannot be tested first."}
        )
    if account is not None:
        return secret_changes.request(
            account,
            by=by,
            fields=fields,
            version=version,
            expires_on=expires_on,
            reason=reason,
        )
    fields = checked_fields(credential.vendor, fields)
    with transaction.atomic():
        if not take_version(credential, version):
            raise StaleError(f"The secret of “{credential}” was replaced by somebody else meanwhile.")
        Credential.objects.filter(pk=credential.pk).update(expires_on=expires_on)
        set_fields(credential, fields, by=by)
        record(Event.CREDENTIAL_REPLACED, by=by, target=credential, reason=reason)
    return None


def remove(credential: Credential, *, by: User, reason: str = "") -> None:
    """Delete a shared credential; raises InvalidError while an account uses it, PermissionDenied."""
    require_platform_admin(by)
    with transaction.atomic():
        used_by = VendorAccount.objects.in_use().filter(credential=credential).count()
        if used_by:
            raise InvalidError(
                {"": f"{used_by} vendor accounts still use it. Remove them or give them another one first."}
            )
        record(Event.CREDENTIAL_REMOVED, by=by, target=credential, reason=reason)
        VendorAccount.objects.filter(credential=credential).update(credential=None)
        credential.delete()


def checked_name(name: str) -> str:
    """A name that can be shown; raises InvalidError."""
    name = name.strip()
    if not name or len(name) > 120 or not name.isprintable():
        raise InvalidError({"name": "A name of 1 to 120 characters is needed."})
    return name


def require_platform_admin(user: User) -> None:
    """Raises PermissionDenied for everybody else."""
    if not (user.is_active and user.is_platform_admin):
        raise PermissionDenied(
            "Shared credentials open every tenant of the company; only platform admins may use them."
        )
