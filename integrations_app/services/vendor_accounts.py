"""Vendor accounts: added, changed, removed, and connected to by workers. Their state is `account_health`'s."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from console.access import policy
from console.access.models import Tenant, User
from console.access.permissions import Permission
from console.audit.events import Event
from console.audit.services import record
from console.paging import capped_count
from integrations_app.models import (
    Credential,
    Integration,
    Job,
    Schedule,
    VendorAccount,
)
from integrations_app.services import (
    credentials,
    jobs,
    regions,
    schedules,
    secret_changes,
    vendor_gates,
)
from integrations_app.services.account_health import (
    ShownState,
    note_failure,
    note_success,
    note_test,
    shown_state,
    without_secrets,
)
from integrations_app.services.credentials import secret_history, secret_status
from integrations_app.services.errors import InvalidError, StaleError
from integrations_app.services.job_types import JOB_TYPES
from integrations_app.services.regions import regions_for
from integrations_app.vendors import registry
from integrations_app.vendors.base import AccountReport, Connection, VendorClient
from integrations_app.vendors.errors import VendorAuthError, VendorError, VendorUnsupportedError

__all__ = [
    "ShownState",
    "add",
    "change",
    "connect",
    "dependants",
    "for_page",
    "note_failure",
    "note_success",
    "regions_for",
    "remove",
    "request_search",
    "request_secret_change",
    "request_sync",
    "request_test",
    "secret_history",
    "secret_status",
    "shown_state",
]

request_secret_change = secret_changes.request


# --- reading -----------------------------------------------------------------------------------------------------


def for_page(where: Tenant | QuerySet[Tenant]) -> QuerySet[VendorAccount]:
    """The accounts in use of a tenant (or of several), with what `shown_state` needs and `integrations_count`."""
    rows = VendorAccount.objects.in_use()
    rows = rows.for_tenant(where) if isinstance(where, Tenant) else rows.for_tenants(where)
    present = Integration.objects.filter(vendor_account=OuterRef("pk"), gone_at=None).order_by()
    counted = present.values("vendor_account").annotate(number=Count("pk")).values("number")
    return rows.select_related("credential", "gate", "tenant", "owner").annotate(
        integrations_count=Coalesce(Subquery(counted), 0)
    )


# --- changing ----------------------------------------------------------------------------------------------------


def add(
    *,
    tenant: Tenant,
    by: User,
    vendor: str,
    name: str,
    region: str,
    binding: Mapping[str, str] | None = None,
    fields: Mapping[str, str] | None = None,
    credential: Credential | None = None,
    expires_on: date | None = None,
    owner: User | None = None,
    every_seconds: int = 3600,
    reason: str = "",
) -> VendorAccount:
    """Add an account with a secret of the tenant's own (`fields`) or bound to a shared `credential`.

    It is synced every `every_seconds`, 0 for never by itself. Raises PermissionDenied (binding a shared credential is a
    platform admin's decision), InvalidError.
    """
    policy.require(by, Permission.VENDOR_ACCOUNT_MANAGE, tenant)
    account = VendorAccount(
        tenant=tenant,
        vendor=vendor,
        name=_free_name(tenant, vendor, credentials.checked_name(name)),
        region=regions.region(vendor, region).slug,
        binding=secret_changes.checked_binding(vendor, binding or {}),
        owner=owner or by,
    )
    with transaction.atomic():
        account.credential = (
            _own(account, by, fields, expires_on) if credential is None else _shared(credential, vendor, by)
        )
        _save_new(account)
        detail = {"vendor": vendor, "region": account.region}
        record(
            Event.VENDOR_ACCOUNT_ADDED,
            by=by,
            tenant=tenant,
            target=account,
            detail=detail,
            reason=reason,
        )
        if credential is not None:
            detail = {"credential": credential.name}
            record(
                Event.CREDENTIAL_BOUND,
                by=by,
                tenant=tenant,
                target=account,
                detail=detail,
                reason=reason,
            )
        if every_seconds:
            _check_span(every_seconds)
            schedules.set_schedule(account=account, every_seconds=every_seconds, by=by)
    return account


def _check_span(every_seconds: int) -> None:
    if not schedules.MIN_SECONDS <= every_seconds <= schedules.MAX_SECONDS:
        raise InvalidError({"every_seconds": "Syncs are at least five minutes and at most a month apart."})


def _free_name(tenant: Tenant, vendor: str, name: str, except_for: VendorAccount | None = None) -> str:
    taken = VendorAccount.objects.for_tenant(tenant).in_use().filter(vendor=vendor, name=name)
    if except_for is not None:
        taken = taken.exclude(pk=except_for.pk)
    if taken.exists():
        raise InvalidError({"name": f"{tenant.name} has an account of this name at this vendor already."})
    return name


def _own(
    account: VendorAccount,
    by: User,
    fields: Mapping[str, str] | None,
    expires_on: date | None,
) -> Credential:
    policy.require(by, Permission.CREDENTIAL_MANAGE, account.tenant)
    return credentials.create(
        tenant=account.tenant,
        by=by,
        vendor=account.vendor,
        name=account.name,
        fields=fields or {},
        expires_on=expires_on,
        owner=account.owner,
    )


def _shared(credential: Credential, vendor: str, by: User) -> Credential:
    credentials.require_platform_admin(by)
    if not credential.is_shared or credential.vendor != vendor:
        raise InvalidError({"credential": "This is not a shared credential of this vendor."})
    return credential


def _save_new(account: VendorAccount) -> None:
    try:
        with transaction.atomic():
            account.save(force_insert=True)
    except IntegrityError as error:  # somebody added one of the same name in the same moment
        raise InvalidError({"name": "An account of this name is here already."}) from error


def change(
    account: VendorAccount,
    *,
    by: User,
    version: int,
    name: str,
    owner: User | None,
    expires_on: date | None,
    every_seconds: int | None = None,
    reason: str = "",
) -> VendorAccount:
    """Change what needs no secret: name, owner, the secret's last day (a tenant's own), how often it is synced.

    `every_seconds` None leaves the schedule, 0 pauses it. Raises StaleError when the account left `version` meanwhile,
    InvalidError, PermissionDenied.
    """
    policy.require(by, Permission.VENDOR_ACCOUNT_MANAGE, account.tenant)
    name = _free_name(
        account.tenant,
        account.vendor,
        credentials.checked_name(name),
        except_for=account,
    )
    credential = account.credential
    changed = [field for field, value in (("name", name), ("owner", owner)) if getattr(account, field) != value]
    with transaction.atomic():
        rows = VendorAccount.objects.in_use().filter(pk=account.pk, version=version)
        if not rows.update(name=name, owner=owner, version=F("version") + 1):
            raise StaleError(
                f"“{account}” was changed by somebody else meanwhile. Look again, then repeat your change."
            )
        if credential is not None and not credential.is_shared and credential.expires_on != expires_on:
            Credential.objects.filter(pk=credential.pk).update(expires_on=expires_on)
            changed.append("expiry date")
        if every_seconds is not None:
            _reschedule(account, every_seconds, by)
        if changed:
            detail = {"fields": ", ".join(changed)}
            record(
                Event.VENDOR_ACCOUNT_CHANGED,
                by=by,
                tenant=account.tenant,
                target=account,
                detail=detail,
                reason=reason,
            )
    account.refresh_from_db()
    return account


def _reschedule(account: VendorAccount, every_seconds: int, by: User) -> None:
    now = schedules.find(account)
    is_paused = every_seconds == 0
    if now is None:
        if not is_paused:
            _check_span(every_seconds)
            schedules.set_schedule(account=account, every_seconds=every_seconds, by=by)
        return
    every_seconds = every_seconds or now.every_seconds
    _check_span(every_seconds)
    if (now.every_seconds, now.is_paused) != (every_seconds, is_paused):
        schedules.set_schedule(account=account, every_seconds=every_seconds, by=by, is_paused=is_paused)


def dependants(account: VendorAccount) -> list[str]:
    """What stands on an account and is touched when it is removed, in words, for the page that asks whether to."""
    found = []
    cap = 10_000
    if count := capped_count(Integration.objects.for_tenant(account.tenant).filter(vendor_account=account), cap + 1):
        number = f"{cap:,}+" if count > cap else f"{count:,}"
        found.append(f"{number} integration{'' if count == 1 else 's'}: kept, but never looked at again")
    for schedule in Schedule.objects.for_tenant(account.tenant).filter(vendor_account=account):
        found.append(f"The {JOB_TYPES[schedule.job_type].label.lower()} {schedules.describe(schedule)}: ends")
    if count := Job.objects.for_tenant(account.tenant).open().filter(vendor_account=account).count():
        found.append(f"{count} open job{'' if count == 1 else 's'}: cancelled")
    return found


def remove(account: VendorAccount, *, by: User, reason: str) -> None:
    """Remove an account: its own secret and its schedules are deleted, its open jobs cancelled, its integrations stay.

    Does nothing when it was removed before. Raises PermissionDenied.
    """
    policy.require(by, Permission.VENDOR_ACCOUNT_MANAGE, account.tenant)
    credential = account.credential
    with transaction.atomic():
        rows = VendorAccount.objects.in_use().filter(pk=account.pk)
        if not rows.update(removed_at=timezone.now(), credential=None, version=F("version") + 1):
            return
        Schedule.objects.for_tenant(account.tenant).filter(vendor_account=account).delete()
        vendor_gates.reset(account)
        if credential is not None and not credential.is_shared:
            record(
                Event.CREDENTIAL_REMOVED,
                by=by,
                tenant=account.tenant,
                target=credential,
                reason=reason,
            )
            credential.delete()
        record(
            Event.VENDOR_ACCOUNT_REMOVED,
            by=by,
            tenant=account.tenant,
            target=account,
            reason=reason,
        )
    for job in Job.objects.for_tenant(account.tenant).open().filter(vendor_account=account):
        jobs.cancel(job=job, by=by)
    account.refresh_from_db()


# --- jobs --------------------------------------------------------------------------------------------------------


def request_test(account: VendorAccount, *, by: User) -> Job:
    """Ask for a test of the account; while one is open, that one."""
    return jobs.request(
        "test_account",
        tenant=account.tenant,
        by=by,
        target=account,
        key=f"test_account:{account.pk}",
    )


def request_sync(account: VendorAccount, *, by: User | None) -> Job:
    """Ask for a sync of the account; while one is open, that one."""
    return jobs.request("sync_account", tenant=account.tenant, by=by, target=account)


def request_syncs(accounts: Iterable[VendorAccount], *, by: User) -> list[Job]:
    """Ask for a sync of each account, all or none, and hand them to the workers once."""
    with transaction.atomic():
        return [request_sync(account, by=by) for account in accounts]


def request_search(account: VendorAccount, *, by: User, filters: Mapping[str, str], cursor: str = "") -> Job:
    """Ask the vendor itself with its own filters; the job's result holds the hits and never touches the mirror."""
    params: dict[str, Any] = {
        "filters": {name: value for name, value in filters.items() if value},
        "cursor": cursor,
    }
    return jobs.request("search_vendor", tenant=account.tenant, by=by, target=account, params=params)


