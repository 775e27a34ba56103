"""One operation over a selection of a tenant's integrations: a dry run, a confirmation, then a write for each of them.

A batch is its rows: each is a `VendorWrite` with the whole path of one, so a batch that was killed, cancelled or made
to wait goes on with those that are not over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from console.access import policy, vault
from console.access.models import Tenant, User
from integrations_app.models import Integration, Job, VendorWrite, WriteBatch, WriteState
from integrations_app.models.vendor_write import OVER_STATES
from integrations_app.services import jobs, vendor_writes, write_ledger, write_runs, write_sweeps
from integrations_app.services.documents import canonical, load, plain
from integrations_app.services.errors import InvalidError, WaitError
from integrations_app.services.operations import registry
from integrations_app.vendors.errors import (
    VendorError,
    VendorPausedError,
    VendorRateLimitError,
    VendorUnavailableError,
)

# More than this is somebody's mistake, or a script's work.
MAX_ROWS = 2000
# Rows that wait for the vendor to make up its mind are looked at again after this long.
_LOOK_AGAIN_SECONDS = 5.0

# What one sweep puts right; the rest is the next one's, seconds later.
SWEEP_ROWS = 50

State = WriteBatch.State


class Watcher(write_ledger.Watcher, Protocol):
    """What a job's progress offers."""

    def start(self, total: int | None, unit: str) -> None: ...

    def advance(self, n: int = 1, failed: int = 0) -> None: ...

    def fail_item(self, subject: str, reason: str) -> None: ...


def request(
    operation: str,
    *,
    tenant: Tenant,
    by: User | None,
    integrations: Sequence[Integration],
    params: Mapping[str, Any],
    key: str,
    title: str,
    reason: str = "",
) -> WriteBatch:
    """Ask for an operation on each of these integrations; the same `key` twice is one batch.

    One with a review is checked first, and nothing is sent before somebody confirms; any other is begun. Rows of which
    it cannot be asked at all are not done from the start, with the reason. Raises PermissionDenied, InvalidError for
    none or too many. `by` None is the console itself.
    """
    kind = registry.operation(operation)
    if by is not None:
        policy.require(by, kind.permission, tenant)
    if not integrations or len(integrations) > MAX_ROWS:
        raise InvalidError({"": f"Choose between 1 and {MAX_ROWS:,} integrations."})
    if any(integration.tenant_id != tenant.pk for integration in integrations):
        raise ValueError("A batch's integrations belong to its tenant.")
    batch = WriteBatch(
        tenant=tenant,
        operation=operation,
        title=plain(title, 300),
        key=plain(key, vendor_writes.KEY_LENGTH) or vendor_writes.new_key(),
        state=State.CHECKING if kind.has_review else State.RUNNING,
        reason=plain(reason, 300),
        requested_by=by,
        requested_by_label=str(by)[:320] if by else "",
    )
    if (same := _same(batch, params)) is not None:
        return same
    batch.sealed = vault.seal(tenant.pk, batch.context, canonical(params))
    try:
        with transaction.atomic():
            batch.save(force_insert=True)
            for integration in integrations:
                vendor_writes.add_to_batch(batch, integration, params)
            _ask(batch, by=by)
    except IntegrityError:
        # Clicked twice at the same moment: the other request made the row.
        if (same := _same(batch, params)) is None:
            raise
        return same
    return batch


def _same(batch: WriteBatch, params: Mapping[str, Any]) -> WriteBatch | None:
    """The batch of this key. Raises InvalidError where something else was asked for with it: somebody who went back to
    a form and changed it must not be shown the first batch as if it were theirs.
    """
    found = WriteBatch.objects.for_tenant(batch.tenant).filter(key=batch.key).first()
    if found is None:
        return None
    asked = vault.unseal(found.tenant_id, found.context, found.sealed) if found.sealed else None
    if found.operation != batch.operation or asked != canonical(params):
        raise InvalidError({"": "This form was used for something else already. Open it anew."})
    return found


def _ask(batch: WriteBatch, *, by: User | None) -> None:
    job_type = "prepare_batch" if batch.state == State.CHECKING else "perform_batch"
    batch.job = jobs.request(
        job_type,
        tenant=batch.tenant,
        by=by,
        target=batch,
        key=f"batch:{batch.pk.hex}",
        title=batch.title if job_type == "perform_batch" else f"Dry run: {batch.title}",
        reason=batch.reason,
    )
    batch.save(update_fields=["job"])


def confirm(batch: WriteBatch, *, by: User) -> WriteBatch:
    """Have the rows sent that the dry run found ready. Raises PermissionDenied, InvalidError when none is."""
    policy.require(by, registry.operation(batch.operation).permission, batch.tenant)
    with transaction.atomic():
        current = _locked(batch)
        if current.state != State.READY:
            return current
        rows = VendorWrite.objects.filter(batch=current, state=WriteState.READY).order_by("created_at", "id")
        if not sum(vendor_writes.confirm_in_batch(write, by=by) for write in rows):
            raise InvalidError({"": "The dry run left nothing that could be sent."})
        current.state = State.RUNNING
        current.save(update_fields=["state"])
        _ask(current, by=by)
    return current


