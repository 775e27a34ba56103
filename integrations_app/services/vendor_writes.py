"""The one path by which anything is changed at a vendor.

A form asks (`request`), a worker reads the vendor and plans (`check`), a person confirms what would happen (`confirm`),
a worker plans again and, if nothing moved, records the intent, sends once and reads back (`perform`). A write whose
answer was lost is never sent again: it is settled by reading, or by a person (`settle_by_person`).

Nothing here knows what is changed: that is the operation's (`operations/`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from console.access import policy, vault
from console.access.models import Tenant, User
from console.audit.events import Event
from console.audit.services import record
from integrations_app.models import (
    Integration,
    Job,
    RevisionPolicy,
    VendorAccount,
    VendorWrite,
    WriteBatch,
    WriteState,
)
from integrations_app.models.vendor_write import OVER_STATES
from integrations_app.services import account_health, jobs, snapshots, vendor_accounts, write_plans
from integrations_app.services.documents import canonical, load, plain
from integrations_app.services.errors import InvalidError, WaitError
from integrations_app.services.operations import registry
from integrations_app.services.operations.base import Context, Finished, Operation, Plan, Settled, Verdict
from integrations_app.vendors import registry as vendors
from integrations_app.vendors.capabilities import SupportsRevisions
from integrations_app.vendors.errors import (
    VendorError,
    VendorOutcomeUnknownError,
    VendorPausedError,
    VendorRateLimitError,
    VendorRejectedError,
    VendorUnavailableError,
)

KEY_LENGTH = 64
# While the vendor cannot be asked what became of a write, it is asked again this often, and given up after so long.
SETTLE_RETRY_SECONDS = 30.0
GIVEN_UP_AFTER_SECONDS = 1800.0
# A long operation is waited for so many times as long: five minutes where others get twenty seconds.
_LONG_OPERATION = 15
# A job that ended without settling its write is asked for again after this long.
RESUMED_AFTER_SECONDS = 30.0
_WHILE_ANOTHER_IS_SENT = 2.0
# What nobody confirmed for so long is given up.
FORGOTTEN_AFTER = timedelta(days=30)
# What one sweep puts right; the rest is the next one's, seconds later.
SWEEP_ROWS = 200

_NOBODY_BUT_A_PERSON = "Nobody but a person can tell what became of it."
_ANOTHER = "another change of the same integration is being sent"
# The operation that a policy puts before others.
_REVISION = "take_revision"
_MOVED = "It changed at the vendor after you confirmed. Nothing was sent: look at what would happen now."
_CHECKED_AGAIN = (
    "It was checked again since this page was opened. Nothing was confirmed: look at what would happen now."
)


class Watcher(Protocol):
    """What a job's progress offers."""

    def say(self, text: str, level: str = "info", subject: str = "") -> None: ...

    def check(self) -> None: ...

    def hold(self) -> None: ...


def new_key() -> str:
    """A key for one form: whatever is posted with it, once or ten times, is one write."""
    return secrets.token_hex(16)


# --- asked for by a form -----------------------------------------------------------------------------------------


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
    if (same := _same(account.tenant, key)) is not None:
        return same
    _check_possible(kind, account, integration)
    write = _draft(kind, account, integration, params, key=key, by=by, reason=reason)
    try:
        with transaction.atomic():
            write.save(force_insert=True)
            _ask(write, by=by)
    except IntegrityError:
        # Clicked twice at the same moment: the other request made the row.
        if (same := _same(account.tenant, key)) is None:
            raise
        return same
    return write


def _key_of(form_key: str, operation: str, target: Integration | VendorAccount, params: Mapping[str, Any]) -> str:
    """One form and one content, one write. A page that somebody went back to, and sends again with something else in
    it, asks for something else: it must not be answered with the first. The form's key keeps the content unguessable.
    """
    asked = canonical([form_key, operation, target.pk.hex, dict(params)])
    return hashlib.sha256(asked).hexdigest()[:KEY_LENGTH]


