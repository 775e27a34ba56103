"""Deleting an integration at its vendor, after a look at what is in it and who stands on it, and with copies kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from console.access.permissions import Permission
from integrations_app.models import Integration, Job, VendorWrite
from integrations_app.models.vendor_write import WriteState
from integrations_app.services import integrations
from integrations_app.services.documents import canonical
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations.base import (
    Context,
    Finished,
    Plan,
    Question,
    Settled,
    Verdict,
)
from integrations_app.services.operations.edit import guard_of
from integrations_app.services.operations.surroundings import Around, is_there
from integrations_app.vendors.capabilities import EditRules, SupportsDelete

_UNFINISHED = (WriteState.QUEUED, WriteState.SENT, WriteState.UNKNOWN)
# Jobs that only carry a write: the write itself is what stands in the way.
_CARRIERS = ("prepare_write", "perform_write")
_INSTALLED = (
    "It was installed step by step and is removed the same way: by its uninstall steps. "
    "Deleting it outright would leave behind what they clear away, so that is not offered."
)


class Delete:
    """No `params`. Typing the name and a reason are asked for at the confirmation, beside what would be lost."""

    name: ClassVar[str] = "delete"
    label: ClassVar[str] = "Delete"
    permission: ClassVar[Permission] = Permission.INTEGRATION_DELETE
    needs: ClassVar[type] = SupportsDelete
    effect: ClassVar[str] = "deletes the integration at the vendor"
    has_review: ClassVar[bool] = True
    keeps_snapshot: ClassVar[bool] = True
    is_long: ClassVar[bool] = False
    is_undoable: ClassVar[bool] = False

    def title(self, target: str, params: Mapping[str, Any]) -> str:
        return f"Delete {target}"

    def plan(self, context: Context) -> Plan:
        """Read it, its flows, what uses it and who has access; refuse while something else is under way."""
        if reason := obstacle(context.integration, except_for=context.write):
            raise InvalidError({"": reason})
        remote = integrations.read_afresh(context.integration, hold=context.progress.hold)
        around = Around(context)
        rules = context.client.edit_rules or EditRules((), frozenset())
        state = [guard_of(remote.raw, rules), around.state]
        name = context.integration.name
        return Plan(
            guard=hashlib.sha256(canonical(state)).hexdigest(),
            consequence=f"{context.client.label} deletes “{name}”. This cannot be undone from here.",
            facts=around.facts(),
            questions=(
                Question("typed_name", f"Type {name} to confirm", "typed_name", expects=name),
                Question("reason", "Reason", "reason", help="Goes to the audit log."),
            ),
            nothing=_INSTALLED if around.items("uninstall_steps") else "",
        )

    def send(self, context: Context) -> Mapping[str, Any]:
        cast(SupportsDelete, context.client).delete_integration(context.integration.remote_id)
        return {}

    def settle(self, context: Context) -> Settled:
        return Settled(Verdict.NOT_DONE if is_there(context) else Verdict.DONE)

    def finish(self, context: Context, receipt: Mapping[str, Any]) -> Finished:
        if is_there(context):
            return Finished("The vendor says that it is deleted, and still shows it. The next sync looks again.")
        integrations.mark_deleted(context.integration, hold=context.progress.hold)
        return Finished("Deleted. What was known of it stays here, with its snapshots and its history.")


def obstacle(integration: Integration, *, except_for: VendorWrite | None = None) -> str:
    """What is under way with an integration and must end before it can be deleted, in a sentence; "" for nothing."""
    if write := blocking_write(integration, except_for=except_for):
        state = write.get_state_display().lower()
        return f"“{write.title}” is not over yet ({state}). Wait for it, or settle it first."
    if job := blocking_job(integration):
        return f"“{job.title}” is still {job.get_state_display().lower()}. Wait for it, or cancel it first."
    return ""


def blocking_write(integration: Integration, *, except_for: VendorWrite | None = None) -> VendorWrite | None:
    """Another change of it that is about to be sent, or of which nobody knows yet what it did."""
    writes = VendorWrite.objects.for_tenant(integration.tenant).filter(integration=integration, state__in=_UNFINISHED)
    if except_for is not None:
        writes = writes.exclude(pk=except_for.pk)
    return writes.select_related("tenant").first()


def blocking_job(integration: Integration) -> Job | None:
    """A job about it that has not ended."""
    jobs = Job.objects.for_tenant(integration.tenant).open().exclude(type__in=_CARRIERS)
    return jobs.filter(target_type="integration", target_id=str(integration.pk)).select_related("tenant").first()
