"""What stands on an integration and would be lost with it, as facts for a plan that takes it away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from console.access.vault import TenantVault
from integrations_app.models import TemplateArchive, VendorWrite
from integrations_app.models.vendor_write import OVER_STATES
from integrations_app.services import account_health, archives
from integrations_app.services.archive_files import ArchiveFileError
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

    @property
    def state(self) -> list[Any]:
        """What the facts tell of the vendor, as plain JSON for a guard: whoever read them decided on that."""
        flows, users = self.items("flows") or (), self._used_by()
        return [
            sorted([flow.remote_id, str(flow.values.get("is_on"))] for flow in flows),
            sorted([item.remote_id, str(item.values.get("direction") or "")] for item in users),
            sorted(person.remote_id for person in self.items("people") or ()),
        ]

    def facts(self) -> tuple[Fact, ...]:
        """See `facts` of this module."""
        found = [*self._flows(), *self._users(), *self._people(), *self._unconfirmed()]
        if self._unreadable:
            found.append(Fact("Could not be looked at:", items=tuple(self._unreadable), tone="warn"))
        return (*found, *self._archive(), Fact(_SNAPSHOT))

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
        if self.items("dependencies") is None:
            return
        found = self._used_by()
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

    def _used_by(self) -> list[RemoteItem]:
        """What else uses it or may use it: all that the vendor names but its own flows and what it uses itself."""
        own = {flow.remote_id for flow in self.items("flows") or ()}
        found = [item for item in self.items("dependencies") or () if item.remote_id not in own]
        return [item for item in found if item.values.get("direction") in ("used by", "", None)]

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

    def _archive(self) -> Iterator[Fact]:
        """The vendor's own template archive, fetched before anybody confirms: what cannot be had is told."""
        if not archives.are_offered(self._context.account.vendor):
            return
        found = self._archive_of_now()
        if isinstance(found, str):
            yield Fact(f"No template archive of it could be taken: {found}.", tone="warn")
        elif not found.is_kept:
            yield Fact(f"Its template archive is not kept: {found.refusal}", tone="warn")
        else:
            until = f" until {found.expires_at:%-d %b %Y}" if found.expires_at else ""
            files = "1 file" if found.entry_count == 1 else f"{found.entry_count} files"
            yield Fact(f"The vendor's template archive of it is kept here{until}: {files}.")

    def _archive_of_now(self) -> TemplateArchive | str:
        """The archive as of now, or why there is none. One that is newer than the last change seen is good enough.

        Raises VendorError when the vendor says to wait.
        """
        write, integration = self._context.write, self._context.integration
        changes = [write.created_at, integration.changed_at, *(flow.at for flow in self.items("flows") or ())]
        newest = archives.history(integration).first()
        if newest is not None and newest.is_kept and newest.taken_at >= max(filter(None, changes)):
            return newest
        progress, by = self._context.progress, write.confirmed_by or write.requested_by
        try:
            return archives.fetch(integration, by=by, job=write.job, check=progress.check, hold=progress.hold)
        except (VendorRateLimitError, VendorPausedError):
            raise
        except VendorError as error:
            return account_health.failure_text(error)
        except ArchiveFileError as error:
            return str(error).rstrip(".")

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
    """Its flows, what else uses it, who has access, what somebody began here and did not confirm, and the
    copies that are kept: the vendor's template archive is fetched for it.

    Raises VendorError when the vendor may answer later; what it refuses to tell is a fact too.
    """
    return around.facts()