def _draft(
    kind: Operation,
    account: VendorAccount,
    integration: Integration | None,
    params: Mapping[str, Any],
    *,
    key: str,
    by: User | None,
    reason: str,
) -> VendorWrite:
    write = VendorWrite(
        tenant=account.tenant,
        vendor_account=account,
        integration=integration,
        operation=kind.name,
        title=plain(kind.title(str(integration or account), params), 300),
        key=key,
        state=WriteState.CHECKING if kind.has_review else WriteState.QUEUED,
        reason=plain(reason, 300),
        requested_by=by,
        requested_by_label=str(by)[:320] if by else "",
    )
    write.sealed = vault.seal(account.tenant_id, write.context, canonical({"params": params, "answers": {}}))
    return write


def add_to_batch(batch: WriteBatch, integration: Integration, params: Mapping[str, Any]) -> VendorWrite:
    """A row of a batch, which takes it further itself; inside the batch's transaction. What cannot be asked of this
    integration is not done from the start. An edit is drawn from what the integration is here now.
    """
    kind, by = registry.operation(batch.operation), batch.requested_by
    drawn = {**params, "base": bytes(integration.document.digest).hex()}
    write = _draft(kind, integration.vendor_account, integration, drawn, key=new_key(), by=by, reason=batch.reason)
    write.batch = batch
    try:
        _check_possible(kind, integration.vendor_account, integration)
    except InvalidError as error:
        write.sealed, write.state, write.sentence, write.over_at = None, WriteState.NOT_DONE, str(error), timezone.now()
    write.save(force_insert=True)
    return write


def with_all(rows: QuerySet[VendorWrite]) -> QuerySet[VendorWrite]:
    """`rows` with what checking and performing them reads."""
    return rows.select_related(
        "tenant",
        "vendor_account__tenant",
        "vendor_account__credential",
        "integration__tenant",
        "integration__vendor_account__tenant",
        "integration__vendor_account__credential",
        "requested_by",
        "confirmed_by",
        "snapshot",
    )


def _same(tenant: Tenant, key: str) -> VendorWrite | None:
    return VendorWrite.objects.for_tenant(tenant).filter(key=key).first()


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


def _ask(write: VendorWrite, *, by: User | None) -> None:
    """Ask for the job that takes the write its next step; inside the transaction that put it there."""
    kind = registry.operation(write.operation)
    job = jobs.request(
        "prepare_write" if write.state == WriteState.CHECKING else "perform_write",
        tenant=write.tenant,
        by=by,
        target=write.integration or write.vendor_account,
        vendor_account=write.vendor_account,
        params={"write": write.pk.hex},
        key=f"write:{write.pk.hex}",
        title=write.title,
        queue=Job.Queue.BULK if kind.is_long else Job.Queue.INTERACTIVE,
        reason=write.reason,
    )
    write.job = job
    write.save(update_fields=["job"])


def confirm(
    write: VendorWrite, *, by: User, answers: Mapping[str, str], reason: str = "", shown: str = ""
) -> VendorWrite:
    """Have a checked write sent. Confirmed already, it stays as it is. Raises PermissionDenied, InvalidError.

    `shown` is `shown_check` of the write when its page was drawn: what was checked again since is shown first.
    """
    kind = registry.operation(write.operation)
    policy.require(by, kind.permission, write.tenant)
    with transaction.atomic():
        current = _locked(write)
        if current.state in (WriteState.QUEUED, WriteState.SENT, WriteState.DONE):
            return current
        if current.state != WriteState.READY:
            raise InvalidError({"": f"This cannot be confirmed: {current.get_state_display().lower()}."})
        if shown and shown != shown_check(current):
            raise InvalidError({"": _CHECKED_AGAIN})
        given = write_plans.checked_answers(current.plan, answers)
        _queue(current, by=by, answers=given, reason=reason or given.get("reason", ""))
        _ask(current, by=by)
    return current