# --- in the worker -----------------------------------------------------------------------------------------------


def connect(account: VendorAccount, needs: type | None = None) -> VendorClient:
    """A client for the account, its secret in the clear inside. Workers only.

    Raises VendorAuthError when there is no secret (removed) or it has expired, VendorUnsupportedError when the vendor
    does not offer `needs`, InvalidError when its region is not available any more.
    """
    credential = account.credential
    context: dict[str, Any] = {"vendor": account.vendor, "operation": "connect"}
    if credential is None or account.is_removed:
        raise VendorAuthError("The account was removed; it has no secret any more.", **context)
    if credential.expires_on is not None and credential.expires_on < timezone.now().date():
        raise VendorAuthError(f"The secret expired on {credential.expires_on:%-d %b %Y}.", **context)
    client = registry.vendor(account.vendor)
    if needs is not None and not issubclass(client, needs):
        reason = client.unsupported_reasons.get(needs.__name__, "The vendor does not offer this.")
        raise VendorUnsupportedError(reason, **context)
    gates = vendor_gates.for_account(account)
    return client(
        Connection(
            region=regions.region(account.vendor, account.region),
            credential=credentials.open_fields(credential),
            binding=account.binding,
            budget=gates.budget,
            breaker=gates.breaker,
            tokens=gates.tokens,
            allowed_networks=regions.allowed_networks(account.vendor, account.region),
        )
    )


def test(account: VendorAccount, *, by: User | None) -> AccountReport:
    """Ask the vendor what the secret is good for and write the answers down; raises VendorError when it does not
    answer.
    """
    began = time.monotonic()
    try:
        report = without_secrets(account, connect(account).test_account())
    except VendorError as error:
        note_failure(account, error)
        raise
    note_test(account, report, seconds=round(time.monotonic() - began, 3), by=by)
    return report
