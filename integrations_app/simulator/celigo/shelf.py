"""What an account holds now: what is generated, and what requests have changed of it.

Kept in the world's store of the account as JSON, so that it survives a restart:

- `documents`: by kind and id, a document that was made or changed; null once it was deleted
- `children`: by integration number and kind, ids that were made below it
- `blank`: numbers of integrations made by a request, below which nothing is generated
- `installed`: numbers of integrations whose installation was finished
- whatever `kept` hands out by name: revisions, runs, audit entries, closed errors
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from integrations_app.simulator.celigo.documents import COUNTERS, Document, Maker
from integrations_app.simulator.celigo.resources import (
    CONNECTIONS_PER_INTEGRATION,
    FLOWS_PER_INTEGRATION,
    STEPS_PER_FLOW,
    Resources,
)
from integrations_app.simulator.names import stamp
from integrations_app.simulator.wire import Account, PretendVendor
from integrations_app.simulator.world import World

PLURALS = {"flow": "flows", "export": "exports", "import": "imports", "connection": "connections"}
SECONDS_BETWEEN_ERRORS = 97
# Nobody may write these of an integration: the server sets them.
SERVER_OWNED = frozenset(
    {"_id", "createdAt", "lastModified", "_registeredConnectionIds", "_registeredLookupCacheIds", *COUNTERS}
)


class GoneError(Exception):
    """The integration was deleted; a flow of it may have been left behind."""


class Shelf:
    """One account's things, to read and to change. Changing is done inside `world.batch()`."""

    def __init__(self, world: World, vendor: PretendVendor, account: Account) -> None:
        self._world = world
        self._account = account
        self.maker = Maker(account.salt)
        self.made = Resources(self.maker)
        self.items = world.items(vendor, account)

    def kept(self, name: str, default: Any) -> Any:
        """What is kept under a name; `default` is put there first when nothing is."""
        return self._world.account_store(self._account).setdefault(name, default)

    def now(self) -> str:
        """The world's time as Celigo writes it."""
        return stamp(self._world.now())

    def new_id(self, kind: str) -> str:
        """An id that nothing has; far from the numbers of what is generated."""
        serials = self.kept("serials", {})
        serials[kind] = serials.get(kind, 0) + 1
        return self.maker.identifier(f"new {kind}", serials[kind])

    # --- integrations --------------------------------------------------------------------------------------------

    def number(self, identifier: str) -> int:
        """The number of an integration that is there. Raises GoneError when it is not."""
        number = self.items.number_of(identifier)
        if number is None:
            raise GoneError(identifier)
        return number

    def replace(self, number: int, document: Document, *, is_change: bool = True) -> None:
        """Make `document` the whole of integration `number`, as changed now if it is a change."""
        document = {**document, "lastModified": self.now() if is_change else document["lastModified"]}
        before = self.items.document(number)
        self._world.change_item(self._account, number, copy.deepcopy(document), sorted(set(before) - set(document)))

    def recount(self, number: int) -> None:
        """Count anew what integration `number` holds; the list's counters follow."""
        document = self.items.document(number)
        document.pop("lastErrorAt", None)
        self.replace(number, {**document, **self.counters(number, document)}, is_change=False)

    def add(self, document: Document) -> Document:
        """Add an integration below which nothing is generated; returns it with what the server sets."""
        number = self._world.add_item(self._account, {})
        moment = self.now()
        identifier = self.maker.identifier("integration", number)
        made = {"_registeredConnectionIds": [], "_registeredLookupCacheIds": [], **document,
                "_id": identifier, "createdAt": moment}  # fmt: skip
        self.kept("blank", []).append(number)
        self.replace(number, {**made, **self.counters(number, made)})
        return self.items.document(number)

    def remove(self, number: int) -> None:
        """Take an integration off the list; its connections stay with the account."""
        self._world.remove_item(self._account, number)

    def counters(self, number: int, document: Document) -> Document:
        """The list's counters, counted."""
        ids = document.get("_registeredConnectionIds", [])
        connections = [found for each in ids if (found := self.get("connection", each)) is not None]
        newest = [self.error_at(number, flow, step, -1) for flow, step in self.open_errors(number)]
        return {
            **({"lastErrorAt": max(newest)} if newest else {}),
            "numFlows": len(self.ids("flow", number)),
            "numError": sum(self.open_errors(number).values()),
            "numRegisteredConnections": len(connections),
            "numOfflineConnections": sum(bool(each.get("offline")) for each in connections),
        }

    def open_errors(self, number: int) -> dict[tuple[str, str], int]:
        """Open errors of an integration by flow id and step id."""
        if number in self.kept("blank", []):
            return {}
        closed = self.kept("closed errors", {})
        counts = {(flow, step): count - len(closed.get(f"{flow}/{step}", []))
                  for (flow, step), count in self.made.errors_at(number).items()}  # fmt: skip
        return {place: count for place, count in counts.items() if count and self.get("flow", place[0]) is not None}

    def error_at(self, number: int, flow: str, step: str, place: int) -> str:
        """When error `place` (0 is the newest as generated, -1 the newest that is still open) of a step happened."""
        if place < 0:
            closed = set(self.kept("closed errors", {}).get(f"{flow}/{step}", []))
            place = next(each for each in itertools.count() if each not in closed)
        return stamp(self.made.newest_error_at(number, flow) - timedelta(seconds=SECONDS_BETWEEN_ERRORS * place))

    # --- what is below them --------------------------------------------------------------------------------------

    def ids(self, kind: str, number: int) -> list[str]:
        """The ids of the flows, exports or imports of an integration."""
        generated = self.made.ids(kind, number, self._flow_count(number))
        made: list[str] = self.kept("children", {}).get(str(number), {}).get(kind, [])
        deleted = self.kept("documents", {}).get(kind, {})
        return [each for each in [*generated, *made] if deleted.get(each, each) is not None]

    def all_of(self, kind: str, number: int) -> list[Document]:
        """The documents of the flows, exports or imports of an integration."""
        return [found for each in self.ids(kind, number) if (found := self.get(kind, each)) is not None]

    def registered(self, document: Document) -> list[Document]:
        """The connections on an integration's list."""
        ids = document.get("_registeredConnectionIds", [])
        return [found for each in ids if (found := self.get("connection", each)) is not None]

    def get(self, kind: str, identifier: str) -> Document | None:
        """A flow, export, import or connection by id; None when it is not there (any more)."""
        kept = self.kept("documents", {}).get(kind, {})
        if identifier in kept:
            found: Document | None = copy.deepcopy(kept[identifier])
        else:
            found = self._generated(kind, identifier)
        return None if found is None or (kind != "connection" and self._went_along(found)) else found

    def put(self, kind: str, document: Document, *, is_change: bool = True) -> None:
        """Keep a changed document, as changed now if it is a change."""
        moment = self.now() if is_change else document["lastModified"]
        self.kept("documents", {}).setdefault(kind, {})[document["_id"]] = copy.deepcopy(
            {**document, "lastModified": moment}
        )

    def take_away(self, kind: str, identifier: str) -> None:
        """Delete a document."""
        self.kept("documents", {}).setdefault(kind, {})[identifier] = None

    def add_below(self, kind: str, number: int | None, document: Document) -> Document:
        """Keep a new document, below an integration (None: the account's alone); `_id` and times are set."""
        moment = self.now()
        identifier = document.get("_id") or self.new_id(kind)
        made = {**document, "_id": identifier, "createdAt": moment, "lastModified": moment}
        self.put(kind, made)
        owner = "" if number is None else str(number)
        self.kept("children", {}).setdefault(owner, {}).setdefault(kind, []).append(identifier)
        return made

    def _went_along(self, document: Document) -> bool:
        """Whether a document's integration was deleted and took it along."""
        if self._world.switch("celigo.delete_with_flows") == "left_behind":
            return False
        return self.items.number_of(document.get("_integrationId", "")) is None

    def _generated(self, kind: str, identifier: str) -> Document | None:
        index = self.made.index_of(kind, identifier)
        if index is None:
            return None
        number = self.made.integration_of(kind, index)
        if not 0 <= number < self._total() or number in self.kept("blank", []):
            return None
        if kind == "connection":
            is_there = index % CONNECTIONS_PER_INTEGRATION < self.made.connection_count(number)
            return self.made.make(kind, index) if is_there else None
        flow = index if kind == "flow" else index // STEPS_PER_FLOW
        if flow % FLOWS_PER_INTEGRATION >= self._flow_count(number):
            return None
        is_there = kind == "flow" or (kind, identifier) in self.made.steps(flow)
        return self.made.make(kind, index) if is_there else None

    def _flow_count(self, number: int) -> int:
        if number in self.kept("blank", []):
            return 0
        if number in self.kept("installed", []):
            return self.made.flow_count_installed(number)
        return self.made.flow_count(number)

    def _total(self) -> int:
        added: int = self._world.changes_of(self._account)["added"]
        return self._account.size + added

    # --- the whole account ---------------------------------------------------------------------------------------

    def account_ids(self, kind: str, first: int) -> Iterator[tuple[int, str]]:
        """Positions and ids of one kind in the whole account, from a position on; a position may hold nothing."""
        per = CONNECTIONS_PER_INTEGRATION if kind == "connection" else FLOWS_PER_INTEGRATION * STEPS_PER_FLOW
        for number in range(first // per, self._total()):
            if number in self.kept("blank", []):
                continue
            is_connection = kind == "connection"
            ids = (
                self.maker.connection_ids(number)
                if is_connection
                else self.made.ids(kind, number, self._flow_count(number))
            )
            yield from ((number * per + place, each) for place, each in enumerate(ids) if number * per + place >= first)
        made = [each for below in self.kept("children", {}).values() for each in below.get(kind, [])]
        start = self._total() * per
        yield from ((start + place, each) for place, each in enumerate(made) if start + place >= first)