def shown_check(write: VendorWrite) -> str:
    """Tells the check that a page shows from an earlier or later one of the same write."""
    return write.checked_at.isoformat() if write.checked_at is not None else ""


def confirm_in_batch(write: VendorWrite, *, by: User) -> bool:
    """Confirm a row of a batch whose dry run asked nothing; inside the batch's transaction. Whether it was ready."""
    current = _locked(write)
    if current.state != WriteState.READY or current.plan.get("questions"):
        return False
    _queue(current, by=by, answers={}, reason="")
    return True


def _queue(write: VendorWrite, *, by: User, answers: Mapping[str, str], reason: str) -> None:
    asked = _opened(write)
    write.sealed = vault.seal(write.tenant_id, write.context, canonical({**asked, "answers": dict(answers)}))
    write.state = WriteState.QUEUED
    write.confirmed_by, write.confirmed_by_label, write.confirmed_at = by, str(by)[:320], timezone.now()
    write.reason = plain(reason, 300) or write.reason
    write.save()
    _record(write, Event.WRITE_CONFIRMED, by=by)


def abandon(write: VendorWrite, *, by: User) -> VendorWrite:
    """Give up a write that was not sent and nobody is about to send; another one stays. Raises PermissionDenied."""
    policy.require(by, registry.operation(write.operation).permission, write.tenant)
    with transaction.atomic():
        current = _locked(write)
        is_stuck = current.state == WriteState.QUEUED and (current.job is None or current.job.is_finished)
        if current.state in (WriteState.CHECKING, WriteState.READY) or is_stuck:
            _close(current, WriteState.ABANDONED, "Given up; nothing was sent.")
            _record(current, Event.WRITE_ABANDONED, by=by)
    return current


def settle_by_person(write: VendorWrite, *, by: User, happened: bool) -> VendorWrite:
    """A person looked and says what became of an unknown write. Raises PermissionDenied, InvalidError."""
    policy.require(by, registry.operation(write.operation).permission, write.tenant)
    with transaction.atomic():
        current = _locked(write)
        if current.state != WriteState.UNKNOWN:
            raise InvalidError({"": "Nobody needs to decide this any more."})
        current.settled_by_label = str(by)[:320]
        verdict = "happened" if happened else "did not happen"
        state = WriteState.DONE if happened else WriteState.NOT_DONE
        _close(current, state, f"{by} looked at the vendor and says that it {verdict}.")
        _record(current, Event.WRITE_SETTLED, by=by, verdict=verdict)
    return current


def look_again(write: VendorWrite, *, by: User) -> VendorWrite:
    """Have a worker look once more: at what an unknown write did, or check anew what was not confirmed yet."""
    policy.require(by, registry.operation(write.operation).permission, write.tenant)
    with transaction.atomic():
        current = _locked(write)
        if current.state in (WriteState.CHECKING, WriteState.READY):
            current.state = WriteState.CHECKING
        elif current.state not in (WriteState.UNKNOWN, WriteState.QUEUED, WriteState.SENT):
            return current
        current.save(update_fields=["state"])
        _ask(current, by=by)
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


def _locked(write: VendorWrite) -> VendorWrite:
    rows = VendorWrite.objects.select_related("tenant", "vendor_account", "integration", "job")
    return rows.select_for_update(of=("self",)).get(pk=write.pk)


# --- in the worker: checking ---------------------------------------------------------------------------------------


def check(write: VendorWrite, *, job: Job | None, progress: Watcher) -> VendorWrite:
    """Read the vendor afresh and store what the write would do. One that is past that stays as it is.

    Raises VendorError or InvalidError, and then the write is over with the reason, unless a later try may mend it.
    """
    if write.state != WriteState.CHECKING:
        return write
    context = _context(write, progress)
    plan = _planned(context)
    _store_plan(context, plan)
    return write


