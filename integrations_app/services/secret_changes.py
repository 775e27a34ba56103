"""A new secret on its way in: kept sealed, tested by a worker, applied only when it works and opens the same account.

Region and binding (end user, tenant key) change only together with the secret, typed anew: otherwise whoever may edit
an account could point a stored secret at another place without knowing it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from console.access import policy, vault
from console.access.models import User
from console.access.permissions import Permission
from console.audit.events import Event
from console.audit.services import record
from integrations_app.models import Job, SecretChange, VendorAccount
from integrations_app.services import (
    account_health,
    credentials,
    jobs,
    regions,
    vendor_gates,
)
from integrations_app.services.errors import InvalidError, StaleError
from integrations_app.vendors import registry
from integrations_app.vendors.base import AccountReport, Connection
from integrations_app.vendors.errors import VendorError, VendorRateLimitError

JOB_TYPE = "change_secret"
Outcome = SecretChange.Outcome

_BUSY = "Another new secret for this account is being tested right now."


def request(
    account: VendorAccount,
    *,
    by: User,
    fields: Mapping[str, str],
    version: int,
    region: str = "",
    binding: Mapping[str, str] | None = None,
    expires_on: date | None = None,
    reason: str = "",
) -> Job:
    """Keep a new secret for an account and have it tested; nothing changes before that has succeeded.

    `version` is the credential's, as the form was drawn. `region` "" and `binding` None stay as they are. Raises
    PermissionDenied (a shared credential's secret and binding are a platform admin's), StaleError, InvalidError.
    """
    credential = account.credential
    policy.require(by, Permission.CREDENTIAL_MANAGE, account.tenant)
    if credential is None:
        raise InvalidError({"": "This account was removed."})
    if credential.is_shared:
        credentials.require_platform_admin(by)
    if credential.version != version:
        raise StaleError(f"The secret of “{account}” was replaced by somebody else meanwhile.")
    cleaned = credentials.checked_fields(account.vendor, fields)
    change = SecretChange(
        tenant_id=credential.tenant_id,
        credential=credential,
        region=regions.region(account.vendor, region).slug if region else "",
        binding=checked_binding(account.vendor, binding) if binding is not None else {},
        expires_on=expires_on,
        reason=reason[:300],
        requested_by=by,
        credential_version=version,
    )
    _seal(change, account.vendor, cleaned)
    with transaction.atomic():
        _abandon_older(change, account)
        change.save()
        params = {"secret_change": str(change.pk)}
        key = f"{JOB_TYPE}:{account.pk}"
        job = jobs.request(
            JOB_TYPE,
            tenant=account.tenant,
            by=by,
            target=account,
            params=params,
            reason=reason,
            key=key,
        )
        if job.params != params:  # somebody else asked in the same moment, and their secret is the one being tested
            raise InvalidError({"": _BUSY})
    return job


def checked_binding(vendor: str, binding: Mapping[str, str]) -> dict[str, str]:
    """What binds an account at its vendor, stripped; raises InvalidError for missing, unknown or overlong fields."""
    known = registry.vendor(vendor).binding_fields
    errors = {name: "This vendor has no such field." for name in binding if name not in {field.name for field in known}}
    cleaned = {field.name: binding.get(field.name, "").strip() for field in known}
    for field in known:
        value = cleaned[field.name]
        if not value and field.is_required:
            errors[field.name] = f"{field.label} is needed."
        elif len(value) > 300 or not value.isprintable():
            errors[field.name] = f"{field.label} must be one line of at most 300 characters."
    if errors:
        raise InvalidError(errors)
    return cleaned


def _seal(change: SecretChange, vendor: str, fields: Mapping[str, str]) -> None:
    secret_names = {field.name for field in registry.vendor(vendor).credential_fields if field.is_secret}
    tenant_vault = vault.TenantVault(change.tenant_id)
    change.public_fields = {name: value for name, value in fields.items() if name not in secret_names}
    change.sealed = tenant_vault.seal(
        change.context,
        orjson.dumps({name: fields[name] for name in sorted(secret_names)}),
    )
    change.fingerprint = _fingerprint(tenant_vault, fields, secret_names)
    change.previous_fingerprint = ", ".join(
        change.credential.secrets.order_by("field").values_list("fingerprint", flat=True)
    )[:16]


def _fingerprint(tenant_vault: vault.TenantVault, fields: Mapping[str, str], names: set[str]) -> str:
    return ", ".join(tenant_vault.fingerprint(fields[name].encode()) for name in sorted(names))[:16]


def _abandon_older(change: SecretChange, account: VendorAccount) -> None:
    """One new secret at a time: what nobody works on any more is given up, what is being tested goes first."""
    if Job.objects.for_tenant(account.tenant).open().filter(key=f"{JOB_TYPE}:{account.pk}").exists():
        raise InvalidError({"": _BUSY})
    older = SecretChange.objects.filter(credential=change.credential, outcome=Outcome.PENDING)
    older.update(outcome=Outcome.ABANDONED, sealed=None, decided_at=timezone.now())


# --- in the worker -----------------------------------------------------------------------------------------------


def decide(account: VendorAccount, change_id: uuid.UUID) -> SecretChange:
    """Test a new secret and apply or refuse it; run again, it returns what was decided.

    Raises the VendorError of a vendor that did not answer: then the change is given up and nothing is different; but
    one that asks to wait is asked again later.
    """
    change = SecretChange.objects.select_related("credential", "requested_by").get(pk=change_id)
    if change.outcome != Outcome.PENDING or change.sealed is None:
        return change
    if change.credential.is_shared and not _is_by_platform_admin(change):
        _close(change, Outcome.ABANDONED, "Whoever asked is no platform admin any more. Nothing was changed.")
        change.refresh_from_db()
        return change
    fields = {**change.public_fields, **_opened(change)}
    try:
        report = _test(account, change, fields)
    except VendorRateLimitError:
        raise
    except VendorError as error:
        _close(change, Outcome.ABANDONED, f"{error.message} Nothing was changed.")
        raise
    refusal = _refusal(account, change, report)
    if refusal:
        _close(change, Outcome.REFUSED, refusal)
    elif not _apply(account, change, fields, report):
        _close(
            change,
            Outcome.ABANDONED,
            "The secret was replaced by somebody else meanwhile. Nothing was changed.",
        )
    change.refresh_from_db()
    return change


def _is_by_platform_admin(change: SecretChange) -> bool:
    user = change.requested_by
    return user is not None and user.is_active and user.is_platform_admin


def _opened(change: SecretChange) -> dict[str, str]:
    plain: dict[str, str] = orjson.loads(vault.unseal(change.tenant_id, change.context, change.sealed or b""))
    return plain


def _test(account: VendorAccount, change: SecretChange, fields: Mapping[str, str]) -> AccountReport:
    """Ask the vendor with the new secret. Without the breaker, which counts the old one's failures, and the token
    store.
    """
    where = regions.region(account.vendor, change.region or account.region)
    connection = Connection(
        region=where,
        credential=fields,
        binding=change.binding or account.binding,
        budget=vendor_gates.for_account(account).budget,
        allowed_networks=regions.allowed_networks(account.vendor, where.slug),
    )
    report = registry.vendor(account.vendor)(connection).test_account()
    return account_health.without_secrets(account, report)


def _refusal(account: VendorAccount, change: SecretChange, report: AccountReport) -> str:
    """Why the new secret is not taken, "" when it is."""
    if account_health.state_of(report) == VendorAccount.State.FAILING:
        answers = "; ".join(f"{probe.name}: {probe.answer}" for probe in report.probes if not probe.ok)
        return f"The new secret does not work ({answers or 'no answer'}). Nothing was changed."[:300]
    is_elsewhere = bool(change.region and change.region != account.region) or bool(
        change.binding and change.binding != account.binding
    )
    if not is_elsewhere and account.identity and report.identity and account.identity != report.identity:
        return (
            f"The new secret opens another account at the vendor (“{report.identity[:80]}” instead of"
            f" “{account.identity[:80]}”). Nothing was changed."
        )
    return ""


def _apply(
    account: VendorAccount,
    change: SecretChange,
    fields: Mapping[str, str],
    report: AccountReport,
) -> bool:
    """Put the new secret in place for every account that uses it; False when another change was faster."""
    credential = change.credential
    moved = _moved(account, change)
    with transaction.atomic():
        # Given up meanwhile (this worker was taken for lost), or somebody else replaced the secret.
        if not _is_pending(change) or not credentials.take_version(credential, change.credential_version):
            return False
        credential.expires_on = change.expires_on
        credential.save(update_fields=["expires_on"])
        credentials.set_fields(credential, fields, by=change.requested_by)
        if moved:
            VendorAccount.objects.filter(pk=account.pk).update(version=F("version") + 1, **moved)
        for user in VendorAccount.objects.filter(credential=credential):
            vendor_gates.reset(user)
        _close(change, Outcome.APPLIED, "")
        who: dict[str, Any] = {
            "by": change.requested_by,
            "tenant": account.tenant,
            "reason": change.reason,
        }
        detail = {
            "fingerprint": change.fingerprint,
            "previous": change.previous_fingerprint,
        }
        record(Event.CREDENTIAL_REPLACED, target=credential, detail=detail, **who)
        if moved:
            record(
                Event.VENDOR_ACCOUNT_CHANGED,
                target=account,
                detail={"fields": ", ".join(moved)},
                **who,
            )
    account.refresh_from_db()
    account_health.note_report(account, report)
    return True


def _moved(account: VendorAccount, change: SecretChange) -> dict[str, Any]:
    wanted = {"region": change.region, "binding": change.binding}
    return {field: value for field, value in wanted.items() if value and value != getattr(account, field)}


def _is_pending(change: SecretChange) -> bool:
    """Whether nobody has decided the change, its row locked until the transaction ends."""
    pending = SecretChange.objects.select_for_update().filter(pk=change.pk, outcome=Outcome.PENDING)
    return pending.values_list("pk").order_by().first() is not None


def _close(change: SecretChange, outcome: str, refusal: str) -> None:
    """Decided: the sealed secret is erased here; where it was applied, the credential holds it."""
    SecretChange.objects.filter(pk=change.pk, outcome=Outcome.PENDING).update(
        outcome=outcome, refusal=refusal[:300], sealed=None, decided_at=timezone.now()
    )


def give_up_orphans() -> int:
    """Erase new secrets whose job ended without deciding them (cancelled, its worker lost, its right gone); how many.

    For the sweep. A change and its job are committed together, so a pending change read first whose job is not among
    the open ones read after it has nobody left to decide it.
    """
    pending = {str(pk) for pk in SecretChange.objects.filter(outcome=Outcome.PENDING).values_list("pk", flat=True)}
    if not pending:
        return 0
    jobs_params = Job.objects.open().filter(type=JOB_TYPE).values_list("params", flat=True)
    orphans = pending - {params.get("secret_change") for params in jobs_params}
    return SecretChange.objects.filter(pk__in=orphans, outcome=Outcome.PENDING).update(
        outcome=Outcome.ABANDONED,
        refusal="Its test ended without an answer. Nothing was changed.",
        sealed=None,
        decided_at=timezone.now(),
    )
