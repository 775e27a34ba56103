"""Deleting an integration at its vendor, after a look at what is in it and who stands on it, and with copies kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, cast

from django.db import transaction
from django.utils import timezone

from console.access.permissions import Permission
from console.access.vault import TenantVault
from integrations_app.models import Integration, Job, VendorWrite
from integrations_app.models.vendor_write import OVER_STATES, WriteState
from integrations_app.services import account_health, integrations
from integrations_app.services.documents import Redactor, canonical, plain
from integrations_app.services.errors import InvalidError
from integrations_app.services.mirror import mark_gone
from integrations_app.services.operations.base import (
    Context,
    Fact,
    Finished,
    Plan,
    Question,
    Settled,
    Verdict,
)
from integrations_app.services.operations.edit import guard_of
from integrations_app.vendors.base import VendorClient
from integrations_app.vendors.capabilities import EditRules, RemoteItem, SupportsDelete, SupportsListings
from integrations_app.vendors.errors import (
    VendorError,
    VendorNotFoundError,
    VendorPausedError,
    VendorRateLimitError,
    VendorUnavailableError,
)

# What of it the plan names; the rest is counted.
ITEMS_NAMED = 100
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
        around = _Around(context)
        flows = around.items("flows") or ()
        rules = context.client.edit_rules or EditRules((), frozenset())
        state = [guard_of(remote.raw, rules), sorted(flow.remote_id for flow in flows)]
        name = context.integration.name
        return Plan(
            guard=hashlib.sha256(canonical(state)).hexdigest(),
            consequence=f"{context.client.label} deletes “{name}”. This cannot be undone from here.",
            facts=tuple(_facts(around, flows)),
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
        return Settled(Verdict.NOT_DONE if _is_there(context) else Verdict.DONE)

    def finish(self, context: Context, receipt: Mapping[str, Any]) -> Finished:
        if _is_there(context):
            return Finished("The vendor says that it is deleted, and still shows it. The next sync looks again.")
        _mark_deleted(context)
        return Finished("Deleted. What was known of it stays here, with its snapshots and its history.")


def obstacle(integration: Integration, *, except_for: VendorWrite | None = None) -> str:
    """What is under way with an integration and must end before it can be deleted, in a sentence; "" for nothing."""
    if write := blocking_write(integration, except_for=except_for):
        return (
            f"“{write.title}” is not over yet ({write.get_state_display().lower()}). Wait for it, or settle it first."
        )
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


def _is_there(context: Context) -> bool:
    try:
        context.client.get_integration(context.integration.remote_id)
    except VendorNotFoundError:
        return False
    return True


def _mark_deleted(context: Context) -> None:
    """Gone at once: a sync needs two looks to believe that something is missing, but this one we took away ourselves.

    `seen_at` moves along, so that a page of a list that was read before cannot bring it back.
    """
    now = timezone.now()
    with transaction.atomic():
        context.progress.hold()
        mark_gone([context.integration.pk], now)
        Integration.objects.filter(pk=context.integration.pk).update(seen_at=now, missing_since=now)
    context.integration.refresh_from_db()


# --- what would be lost ----------------------------------------------------------------------------------------------


class _Around:
    """What belongs to the integration, read from the vendor kind by kind, in words without secrets."""

    def __init__(self, context: Context) -> None:
        self.client: VendorClient = context.client
        self._integration = context.integration
        self._read: dict[str, tuple[RemoteItem, ...] | None] = {}
        self._redactor = Redactor((), TenantVault(context.account.tenant_id).fingerprint)
        self.write = context.write
        self.unreadable: list[str] = []

    def items(self, kind: str) -> tuple[RemoteItem, ...] | None:
        """All of a kind; None where the vendor has no such list, or refuses it to this secret (`unreadable` says so).

        Raises VendorError when the vendor may answer later.
        """
        if kind not in self._read:
            self._read[kind] = self._ask(kind)
        return self._read[kind]

    def _ask(self, kind: str) -> tuple[RemoteItem, ...] | None:
        known = {each.slug: each for each in self.client.listings}
        if not isinstance(self.client, SupportsListings) or kind not in known:
            return None
        try:
            return self.client.read_listing(kind, self._integration.remote_id).items
        except (VendorRateLimitError, VendorPausedError, VendorUnavailableError):
            raise
        except VendorError as error:
            self.unreadable.append(f"{known[kind].label}: {account_health.failure_text(error)}")
            return None

    def words(self, item: RemoteItem, note: str = "") -> str:
        name = plain(self._redactor.redact_text(item.name), 160)
        return f"{name} ({plain(note, 60)})" if note else name


def _facts(around: _Around, flows: Iterable[RemoteItem]) -> Iterator[Fact]:
    flows = tuple(flows)
    yield _flows_fact(around, flows)
    yield from _users(around, {flow.remote_id for flow in flows})
    yield from _people(around)
    yield from _unconfirmed(around)
    if around.unreadable:
        yield Fact("Could not be looked at:", items=tuple(around.unreadable), tone="warn")
    yield Fact("Our own snapshot of it is kept just before, with everything that is known of it here.")


def _flows_fact(around: _Around, flows: tuple[RemoteItem, ...]) -> Fact:
    if not flows:
        return Fact("No flows are in it.")
    on = sum(flow.values.get("is_on") is True for flow in flows)
    many = "1 flow is" if len(flows) == 1 else f"{len(flows)} flows are"
    running = f", {on} of them switched on" if on else ""
    text = f"{many} still in it{running}. The vendor does not say what becomes of them: move out what must stay."
    return Fact(text, items=_named(around, flows), tone="danger")


def _users(around: _Around, own: set[str]) -> Iterator[Fact]:
    """Whatever stands on it, but for its own flows; where the vendor does not say which way, it is told so."""
    found = [item for item in around.items("dependencies") or () if item.remote_id not in own]
    used_by = [item for item in found if item.values.get("direction") == "used by"]
    unclear = [item for item in found if not item.values.get("direction")]
    if used_by:
        yield Fact(f"Used by {_count(used_by, 'thing')} elsewhere:", items=_kinds(around, used_by), tone="danger")
    if unclear:
        text = f"Bound up with {_count(unclear, 'thing')} elsewhere; the vendor does not say which uses which:"
        yield Fact(text, items=_kinds(around, unclear), tone="warn")
    if not found and around.items("dependencies") is not None:
        yield Fact("Nothing else uses it.")


def _people(around: _Around) -> Iterator[Fact]:
    people = around.items("people") or ()
    if people:
        count = "1 person has" if len(people) == 1 else f"{len(people)} people have"
        yield Fact(f"{count} access to it at the vendor:", items=_named(around, people), tone="warn")


def _unconfirmed(around: _Around) -> Iterator[Fact]:
    """Changes that somebody began and did not confirm: they can never be made after this."""
    writes = VendorWrite.objects.for_tenant(around.write.tenant).filter(integration=around.write.integration)
    waiting = writes.exclude(state__in=OVER_STATES).exclude(pk=around.write.pk)
    titles = tuple(waiting.values_list("title", flat=True)[:ITEMS_NAMED])
    if titles:
        yield Fact("Begun by somebody and not confirmed yet:", items=titles, tone="warn")


def _count(items: list[RemoteItem], word: str) -> str:
    return f"1 {word}" if len(items) == 1 else f"{len(items)} {word}s"


def _named(around: _Around, items: tuple[RemoteItem, ...]) -> tuple[str, ...]:
    return _cut([around.words(item, "off" if item.values.get("is_on") is False else "") for item in items])


def _kinds(around: _Around, items: list[RemoteItem]) -> tuple[str, ...]:
    return _cut([around.words(item, str(item.values.get("model") or "")) for item in items])


def _cut(names: list[str]) -> tuple[str, ...]:
    rest = len(names) - ITEMS_NAMED
    return (*names[:ITEMS_NAMED], *((f"and {rest} more",) if rest > 0 else ()))