def _context(write: VendorWrite, progress: Watcher) -> Context:
    """What the operation is given, with the rights of whoever confirmed it; a refusal ends the write."""
    kind = registry.operation(write.operation)
    person = write.confirmed_by or write.requested_by
    label = write.confirmed_by_label or write.requested_by_label
    if label and (person is None or not policy.may(person, kind.permission, write.tenant)):
        refusal = f"{label} may no longer {kind.permission.label} at {write.tenant.name}."
        raise _over(write, progress, InvalidError({"": refusal}))
    try:
        return _connected(write, progress)
    except (VendorError, InvalidError) as error:
        raise _over(write, progress, error) from error


def _connected(write: VendorWrite, progress: Watcher) -> Context:
    account, kind = write.vendor_account, registry.operation(write.operation)
    if account is None or account.is_removed:
        raise InvalidError({"": "The vendor account was removed."})
    asked = _opened(write)
    return Context(
        write=write,
        account=account,
        client=vendor_accounts.connect(account, needs=kind.needs),
        params=asked["params"],
        answers=asked["answers"],
        progress=progress,
    )


def _opened(write: VendorWrite) -> dict[str, Any]:
    if write.sealed is None:
        raise InvalidError({"": "What was asked for is not kept any more."})
    opened: dict[str, Any] = load(vault.unseal(write.tenant_id, write.context, write.sealed))
    return opened


def _planned(context: Context) -> Plan:
    """The plan of a fresh reading; a refusal ends the write, what a later try may mend does not."""
    try:
        return registry.operation(context.write.operation).plan(context)
    except (VendorRateLimitError, VendorPausedError, VendorUnavailableError):
        raise
    except (VendorError, InvalidError) as error:
        raise _over(context.write, context.progress, error) from error


def _store_plan(context: Context, plan: Plan, *, note: str = "") -> None:
    write = context.write
    if plan.nothing:
        with transaction.atomic():
            context.progress.hold()
            write.result = {"nothing": True}
            _close(write, WriteState.NOT_DONE, plan.nothing)
            _record(write, Event.WRITE_NOT_DONE, by=None)
        return
    write.plan = write_plans.shown(plan, note=note)
    write.guard = plan.guard[:64]
    write.state = WriteState.READY
    write.checked_at = timezone.now()
    with transaction.atomic():
        context.progress.hold()
        rows = VendorWrite.objects.filter(pk=write.pk, state__in=(WriteState.CHECKING, WriteState.QUEUED))
        rows.update(
            plan=write.plan,
            guard=write.guard,
            state=write.state,
            checked_at=write.checked_at,
            also_tenant=plan.also_tenant,
        )
    write.refresh_from_db(fields=["state", "also_tenant"])


def _over(write: VendorWrite, progress: Watcher, error: Exception) -> Exception:
    """End a write that was not sent, with the reason; returns the error, to be raised by the caller."""
    with transaction.atomic():
        progress.hold()
        current = _locked(write)
        if current.state not in OVER_STATES:
            if isinstance(error, VendorError):
                current.error_code = type(error).__name__[:40]
                current.vendor_status, current.vendor_request_id = error.status, error.request_id[:100]
            current.result = {"reasons": write_plans.reasons(error, _secrets_of(current))}
            _close(current, WriteState.NOT_DONE, _words(error))
            _record(current, Event.WRITE_NOT_DONE, by=None)
    write.refresh_from_db()
    return error


def _secrets_of(write: VendorWrite) -> tuple[str, ...]:
    """What the vendor may have quoted of this write, and no page may."""
    if write.sealed is None or write.vendor_account is None:
        return ()
    fields = vendors.vendor(write.vendor_account.vendor).document_fields
    return write_plans.secrets_of(_opened(write)["params"], _sealed_plan(write)["evidence"], fields)


def _words(error: Exception) -> str:
    return account_health.failure_text(error) if isinstance(error, VendorError) else str(error)


# --- in the worker: sending ----------------------------------------------------------------------------------------


