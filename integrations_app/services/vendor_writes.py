"""The one path by which anything is changed at a vendor: what people do on it.

A form asks (`request`), a worker reads the vendor and plans, a person confirms what would happen (`confirm`), a worker
plans again and, if nothing moved, records the intent, sends once and reads back (`write_runs.py`). A write whose answer
was lost is never sent again: it is settled by reading, or by a person (`settle_by_person`).

Nothing here knows what is changed: that is the operation's (`operations/`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from console.access import policy, vault
from console.access.models import User
from console.audit.events import Event
from integrations_app.models import Integration, VendorAccount, VendorWrite, WriteBatch, WriteState
from integrations_app.services import write_ledger, write_plans
from integrations_app.services.documents import canonical, plain
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations import registry
from integrations_app.services.operations.base import Operation
from integrations_app.vendors import registry as vendors

KEY_LENGTH = 64

_CHECKED_AGAIN = (
    "It was checked again since this page was opened. Nothing was confirmed: look at what would happen now."
)


def new_key() -> str:
    """A key for one form: whatever is posted with it, once or ten times, is one write."""
    return secrets.token_hex(16)


def request(
    operation: str,
    *,
    by: User | None,
    params: Mapping[str, Any],
    key: str,
    integration: Integration | None = None,
    account: VendorAccount | None = None,
    reason: str = "",
) -> VendorWrite:
    """Ask for a write, of an integration or (creating one) at an account; a worker begins to check it.

    The same `key` twice at a tenant, with the same asked for, is one write. `params` is plain JSON and may hold
    secrets: it is kept sealed until the write is over. `by` None is the console itself (a policy). Raises
    PermissionDenied, InvalidError when it cannot be asked of this vendor or account.
    """
    kind = registry.operation(operation)
    account = integration.vendor_account if integration is not None else account
    if account is None:
        raise ValueError("A write is about an integration or an account.")
    if by is not None:
        policy.require(by, kind.permission, account.tenant)
    key = _key_of(plain(key, KEY_LENGTH) or new_key(), operation, integration or account, params)
    if (same := write_ledger.same(account.tenant, key)) is not None:
        return same
    _check_possible(kind, account, integration)
    write = write_ledger.draft(kind, account, integration, params, key=key, by=by, reason=reason)
    try:
        with transaction.atomic():
            write.save(force_insert=True)
            write_ledger.ask(write, by=by)
    except IntegrityError:
        # Clicked twice at the same moment: the other request made the row.
        if (same := write_ledger.same(account.tenant, key)) is None:
            raise
        return same
    return write


def _key_of(form_key: str, operation: str, target: Integration | VendorAccount, params: Mapping[str, Any]) -> str:
    """One form and one content, one write. A page that somebody went back to, and sends again with something else in
    it, asks for something else: it must not be answered with the first. The form's key keeps the content unguessable.
    """
    asked = canonical([form_key, operation, target.pk.hex, dict(params)])
    return hashlib.sha256(asked).hexdigest()[:KEY_LENGTH]


def add_to_batch(batch: WriteBatch, integration: Integration, params: Mapping[str, Any]) -> VendorWrite:
    """A row of a batch, which takes it further itself; inside the batch's transaction. What cannot be asked of this
    integration is not done from the start. An edit is drawn from what the integration is here now.
    """
    kind, by = registry.operation(batch.operation), batch.requested_by
    drawn = {**params, "base": bytes(integration.document.digest).hex()}
    write = write_ledger.draft(
        kind, integration.vendor_account, integration, drawn, key=new_key(), by=by, reason=batch.reason
    )
    write.batch = batch
    try:
        _check_possible(kind, integration.vendor_account, integration)
    except InvalidError as error:
        write.sealed, write.state, write.sentence, write.over_at = None, WriteState.NOT_DONE, str(error), timezone.now()
    write.save(force_insert=True)
    return write


def _check_possible(kind: Operation, account: VendorAccount, integration: Integration | None) -> None:
    if account.is_removed:
        raise InvalidError({"": "Its vendor account was removed here, so nothing can be asked of the vendor."})
    if integration is not None and integration.gone_at is not None:
        raise InvalidError({"": "It is gone at the vendor."})
    if reason := unsupported_reason(kind.name, account.vendor):
        raise InvalidError({"": reason})


def refusal(operation: str, integration: Integration) -> str:
    """Why an operation cannot be asked of an integration, "" when it can; who asks is not looked at."""
    try:
        _check_possible(registry.operation(operation), integration.vendor_account, integration)
    except InvalidError as error:
        return str(error)
    return ""


def unsupported_reason(operation: str, vendor: str) -> str:
    """Why a vendor cannot be asked for this, "" when it can."""
    client, needs = vendors.vendor(vendor), registry.operation(operation).needs
    if issubclass(client, needs):
        return ""
    return client.unsupported_reasons.get(needs.__name__, f"{client.label} does not offer this.")


def confirm(
    write: VendorWrite, *, by: User, answers: Mapping[str, str], reason: str = "", shown: str = ""
) -> VendorWrite:
    """Have a checked write sent. Confirmed already, it stays as it is. Raises PermissionDenied, InvalidError.

    `shown` is `shown_check` of the write when its page was drawn: what was checked again since is shown first.
    """
    kind = registry.operation(write.operation)
    policy.require(by, kind.permission, write.tenant)
    with transaction.atomic():
        current = write_ledger.locked(write)
        if current.state in (WriteState.QUEUED, WriteState.SENT, WriteState.DONE):
            return current
        if current.state != WriteState.READY:
            raise InvalidError({"": f"This cannot be confirmed: {current.get_state_display().lower()}."})
        if shown and shown != shown_check(current):
            raise InvalidError({"": _CHECKED_AGAIN})
        given = write_plans.checked_answers(current.plan, answers)
        _queue(current, by=by, answers=given, reason=reason or given.get("reason", ""))
        write_ledger.ask(current, by=by)
    return current


def shown_check(write: VendorWrite) -> str:
    """Tells the check that a page shows from an earlier or later one of the same write."""
    return write.checked_at.isoformat() if write.checked_at is not None else ""


def confirm_in_batch(write: VendorWrite, *, by: User) -> bool:
    """Confirm a row of a batch whose dry run asked nothing; inside the batch's transaction. Whether it was ready."""
    current = write_ledger.locked(write)
    if current.state != WriteState.READY or current.plan.get("questions"):
        return False
    _queue(current, by=by, answers={}, reason="")
    return True


