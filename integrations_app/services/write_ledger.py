"""The rows of the ledger of vendor writes: made, locked, sealed, told of and closed by whoever takes them further.

`vendor_writes.py` is what people do with them, `write_runs.py` what workers do, `write_sweeps.py` what is left behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from django.db.models import QuerySet
from django.utils import timezone

from console.access import vault
from console.access.models import Tenant, User
from console.audit.events import Event
from console.audit.services import record
from integrations_app.models import Integration, Job, VendorAccount, VendorWrite, WriteState
from integrations_app.services import jobs, write_plans
from integrations_app.services.documents import canonical, load, plain
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations import registry
from integrations_app.services.operations.base import Operation


class Watcher(Protocol):
    """What a job's progress offers."""

    def say(self, text: str, level: str = "info", subject: str = "") -> None: ...

    def check(self) -> None: ...

    def hold(self) -> None: ...


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


def same(tenant: Tenant, key: str) -> VendorWrite | None:
    """The write that was asked for with this key, if there is one."""
    return VendorWrite.objects.for_tenant(tenant).filter(key=key).first()


def draft(
    kind: Operation,
    account: VendorAccount,
    integration: Integration | None,
    params: Mapping[str, Any],
    *,
    key: str,
    by: User | None,
    reason: str,
) -> VendorWrite:
    """A new row, not saved yet, with what is asked for sealed."""
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


def ask(write: VendorWrite, *, by: User | None) -> None:
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


def locked(write: VendorWrite) -> VendorWrite:
    """The row as it is now, its lock held until the transaction ends."""
    rows = VendorWrite.objects.select_related("tenant", "vendor_account", "integration", "job")
    return rows.select_for_update(of=("self",)).get(pk=write.pk)


def opened(write: VendorWrite) -> dict[str, Any]:
    """What was asked for: {"params", "answers"}, secrets in the clear. Raises InvalidError once that is erased."""
    if write.sealed is None:
        raise InvalidError({"": "What was asked for is not kept any more."})
    opened: dict[str, Any] = load(vault.unseal(write.tenant_id, write.context, write.sealed))
    return opened


def sealed_plan(write: VendorWrite) -> dict[str, Any]:
    """What was kept for settling: {"evidence", "receipt" (None: no answer yet), "lost_at" (ISO text or None)}."""
    if write.sealed_plan is None:
        return {"evidence": {}, "receipt": None, "lost_at": None}
    opened: dict[str, Any] = load(vault.unseal(write.tenant_id, write.plan_context, write.sealed_plan))
    return opened


def change_sealed_plan(write: VendorWrite, **values: Any) -> None:
    """Set some of what is kept for settling, at once and whoever holds the job."""
    kept = sealed_plan(write) | values
    write.sealed_plan = vault.seal(write.tenant_id, write.plan_context, canonical(kept))
    VendorWrite.objects.filter(pk=write.pk).update(sealed_plan=write.sealed_plan)


def close(write: VendorWrite, state: WriteState, sentence: str) -> None:
    """The write is over: its secrets go."""
    write.state, write.sentence, write.over_at = state, plain(sentence, 500), timezone.now()
    write.sealed = write.sealed_plan = None
    write.save()


def make_unknown(write: VendorWrite, look_at: Sequence[str]) -> None:
    """Leave a sent write to a person; inside the transaction that holds its lock."""
    if write.state == WriteState.SENT:
        write.state = WriteState.UNKNOWN
        write.sentence = "Sent, and the answer was lost. Reading back does not tell whether it happened."
        write.result = {"look_at": [plain(text, 500) for text in look_at]}
        write.save(update_fields=["state", "sentence", "result"])
        tell(write, Event.WRITE_UNKNOWN, by=None)


def tell(write: VendorWrite, event: Event, *, by: User | None, **more: Any) -> None:
    """The audit row, with before and after as the plan shows them; another tenant's names stay out of this log."""
    changes = [] if write.also_tenant_id is not None else write_plans.for_audit(write.plan)
    detail = {"what": write.title, "write": write.pk.hex, "changes": changes, **more}
    target = write.integration or write.vendor_account
    record(event, by=by, tenant=write.tenant, target=target, detail=detail, reason=write.reason)