def perform(write: VendorWrite, *, job: Job | None, progress: Watcher) -> VendorWrite:
    """Take a confirmed write to its end: sent once, read back, and recorded; or settle one that was sent before.

    Run again after whatever end, it never sends twice. Raises InvalidError and VendorError as the job's reason,
    VendorOutcomeUnknownError when nobody but a person can tell what became of it, WaitError to go on later.
    """
    if write.is_over or write.state in (WriteState.CHECKING, WriteState.READY):
        return write
    if write.state in (WriteState.SENT, WriteState.UNKNOWN):
        return _settle_sent(write, progress)
    context = _context(write, progress)
    kind = registry.operation(write.operation)
    # Before the vendor is read for the last time: between that reading and sending nothing may take long.
    _have_revision_kept(context, kind, job)
    sent_before = _sent_count(write)
    plan = _planned(context)
    if plan.nothing:
        _store_plan(context, plan)
        return write
    if kind.has_review and plan.guard[:64] != write.guard:
        _store_plan(context, plan, note=_MOVED)
        raise InvalidError({"": _MOVED})
    _mark_sent(context, kind, plan, job, sent_before)
    return _send(context, kind)


def _sent_count(write: VendorWrite) -> int:
    """How many writes of the same integration were sent so far."""
    return VendorWrite.objects.filter(integration=write.integration_id, sent_at__isnull=False).count()


def _have_revision_kept(context: Context, kind: Operation, job: Job | None) -> None:
    """Where the account's policy wants one before each change: a vendor write of its own, which is over before this one
    is sent. What keeps it from being taken keeps this one from being sent, unless the vendor takes none of this.
    """
    write = context.write
    needed = kind.keeps_snapshot and write.integration is not None and isinstance(context.client, SupportsRevisions)
    policies = RevisionPolicy.objects.for_tenant(write.tenant).filter(vendor_account=context.account)
    if not needed or not policies.filter(before_writes=True).exists():
        return
    first = _revision_before(write, context.account, job)
    try:
        if not first.is_over:
            first = perform(first, job=job, progress=context.progress)
    except (VendorRateLimitError, VendorPausedError, VendorUnavailableError):
        raise  # neither was sent: both may be tried again
    except (VendorError, InvalidError):
        first.refresh_from_db()
    if first.state == WriteState.DONE:
        return
    if first.error_code == VendorRejectedError.__name__:
        context.progress.say(f"No revision was taken before: {first.sentence}", "warning", str(write.integration))
        return
    reason = f"The revision before this change was not taken, so nothing was sent: {first.sentence}"
    raise _over(write, context.progress, InvalidError({"": reason}))


def _revision_before(write: VendorWrite, account: VendorAccount, job: Job | None) -> VendorWrite:
    """The revision that goes before a write, asked for by the console itself: one, however often that is tried."""
    key = f"before:{write.pk.hex}"
    if (same := _same(write.tenant, key)) is None:
        params = {"note": f"Before: {write.title}"[:300], "only_if_changed": True}
        kind = registry.operation(_REVISION)
        same = _draft(kind, account, write.integration, params, key=key, by=None, reason="Policy: before each change")
        same.job = job
        same.save(force_insert=True)
    return with_all(VendorWrite.objects.for_tenant(write.tenant)).get(pk=same.pk)