def abandon(batch: WriteBatch, *, by: User) -> WriteBatch:
    """Give up every row that was not sent and that no job is about to send. Raises PermissionDenied, InvalidError."""
    policy.require(by, registry.operation(batch.operation).permission, batch.tenant)
    with transaction.atomic():
        current = _locked(batch)
        if current.job is not None and not current.job.is_finished:
            raise InvalidError({"": "It is under way: cancel its job first."})
        unsent = (WriteState.CHECKING, WriteState.READY, WriteState.QUEUED)
        for write in VendorWrite.objects.filter(batch=current, state__in=unsent):
            vendor_writes.abandon(write, by=by)
        current.state = State.ABANDONED
        current.save(update_fields=["state"])
    return current


def go_on(batch: WriteBatch, *, by: User) -> WriteBatch:
    """Take up again what a cancelled or broken job left. Raises PermissionDenied."""
    policy.require(by, registry.operation(batch.operation).permission, batch.tenant)
    with transaction.atomic():
        current = _locked(batch)
        if current.state in (State.CHECKING, State.RUNNING) and (current.job is None or current.job.is_finished):
            _ask(current, by=by)
    return current


def retry_failed(batch: WriteBatch, *, by: User, key: str) -> WriteBatch:
    """A new batch of the rows that were not done, with what was asked for; they are checked again like any other."""
    if batch.sealed is None:
        raise InvalidError({"": "What was asked for is not kept any more."})
    failed = VendorWrite.objects.filter(batch=batch, state=WriteState.NOT_DONE)
    failed = failed.exclude(pk__in=failed.filter(result__nothing=True).values("pk"))
    keys = list(failed.values_list("integration_id", flat=True))
    rows = Integration.objects.for_tenant(batch.tenant).filter(pk__in=keys)
    params = load(vault.unseal(batch.tenant_id, batch.context, batch.sealed))
    return request(
        batch.operation,
        tenant=batch.tenant,
        by=by,
        integrations=list(with_all(rows)),
        params=params,
        key=key,
        title=batch.title,
        reason=batch.reason,
    )


def with_all(rows: QuerySet[Integration]) -> QuerySet[Integration]:
    """`rows` with what asking for a write of each reads."""
    return rows.select_related("tenant", "vendor_account__tenant", "vendor_account__credential", "document")


def sort_out(
    operation: str, integrations: Iterable[Integration]
) -> tuple[list[Integration], dict[str, list[Integration]]]:
    """Those of which an operation can be asked, and the others by the reason why it cannot."""
    possible: list[Integration] = []
    left_out: dict[str, list[Integration]] = {}
    for integration in integrations:
        reason = vendor_writes.refusal(operation, integration)
        (left_out.setdefault(reason, []) if reason else possible).append(integration)
    return possible, left_out


@dataclass(frozen=True)
class Standing:
    """How the rows of a batch stand. Of the ready ones `sendable` are sent when somebody confirms, `asking` have a
    question to be answered on their own page. `nothing`: there was nothing to do; `failed` are the other not done ones.
    """

    by_state: dict[str, int]
    sendable: int
    asking: int
    nothing: int
    failed: int

    @property
    def total(self) -> int:
        return sum(self.by_state.values())


def standing(batch: WriteBatch) -> Standing:
    """How the rows of a batch stand; two queries."""
    rows = VendorWrite.objects.filter(batch=batch)
    by_state = counts(batch)
    special = rows.aggregate(
        sendable=Count("pk", filter=Q(state=WriteState.READY, plan__questions=[])),
        nothing=Count("pk", filter=Q(state=WriteState.NOT_DONE, result__nothing=True)),
    )
    return Standing(
        by_state=by_state,
        sendable=special["sendable"],
        asking=by_state.get(WriteState.READY, 0) - special["sendable"],
        nothing=special["nothing"],
        failed=by_state.get(WriteState.NOT_DONE, 0) - special["nothing"],
    )


def counts(batch: WriteBatch) -> dict[str, int]:
    """How many rows stand in which state."""
    found = VendorWrite.objects.filter(batch=batch).values_list("state").annotate(count=Count("id")).order_by("state")
    return dict(found)


def _locked(batch: WriteBatch) -> WriteBatch:
    rows = WriteBatch.objects.select_related("tenant", "job", "requested_by")
    return rows.select_for_update(of=("self",)).get(pk=batch.pk)


# --- in the worker -------------------------------------------------------------------------------------------------


