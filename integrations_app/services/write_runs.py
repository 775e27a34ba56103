"""What a worker does with a vendor write: check it, send it once, and find out what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from console.access import policy, vault
from console.audit.events import Event
from integrations_app.models import Integration, Job, RevisionPolicy, VendorAccount, VendorWrite, WriteState
from integrations_app.models.vendor_write import OVER_STATES
from integrations_app.services import account_health, snapshots, vendor_accounts, write_ledger, write_plans
from integrations_app.services.documents import canonical
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

# While the vendor cannot be asked what became of a write, it is asked again this often, and given up after so long.
SETTLE_RETRY_SECONDS = 30.0
GIVEN_UP_AFTER_SECONDS = 1800.0
# A long operation is waited for so many times as long: five minutes where others get twenty seconds.
_LONG_OPERATION = 15
_WHILE_ANOTHER_IS_SENT = 2.0

_NOBODY_BUT_A_PERSON = "Nobody but a person can tell what became of it."
_ANOTHER = "another change of the same integration is being sent"
# The operation that a policy puts before others.
_REVISION = "take_revision"
_MOVED = "It changed at the vendor after you confirmed. Nothing was sent: look at what would happen now."


def check(write: VendorWrite, *, job: Job | None, progress: write_ledger.Watcher) -> VendorWrite:
    """Read the vendor afresh and store what the write would do. One that is past that stays as it is.

    Raises VendorError or InvalidError, and then the write is over with the reason, unless a later try may mend it.
    """
    if write.state != WriteState.CHECKING:
        return write
    context = _context(write, progress)
    plan = _planned(context)
    _store_plan(context, plan)
    return write


def _context(write: VendorWrite, progress: write_ledger.Watcher) -> Context:
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


def _connected(write: VendorWrite, progress: write_ledger.Watcher) -> Context:
    account, kind = write.vendor_account, registry.operation(write.operation)
    if account is None or account.is_removed:
        raise InvalidError({"": "The vendor account was removed."})
    asked = write_ledger.opened(write)
    return Context(
        write=write,
        account=account,
        client=vendor_accounts.connect(account, needs=kind.needs),
        params=asked["params"],
        answers=asked["answers"],
        progress=progress,
    )


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
            write_ledger.close(write, WriteState.NOT_DONE, plan.nothing)
            write_ledger.tell(write, Event.WRITE_NOT_DONE, by=None)
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


def _over(write: VendorWrite, progress: write_ledger.Watcher, error: Exception) -> Exception:
    """End a write that was not sent, with the reason; returns the error, to be raised by the caller."""
    with transaction.atomic():
        progress.hold()
        current = write_ledger.locked(write)
        if current.state not in OVER_STATES:
            if isinstance(error, VendorError):
                current.error_code = type(error).__name__[:40]
                current.vendor_status, current.vendor_request_id = error.status, error.request_id[:100]
            current.result = {"reasons": write_plans.reasons(error, _secrets_of(current))}
            write_ledger.close(current, WriteState.NOT_DONE, _words(error))
            write_ledger.tell(current, Event.WRITE_NOT_DONE, by=None)
    write.refresh_from_db()
    return error


def _secrets_of(write: VendorWrite) -> tuple[str, ...]:
    """What the vendor may have quoted of this write, and no page may."""
    if write.sealed is None or write.vendor_account is None:
        return ()
    fields = vendors.vendor(write.vendor_account.vendor).document_fields
    return write_plans.secrets_of(
        write_ledger.opened(write)["params"], write_ledger.sealed_plan(write)["evidence"], fields
    )


def _words(error: Exception) -> str:
    return account_health.failure_text(error) if isinstance(error, VendorError) else str(error)


# --- sending -----------------------------------------------------------------------------------------------------


def perform(write: VendorWrite, *, job: Job | None, progress: write_ledger.Watcher) -> VendorWrite:
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
    if (same := write_ledger.same(write.tenant, key)) is None:
        params = {"note": f"Before: {write.title}"[:300], "only_if_changed": True}
        kind = registry.operation(_REVISION)
        same = write_ledger.draft(
            kind, account, write.integration, params, key=key, by=None, reason="Policy: before each change"
        )
        same.job = job
        same.save(force_insert=True)
    return write_ledger.with_all(VendorWrite.objects.for_tenant(write.tenant)).get(pk=same.pk)


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
    write_ledger.change_sealed_plan(write, lost_at=timezone.now().isoformat())


def _keep_receipt(write: VendorWrite, receipt: Mapping[str, Any]) -> None:
    """The vendor answered: nothing that another worker believed meanwhile, if this one was slow, stands against it."""
    write_ledger.change_sealed_plan(write, receipt=dict(receipt))
    doubted = VendorWrite.objects.filter(pk=write.pk, state__in=(WriteState.UNKNOWN, WriteState.NOT_DONE))
    doubted.update(state=WriteState.SENT, over_at=None, sealed=write.sealed)


# --- what became of it -------------------------------------------------------------------------------------------


def _settle_sent(write: VendorWrite, progress: write_ledger.Watcher) -> VendorWrite:
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
    write, kept = context.write, write_ledger.sealed_plan(context.write)
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


def _leave_to_person(write: VendorWrite, progress: write_ledger.Watcher, look_at: Sequence[str]) -> None:
    with transaction.atomic():
        progress.hold()
        write_ledger.make_unknown(write_ledger.locked(write), look_at)
    write.refresh_from_db()


def _finish(context: Context, kind: Operation, receipt: Mapping[str, Any]) -> VendorWrite:
    """Read back and close; what reading back cannot do does not undo that it happened."""
    write = context.write
    try:
        finished = kind.finish(context, receipt)
    except VendorError as error:
        finished = Finished(f"Done. It could not be read back: {_words(error)}.")
    with transaction.atomic():
        context.progress.hold()
        current = write_ledger.locked(write)
        if current.state in (WriteState.SENT, WriteState.UNKNOWN):
            current.made, current.after_digest = finished.made, finished.after_digest
            current.result = {**finished.result, "not_taken": list(finished.not_taken)}
            write_ledger.close(current, WriteState.DONE, finished.sentence)
            write_ledger.tell(current, Event.WRITE_DONE, by=current.confirmed_by or current.requested_by)
    write.refresh_from_db()
    context.progress.say(finished.sentence, "warning" if finished.not_taken else "info")
    return write