def _mark_sent(context: Context, kind: Operation, plan: Plan, job: Job | None, sent_before: int) -> None:
    """Record the intent, with what settling will need; from here on the write is never sent again.

    A plan made before another write of the same integration was sent is stale, even when that one is over by now: with
    `sent_before` it is noticed, and the write planned anew.
    """
    write = context.write
    context.progress.check()
    evidence = {"evidence": dict(plan.evidence), "receipt": None, "lost_at": None}
    sealed_plan = vault.seal(write.tenant_id, write.plan_context, canonical(evidence))
    try:
        with transaction.atomic():
            context.progress.hold()
            if write.integration_id is not None:
                # One after the other from here on, so that the count below sees whoever came first.
                Integration.objects.select_for_update().only("pk").get(pk=write.integration_id)
                if _sent_count(write) != sent_before:
                    raise WaitError(_WHILE_ANOTHER_IS_SENT, _ANOTHER)
            if kind.keeps_snapshot and write.integration is not None and write.snapshot_id is None:
                write.snapshot = snapshots.keep(write.integration, by=write.confirmed_by or write.requested_by, job=job)
            mine = VendorWrite.objects.filter(pk=write.pk, state=WriteState.QUEUED).update(
                state=WriteState.SENT,
                sent_at=timezone.now(),
                sealed_plan=sealed_plan,
                snapshot=write.snapshot,
                plan=write_plans.shown(plan) if not write.plan else write.plan,
            )
            if not mine:
                raise InvalidError({"": "This is being dealt with already."})
    except IntegrityError as error:
        raise WaitError(_WHILE_ANOTHER_IS_SENT, _ANOTHER) from error
    write.refresh_from_db()
    context.evidence = plan.evidence


def _send(context: Context, kind: Operation) -> VendorWrite:
    write = context.write
    try:
        receipt = kind.send(context)
    except VendorOutcomeUnknownError as error:
        _note_lost(write, error)
        context.progress.say("The answer was lost; looking at the vendor's what became of it.", "warning")
        return _settle(context)
    except (VendorRateLimitError, VendorPausedError, VendorUnavailableError):
        # Nothing was sent: it may be tried again.
        VendorWrite.objects.filter(pk=write.pk, state=WriteState.SENT).update(state=WriteState.QUEUED, sent_at=None)
        raise
    except VendorError as error:
        raise _over(write, context.progress, error) from error
    _keep_receipt(write, receipt)
    return _finish(context, kind, receipt)


def _note_lost(write: VendorWrite, error: VendorOutcomeUnknownError) -> None:
    VendorWrite.objects.filter(pk=write.pk).update(
        error_code=type(error).__name__[:40], vendor_status=error.status, vendor_request_id=error.request_id[:100]
    )
    _change_sealed_plan(write, lost_at=timezone.now().isoformat())


def _keep_receipt(write: VendorWrite, receipt: Mapping[str, Any]) -> None:
    """The vendor answered: nothing that another worker believed meanwhile, if this one was slow, stands against it."""
    _change_sealed_plan(write, receipt=dict(receipt))
    doubted = VendorWrite.objects.filter(pk=write.pk, state__in=(WriteState.UNKNOWN, WriteState.NOT_DONE))
    doubted.update(state=WriteState.SENT, over_at=None, sealed=write.sealed)


def _change_sealed_plan(write: VendorWrite, **values: Any) -> None:
    kept = _sealed_plan(write) | values
    write.sealed_plan = vault.seal(write.tenant_id, write.plan_context, canonical(kept))
    VendorWrite.objects.filter(pk=write.pk).update(sealed_plan=write.sealed_plan)


def _sealed_plan(write: VendorWrite) -> dict[str, Any]:
    if write.sealed_plan is None:
        return {"evidence": {}, "receipt": None, "lost_at": None}
    opened: dict[str, Any] = load(vault.unseal(write.tenant_id, write.plan_context, write.sealed_plan))
    return opened


# --- in the worker: what became of it -------------------------------------------------------------------------------


def _settle_sent(write: VendorWrite, progress: Watcher) -> VendorWrite:
    """Settle a write that another run sent. Looking needs nobody's right; where nothing can be asked any more, a person
    decides.
    """
    try:
        context = _connected(write, progress)
    except (VendorError, InvalidError) as error:
        _leave_to_person(write, progress, (f"The console cannot look any more: {_words(error)}",))
        raise VendorOutcomeUnknownError(_NOBODY_BUT_A_PERSON) from error
    return _settle(context)