def _queue(write: VendorWrite, *, by: User, answers: Mapping[str, str], reason: str) -> None:
    asked = write_ledger.opened(write)
    write.sealed = vault.seal(write.tenant_id, write.context, canonical({**asked, "answers": dict(answers)}))
    write.state = WriteState.QUEUED
    write.confirmed_by, write.confirmed_by_label, write.confirmed_at = by, str(by)[:320], timezone.now()
    write.reason = plain(reason, 300) or write.reason
    write.save()
    write_ledger.tell(write, Event.WRITE_CONFIRMED, by=by)


def abandon(write: VendorWrite, *, by: User) -> VendorWrite:
    """Give up a write that was not sent and nobody is about to send; another one stays. Raises PermissionDenied."""
    policy.require(by, registry.operation(write.operation).permission, write.tenant)
    with transaction.atomic():
        current = write_ledger.locked(write)
        is_stuck = current.state == WriteState.QUEUED and (current.job is None or current.job.is_finished)
        if current.state in (WriteState.CHECKING, WriteState.READY) or is_stuck:
            write_ledger.close(current, WriteState.ABANDONED, "Given up; nothing was sent.")
            write_ledger.tell(current, Event.WRITE_ABANDONED, by=by)
    return current


def settle_by_person(write: VendorWrite, *, by: User, happened: bool) -> VendorWrite:
    """A person looked and says what became of an unknown write. Raises PermissionDenied, InvalidError."""
    policy.require(by, registry.operation(write.operation).permission, write.tenant)
    with transaction.atomic():
        current = write_ledger.locked(write)
        if current.state != WriteState.UNKNOWN:
            raise InvalidError({"": "Nobody needs to decide this any more."})
        current.settled_by_label = str(by)[:320]
        verdict = "happened" if happened else "did not happen"
        state = WriteState.DONE if happened else WriteState.NOT_DONE
        write_ledger.close(current, state, f"{by} looked at the vendor and says that it {verdict}.")
        write_ledger.tell(current, Event.WRITE_SETTLED, by=by, verdict=verdict)
    return current


def look_again(write: VendorWrite, *, by: User) -> VendorWrite:
    """Have a worker look once more: at what an unknown write did, or check anew what was not confirmed yet."""
    policy.require(by, registry.operation(write.operation).permission, write.tenant)
    with transaction.atomic():
        current = write_ledger.locked(write)
        if current.state in (WriteState.CHECKING, WriteState.READY):
            current.state = WriteState.CHECKING
        elif current.state not in (WriteState.UNKNOWN, WriteState.QUEUED, WriteState.SENT):
            return current
        current.save(update_fields=["state"])
        write_ledger.ask(current, by=by)
    return current


def cannot_undo(write: VendorWrite) -> str:
    """Why a write cannot be put back by another one, "" when it can be asked for."""
    if write.state != WriteState.DONE or not registry.operation(write.operation).is_undoable:
        return "Only an edit that was done can be undone."
    if write.integration is None or write.integration.gone_at is not None:
        return "The integration is gone."
    if write.snapshot is None:
        return "The snapshot from before is not here any more."
    return ""


def undo(write: VendorWrite, *, by: User, key: str) -> VendorWrite:
    """Ask for the values from before a done write; what moved since is a conflict. Raises as `request` does."""
    if reason := cannot_undo(write):
        raise InvalidError({"": reason})
    return request(write.operation, by=by, integration=write.integration, params={"undo": write.pk.hex}, key=key)
