"""What stands on an integration and would be lost with it, as facts for a plan that takes it away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from console.access.vault import TenantVault
from integrations_app.models import VendorWrite
from integrations_app.models.vendor_write import OVER_STATES
from integrations_app.services import account_health
from integrations_app.services.documents import Redactor, plain
from integrations_app.services.operations.base import Context, Fact
from integrations_app.vendors.capabilities import RemoteItem, SupportsListings
from integrations_app.vendors.errors import (
    VendorError,
    VendorNotFoundError,
    VendorPausedError,
    VendorRateLimitError,
    VendorUnavailableError,
)

# What of a kind is named; the rest is counted.
ITEMS_NAMED = 100
_SNAPSHOT = "Our own snapshot of it is kept just before, with everything that is known of it here."


def is_there(context: Context) -> bool:
    """Whether the vendor shows the integration of a write. Raises VendorError."""
    try:
        context.client.get_integration(context.integration.remote_id)
    except VendorNotFoundError:
        return False
    return True


class Around:
    """What belongs to the integration of a write, read from the vendor kind by kind and once each."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._read: dict[str, tuple[RemoteItem, ...] | None] = {}
        self._redactor = Redactor((), TenantVault(context.account.tenant_id).fingerprint)
        self._unreadable: list[str] = []

    def items(self, kind: str) -> tuple[RemoteItem, ...] | None:
        """All of a kind; None where the vendor has no such list, or refuses it to this secret.

        Raises VendorError when the vendor may answer later.
        """
        if kind not in self._read:
            self._read[kind] = self._ask(kind)
        return self._read[kind]

    def facts(self) -> tuple[Fact, ...]:
        """See `facts` of this module."""
        found = [*self._flows(), *self._users(), *self._people(), *self._unconfirmed()]
        if self._unreadable:
            found.append(Fact("Could not be looked at:", items=tuple(self._unreadable), tone="warn"))
        return (*found, Fact(_SNAPSHOT))

    def _ask(self, kind: str) -> tuple[RemoteItem, ...] | None:
        client = self._context.client
        known = {each.slug: each for each in client.listings}
        if not isinstance(client, SupportsListings) or kind not in known:
            return None
        try:
            return client.read_listing(kind, self._context.integration.remote_id).items
        except (VendorRateLimitError, VendorPausedError, VendorUnavailableError):
            raise
        except VendorError as error:
            self._unreadable.append(f"{known[kind].label}: {account_health.failure_text(error)}")
            return None

    def _flows(self) -> Iterator[Fact]:
        flows = self.items("flows")
        if flows is None:
            return
        if not flows:
            yield Fact("No flows are in it.")
            return
        on = sum(flow.values.get("is_on") is True for flow in flows)
        many = "1 flow is" if len(flows) == 1 else f"{len(flows)} flows are"
        running = f", {on} of them switched on" if on else ""
        text = f"{many} still in it{running}. The vendor does not say what becomes of them: move out what must stay."
        notes = ["off" if flow.values.get("is_on") is False else "" for flow in flows]
        yield Fact(text, items=self._named(flows, notes), tone="danger")

    def _users(self) -> Iterator[Fact]:
        """Whatever stands on it, but for its own flows; where the vendor does not say which way, it is told so."""
        dependencies = self.items("dependencies")
        if dependencies is None:
            return
        own = {flow.remote_id for flow in self.items("flows") or ()}
        found = [item for item in dependencies if item.remote_id not in own]
        used_by = [item for item in found if item.values.get("direction") == "used by"]
        unclear = [item for item in found if not item.values.get("direction")]
        if used_by:
            text = f"Used by {_count(used_by, 'thing')} elsewhere:"
            yield Fact(text, items=self._named(used_by, _models(used_by)), tone="danger")
        if unclear:
            text = f"Bound up with {_count(unclear, 'thing')}; the vendor does not say which uses which:"
            yield Fact(text, items=self._named(unclear, _models(unclear)), tone="warn")
        if not used_by and not unclear:
            yield Fact("Nothing else uses it.")

    def _people(self) -> Iterator[Fact]:
        people = self.items("people") or ()
        if people:
            count = "1 person has" if len(people) == 1 else f"{len(people)} people have"
            yield Fact(f"{count} access to it at the vendor:", items=self._named(people), tone="warn")

    def _unconfirmed(self) -> Iterator[Fact]:
        """Changes that somebody began and did not confirm: they can never be made after this."""
        write = self._context.write
        writes = VendorWrite.objects.for_tenant(write.tenant).filter(integration=write.integration)
        waiting = writes.exclude(state__in=OVER_STATES).exclude(pk=write.pk)
        if titles := tuple(waiting.values_list("title", flat=True)[:ITEMS_NAMED]):
            yield Fact("Begun by somebody and not confirmed yet:", items=titles, tone="warn")

    def _named(self, items: Sequence[RemoteItem], notes: Sequence[str] = ()) -> tuple[str, ...]:
        names = []
        for place, item in enumerate(items[:ITEMS_NAMED]):
            name = plain(self._redactor.redact_text(item.name), 160)
            note = plain(notes[place], 60) if notes else ""
            names.append(f"{name} ({note})" if note else name)
        rest = len(items) - ITEMS_NAMED
        return (*names, *((f"and {rest} more",) if rest > 0 else ()))


def _models(items: Sequence[RemoteItem]) -> list[str]:
    return [str(item.values.get("model") or "") for item in items]


def _count(items: Sequence[RemoteItem], word: str) -> str:
    return f"1 {word}" if len(items) == 1 else f"{len(items)} {word}s"


def facts(around: Around) -> tuple[Fact, ...]:
    """Its flows, what else uses it, who has access, what somebody began here and did not confirm, what is kept.

    Raises VendorError when the vendor may answer later; what it refuses to tell is a fact too.
    """
    return around.facts()