def _settle(context: Context) -> VendorWrite:
    """Look what became of a write that was sent; decide, or leave it to a person."""
    write, kept = context.write, _sealed_plan(context.write)
    kind = registry.operation(write.operation)
    context.evidence = kept["evidence"]
    if kept["receipt"] is not None:
        return _finish(context, kind, kept["receipt"])
    since = datetime.fromisoformat(kept["lost_at"]) if kept["lost_at"] else context.sent_at
    age = (timezone.now() - since).total_seconds()
    settled = _looked(context, kind, age)
    if settled.verdict is Verdict.DONE:
        context.progress.say("The vendor holds it: it happened.")
        _keep_receipt(write, settled.receipt)
        return _finish(context, kind, settled.receipt)
    if (left := _patience_seconds(kind) - age) > 0:
        # A vendor may still be at work on what it was sent: a first look that finds nothing proves nothing.
        raise WaitError(left, "looking once more at the vendor's what became of it")
    if settled.verdict is Verdict.NOT_DONE:
        error = InvalidError({"": "The answer was lost, and the vendor does not hold the change: it did not happen."})
        raise _over(write, context.progress, error)
    _leave_to_person(write, context.progress, settled.look_at)
    raise VendorOutcomeUnknownError(_NOBODY_BUT_A_PERSON, vendor=context.account.vendor)


def _patience_seconds(kind: Operation) -> float:
    """How long a vendor may still be at work on what it was sent. For a long operation it takes minutes, whether or not
    the worker that waited for the answer is still there.
    """
    return settings.WRITE_SETTLE_SECONDS * (_LONG_OPERATION if kind.is_long else 1)


def _looked(context: Context, kind: Operation, age: float) -> Settled:
    try:
        return kind.settle(context)
    except (VendorRateLimitError, VendorPausedError, VendorUnavailableError) as error:
        if age < GIVEN_UP_AFTER_SECONDS:
            wait = max(error.retry_after_seconds, min(SETTLE_RETRY_SECONDS, settings.WRITE_SETTLE_SECONDS))
            raise WaitError(wait, f"the vendor cannot be asked what became of it: {error.message}") from error
        return Settled(Verdict.UNDECIDED, look_at=(f"The vendor could not be asked: {_words(error)}.",))
    except VendorError as error:
        return Settled(Verdict.UNDECIDED, look_at=(f"Asked what became of it, the vendor says: {_words(error)}.",))


def _leave_to_person(write: VendorWrite, progress: Watcher, look_at: Sequence[str]) -> None:
    with transaction.atomic():
        progress.hold()
        _make_unknown(_locked(write), look_at)
    write.refresh_from_db()


def _make_unknown(write: VendorWrite, look_at: Sequence[str]) -> None:
    if write.state == WriteState.SENT:
        write.state = WriteState.UNKNOWN
        write.sentence = "Sent, and the answer was lost. Reading back does not tell whether it happened."
        write.result = {"look_at": [plain(text, 500) for text in look_at]}
        write.save(update_fields=["state", "sentence", "result"])
        _record(write, Event.WRITE_UNKNOWN, by=None)


def _finish(context: Context, kind: Operation, receipt: Mapping[str, Any]) -> VendorWrite:
    """Read back and close; what reading back cannot do does not undo that it happened."""
    write = context.write
    try:
        finished = kind.finish(context, receipt)
    except VendorError as error:
        finished = Finished(f"Done. It could not be read back: {_words(error)}.")
    with transaction.atomic():
        context.progress.hold()
        current = _locked(write)
        if current.state in (WriteState.SENT, WriteState.UNKNOWN):
            current.made, current.after_digest = finished.made, finished.after_digest
            current.result = {**finished.result, "not_taken": list(finished.not_taken)}
            _close(current, WriteState.DONE, finished.sentence)
            _record(current, Event.WRITE_DONE, by=current.confirmed_by or current.requested_by)
    write.refresh_from_db()
    context.progress.say(finished.sentence, "warning" if finished.not_taken else "info")
    return write