def check(batch: WriteBatch, *, job: Job | None, progress: Watcher) -> dict[str, int]:
    """The dry run: plan every row that has no plan yet; nothing is changed. Returns the rows by state."""
    _begin(batch, progress, done_states=(*OVER_STATES, WriteState.READY))
    for write in _rows(batch, WriteState.CHECKING):
        progress.check()
        if _step(write, progress, lambda write: write_runs.check(write, job=job, progress=progress)):
            _tell(write, progress)
    with transaction.atomic():
        progress.hold()
        WriteBatch.objects.filter(pk=batch.pk, state=State.CHECKING).update(state=State.READY)
    return counts(batch)


def perform(batch: WriteBatch, *, job: Job | None, progress: Watcher) -> dict[str, int]:
    """Send every confirmed row once, one after the other; settle those that were sent before. Returns the rows by
    state.

    Raises WaitError while rows wait for the vendor, to go on with them later.
    """
    _begin(batch, progress, done_states=(*OVER_STATES, WriteState.UNKNOWN, WriteState.READY))
    waits: list[WaitError] = []
    for write in _rows(batch, WriteState.QUEUED, WriteState.SENT):
        progress.check()
        try:
            if _step(write, progress, lambda write: write_runs.perform(write, job=job, progress=progress)):
                _tell(write, progress)
        except WaitError as wait:
            waits.append(wait)
    if waits:
        raise WaitError(min(_LOOK_AGAIN_SECONDS, min(wait.seconds for wait in waits)), waits[0].reason)
    by_state = counts(batch)
    if not by_state.get(WriteState.QUEUED):  # what the vendor was away for waits for somebody to go on with it
        with transaction.atomic():
            progress.hold()
            WriteBatch.objects.filter(pk=batch.pk, state=State.RUNNING).update(state=State.OVER)
    return by_state


def forget_requests() -> int:
    """Erase what was asked of the rows of old batches, secrets included: nobody does their failed ones again."""
    old = WriteBatch.objects.filter(created_at__lt=timezone.now() - write_sweeps.FORGOTTEN_AFTER, sealed__isnull=False)
    return old.exclude(state=State.RUNNING).update(sealed=None)


def resume_lost() -> int:
    """Ask again for the job of batches whose own ended with rows sent and nobody to look what became of them."""
    ended_before = timezone.now() - timedelta(seconds=write_sweeps.RESUMED_AFTER_SECONDS)
    sent = VendorWrite.objects.filter(state=WriteState.SENT, batch__isnull=False).values("batch")
    lost = WriteBatch.objects.filter(
        Q(job=None) | Q(job__finished_at__lt=ended_before), pk__in=sent, state=State.RUNNING
    )
    asked = 0
    for batch in lost[:SWEEP_ROWS]:
        with transaction.atomic():
            current = _locked(batch)
            if current.state == State.RUNNING:
                _ask(current, by=None)
                asked += 1
    return asked


def _begin(batch: WriteBatch, progress: Watcher, *, done_states: Iterable[str]) -> None:
    """Count what an earlier run of the job dealt with already."""
    by_state = counts(batch)
    progress.start(sum(by_state.values()), "integrations")
    done = sum(by_state.get(state, 0) for state in done_states)
    failed = sum(by_state.get(state, 0) for state in (WriteState.NOT_DONE, WriteState.UNKNOWN))
    if done:
        progress.advance(done, failed=failed)


def _rows(batch: WriteBatch, *states: WriteState) -> Iterable[VendorWrite]:
    """The rows in these states, each read when its turn comes: it may take hours until then."""
    keys = VendorWrite.objects.filter(batch=batch, state__in=states).order_by("created_at", "id")
    for pk in list(keys.values_list("pk", flat=True)):
        write = write_ledger.with_all(VendorWrite.objects.for_tenant(batch.tenant)).filter(pk=pk).first()
        if write is not None:
            yield write


def _step(write: VendorWrite, progress: Watcher, step: Any) -> bool:
    """Take one row its step; False when it is to be left for later. What ends one row does not end the batch."""
    try:
        step(write)
    except (VendorRateLimitError, VendorPausedError):
        raise  # the whole account waits, and this batch with it
    except VendorUnavailableError as error:
        progress.fail_item(write.title, f"{error.message} It can be tried again.")
        return False
    except (VendorError, InvalidError):
        write.refresh_from_db()
    return True


def _tell(write: VendorWrite, progress: Watcher) -> None:
    if write.state == WriteState.NOT_DONE and not _is_nothing(write):
        progress.fail_item(write.title, write.sentence)
    elif write.state == WriteState.UNKNOWN:
        progress.fail_item(write.title, "Sent, and nobody but a person can tell what became of it.")
    elif write.state == WriteState.READY and write.plan.get("note"):
        progress.fail_item(write.title, write.plan["note"])
    else:
        progress.advance()


def _is_nothing(write: VendorWrite) -> bool:
    """Nothing was to be done: that is no failure."""
    return bool(write.result.get("nothing"))
