"""How a vendor account is doing: what the last answer showed, written by every job that calls the vendor.

`paused` and `expired` are never stored: they are worked out from the breaker and the credential's last day when shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from console.access.models import User
from console.access.vault import TenantVault
from console.audit.events import Event
from console.audit.services import record
from integrations_app.models import VendorAccount
from integrations_app.services.documents import plain, plain_json
from integrations_app.services.redaction import Redactor, is_secret_text
from integrations_app.vendors import registry
from integrations_app.vendors.base import AccountReport, FieldKind
from integrations_app.vendors.errors import (
    VendorError,
    VendorForbiddenError,
    VendorNotFoundError,
    VendorPausedError,
    VendorRateLimitError,
    VendorRejectedError,
    VendorResponseError,
    VendorUnsupportedError,
)

State = VendorAccount.State

_OF_ONE = (VendorNotFoundError, VendorRejectedError, VendorResponseError, VendorUnsupportedError)


@dataclass(frozen=True)
class ShownState:
    """The state of an account as pages show it. `sentence` is plain words without the "since", "" when all is well."""

    state: str
    sentence: str
    since: datetime | None = None
    until: datetime | None = None

    @property
    def label(self) -> str:
        return str(State(self.state).label)

    @property
    def needs_person(self) -> bool:
        return self.state in (State.FAILING, State.PARTIAL, State.PAUSED, State.EXPIRED)


def shown_state(account: VendorAccount, now: datetime | None = None) -> ShownState:
    """The state of an account now; no query when it was read with `select_related("credential", "gate")`."""
    now = now or timezone.now()
    if account.is_removed:
        return ShownState(account.state, "removed", account.removed_at)
    credential, gate = account.credential, getattr(account, "gate", None)
    if credential is not None and credential.expires_on is not None and credential.expires_on < now.date():
        return ShownState(
            State.EXPIRED,
            f"the secret expired on {credential.expires_on:%-d %b %Y}",
            account.state_since,
        )
    if gate is not None and gate.paused_until is not None and gate.paused_until > now:
        reason = account.last_failure or "the vendor failed several times in a row"
        return ShownState(
            State.PAUSED,
            f"calls are paused: {reason}",
            account.state_since,
            gate.paused_until,
        )
    if account.state == State.UNTESTED:
        return ShownState(State.UNTESTED, "not tested yet")
    return ShownState(account.state, account.state_reason, account.state_since)


def state_of(report: AccountReport) -> str:
    """What a test says of an account: ok, partial when something was refused, failing when everything was."""
    answered = [probe.ok for probe in report.probes]
    if not any(answered):
        return State.FAILING
    return State.OK if all(answered) else State.PARTIAL


def without_secrets(account: VendorAccount, report: AccountReport) -> AccountReport:
    """The report as it may be stored and shown: an answer may quote the vendor, an integration's name for one.

    The identity is an id at some vendors, which the redactor would take for a key: it stays unless its shape speaks.
    """
    redactor = Redactor((), TenantVault(account.tenant_id).fingerprint)
    identity = "" if is_secret_text(report.identity, FieldKind.CODE) else report.identity

    def cleaned(text: str) -> str:
        parts = text.split(identity) if identity else [text]
        return identity.join(map(redactor.redact_text, parts))

    probes = tuple(replace(probe, answer=cleaned(probe.answer)) for probe in report.probes)
    return replace(report, probes=probes, identity=identity)


def note_report(account: VendorAccount, report: AccountReport, *, seconds: float | None = None) -> str:
    """Write down what an account test found; returns the state."""
    with transaction.atomic():
        return _note_report(account, report, seconds)


def _note_report(account: VendorAccount, report: AccountReport, seconds: float | None) -> str:
    state = state_of(report)
    refused = [probe for probe in report.probes if not probe.ok]
    doubt = _locked(account).list_doubt
    if state == State.OK and doubt:
        # A test asks whether the vendor answers; what the last list lacked, it does not see.
        state, reason = State.PARTIAL, doubt
    elif state == State.FAILING:
        reason = f"{refused[0].name}: {refused[0].answer}" if refused else "the vendor answered nothing"
    else:
        reason = "; ".join(f"{probe.name}: {probe.answer}" for probe in refused)
    probes = [
        {
            "name": probe.name,
            "ok": probe.ok,
            "answer": probe.answer,
            "consequence": probe.consequence,
        }
        for probe in report.probes
    ]
    note(
        account,
        state,
        reason,
        tested_at=timezone.now(),
        test_seconds=seconds,
        test_report=plain_json(probes, 300),
        identity=plain(report.identity, 200) or account.identity,
    )
    return state


def note_test(account: VendorAccount, report: AccountReport, *, seconds: float, by: User | None) -> str:
    """`note_report` for a test somebody asked for, with its audit event; returns the state."""
    with transaction.atomic():
        state = note_report(account, report, seconds=seconds)
        detail = {"state": State(state).label}
        record(Event.VENDOR_ACCOUNT_TESTED, by=by, tenant=account.tenant, target=account, detail=detail)
    return state


def note_success(account: VendorAccount, *, list_doubt: str | None = None) -> None:
    """The vendor answered as it should. `list_doubt`, where a list was read: what is odd about it, "" for nothing.

    An account that a test or a list found partial stays so: one call that works says nothing about what was refused or
    left out. Several workers may write at once, so what the others found is read anew.
    """
    with transaction.atomic():
        row = _locked(account)
        doubt = row.list_doubt if list_doubt is None else plain(list_doubt, 300)
        if doubt:
            note(account, State.PARTIAL, doubt, list_doubt=doubt)
        elif row.state == State.PARTIAL and any(not probe["ok"] for probe in row.test_report):
            note(account, State.PARTIAL, _refused(row.test_report), list_doubt="")
        else:
            note(account, State.OK, "", list_doubt="")


def _locked(account: VendorAccount) -> VendorAccount:
    """The account as it is now, nobody else writing its state until the transaction ends."""
    rows = VendorAccount.objects.select_for_update().only("state", "state_since", "test_report", "list_doubt")
    row = rows.get(pk=account.pk)
    account.state, account.state_since = row.state, row.state_since
    return row


def note_failure(account: VendorAccount, error: VendorError, *, is_about_one: bool = False) -> None:
    """A call failed. A rate limit, an open breaker and one refused call say nothing about the account as a whole.

    `is_about_one`: the call asked for one integration, or a question of a person's; an answer that only that one got
    (no such thing, a filter not taken, an unreadable document) leaves the account as it was.
    """
    if isinstance(error, VendorRateLimitError | VendorPausedError) or (is_about_one and isinstance(error, _OF_ONE)):
        return
    text = failure_text(error)
    if isinstance(error, VendorForbiddenError) and account.state in (State.OK, State.PARTIAL):
        note(account, State.PARTIAL, text, last_failure=text, last_failure_at=timezone.now())
    else:
        note(account, State.FAILING, text)


def failure_text(error: VendorError) -> str:
    """A vendor error for an account's page: our words, with the vendor's code in small print."""
    redactor = Redactor((), lambda _: "")
    code = f" ({error.status})" if error.status and str(error.status) not in error.message else ""
    where = f"{error.operation}: " if error.operation else ""
    # The operation is ours: "get a token: The …" together would read like a token.
    return plain(f"{where}{redactor.redact_text(error.message.rstrip('.'))}{code}", 300)


def note(account: VendorAccount, state: str, reason: str, **fields: Any) -> None:
    """Write the state of an account, the time it began there, and its last success or failure; updates `account`
    too.
    """
    now = timezone.now()
    reason = plain(reason, 300)
    values: dict[str, Any] = {"state": state, "state_reason": reason, **fields}
    if state != account.state:
        values["state_since"] = now
    if state == State.FAILING:
        values.update(last_failure_at=now, last_failure=reason)
    else:
        values["last_success_at"] = now
    VendorAccount.objects.filter(pk=account.pk).update(**values)
    for field, value in values.items():
        setattr(account, field, value)


def _refused(report: list[Mapping[str, Any]]) -> str:
    return "; ".join(f"{probe['name']}: {probe['answer']}" for probe in report if not probe["ok"])


def vendor_label(account: VendorAccount) -> str:
    """The vendor's name as people write it."""
    return registry.vendor(account.vendor).label