def _close(write: VendorWrite, state: WriteState, sentence: str) -> None:
    """The write is over: its secrets go."""
    write.state, write.sentence, write.over_at = state, plain(sentence, 500), timezone.now()
    write.sealed = write.sealed_plan = None
    write.save()


def _record(write: VendorWrite, event: Event, *, by: User | None, **more: Any) -> None:
    """The audit row, with before and after as the plan shows them; another tenant's names stay out of this log."""
    changes = [] if write.also_tenant_id is not None else write_plans.for_audit(write.plan)
    detail = {"what": write.title, "write": write.pk.hex, "changes": changes, **more}
    target = write.integration or write.vendor_account
    record(event, by=by, tenant=write.tenant, target=target, detail=detail, reason=write.reason)


# --- the sweep -----------------------------------------------------------------------------------------------------


def resume_lost() -> int:
    """Ask again for the job of writes whose own ended without settling them (killed, out of time, an error of ours);
    how many. After GIVEN_UP_AFTER_SECONDS of that a person decides.
    """
    ended_before = timezone.now() - timedelta(seconds=RESUMED_AFTER_SECONDS)
    own_is_over = Q(job=None) | Q(job__finished_at__lt=ended_before)
    batch_is_over = Q(batch=None) | Q(batch__job=None) | Q(batch__job__finished_at__lt=ended_before)
    lost = VendorWrite.objects.filter(own_is_over, batch_is_over, state=WriteState.SENT)
    asked = 0
    for write in lost.order_by("sent_at")[:SWEEP_ROWS]:
        with transaction.atomic():
            current = _locked(write)
            if current.state != WriteState.SENT:
                continue
            if _is_given_up(current):
                _make_unknown(current, ("The console tried for half an hour to find out, and could not.",))
            elif current.batch_id is None or current.job_id is not None:  # a batch takes its rows further itself
                _ask(current, by=None)
                asked += 1
    return asked


def give_up_forgotten() -> int:
    """Give up what nobody confirmed for FORGOTTEN_AFTER, or took up again after its job ended without sending it, so
    that its secrets go too; how many.
    """
    waiting, before = (WriteState.CHECKING, WriteState.READY), timezone.now() - FORGOTTEN_AFTER
    is_left = Q(state=WriteState.QUEUED) & (Q(job__finished_at__lt=before) | Q(batch__job__finished_at__lt=before))
    old = VendorWrite.objects.filter(is_left | Q(state__in=waiting), created_at__lt=before)
    given_up = 0
    for write in old.order_by("created_at")[:SWEEP_ROWS]:
        with transaction.atomic():
            current = _locked(write)
            # One that was taken up again since has an open job by now.
            is_idle = current.job is None or current.job.is_finished
            if current.state in waiting or (current.state == WriteState.QUEUED and is_idle):
                word = "confirmed" if current.state in waiting else "sent"
                _close(current, WriteState.ABANDONED, f"Given up: not {word} for {FORGOTTEN_AFTER.days} days.")
                _record(current, Event.WRITE_ABANDONED, by=None)
                given_up += 1
    return given_up


def _is_given_up(write: VendorWrite) -> bool:
    """Whether looking what became of a sent write has gone on for long enough."""
    age = (timezone.now() - write.sent_at).total_seconds() if write.sent_at else 0.0
    return write.vendor_account is None or age > GIVEN_UP_AFTER_SECONDS


__all__ = [
    "Watcher",
    "abandon",
    "add_to_batch",
    "cannot_undo",
    "check",
    "confirm",
    "confirm_in_batch",
    "give_up_forgotten",
    "look_again",
    "new_key",
    "perform",
    "refusal",
    "request",
    "resume_lost",
    "settle_by_person",
    "shown_check",
    "undo",
    "unsupported_reason",
    "with_all",
]
