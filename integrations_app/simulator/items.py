"""An account's integrations as they are now: what the vendor generates, with every change, list mode and breakage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from integrations_app.simulator.wire import Account, PretendVendor

if TYPE_CHECKING:
    from integrations_app.simulator.world import World

LIST_MODES = ("normal", "empty", "half", "loop", "endless")
BROKEN_KINDS = ("types", "null", "text", "no_id", "unknown_field")

# A document as the vendor will send it, made from the vendor's full document of one item.
Render = Callable[[dict[str, Any]], Any]
Keep = Callable[[dict[str, Any]], bool]


@dataclass(frozen=True)
class Page:
    """A stretch of a list; `next_offset` is None at its end, and never moves on (or never ends) in those list modes."""

    items: list[Any]
    next_offset: int | None


def ordered(size: int, changes: dict[str, Any]) -> Sequence[int]:
    """Item numbers in the order listed; a plain range while nothing changed it."""
    total = size + changes["added"]
    if not (changes["removed"] or changes["duplicated"] or changes["moved"]):
        return range(total)
    removed = set(changes["removed"])
    order = [number for number in range(total) if number not in removed]
    order.extend(number for number in changes["duplicated"] if number not in removed)
    for number, position in changes["moved"]:
        if number in removed:
            continue
        order.remove(number)
        order.insert(position, number)
    return order


class Items:
    """One account's integrations as they are now. A document is the vendor's own full form of one item."""

    def __init__(self, world: World, vendor: PretendVendor, account: Account) -> None:
        self._world = world
        self._vendor = vendor
        self._account = account

    def numbers(self) -> Sequence[int]:
        """The numbers listed, in order; a number may come twice. List modes empty and half are applied."""
        order = self._world.order_of(self._account)
        mode = self._world.list_mode(self._account)
        if mode == "empty":
            return order[:0]
        return order[: len(order) // 2] if mode == "half" else order

    def document(self, number: int) -> dict[str, Any]:
        """The document of one item with the changes made to it, whether or not it was removed."""
        made = self._vendor.make(self._account, number)
        with self._world.lock:
            changes = self._world.changes_of(self._account)
            made.update(changes["set"].get(str(number), {}))
            for name in changes["unset"].get(str(number), ()):
                made.pop(name, None)
        return made

    def number_of(self, remote_id: str) -> int | None:
        """The number of the item with this remote id, None when there is none (or no more)."""
        with self._world.lock:
            changes = self._world.changes_of(self._account)
            number = self._number_set(remote_id, changes["set"])
            if number is None:
                number = self._vendor.number_of(self._account, remote_id)
            if number is None or number in changes["removed"]:
                return None
            return number if 0 <= number < self._account.size + changes["added"] else None

    def _number_set(self, remote_id: str, fields_set: dict[str, Any]) -> int | None:
        """The number of an item that was given this id by a change."""
        id_field = self._vendor.id_field
        return next((int(n) for n, fields in fields_set.items() if fields.get(id_field) == remote_id), None)

    def get(self, remote_id: str) -> dict[str, Any] | None:
        """The document with this remote id, None when there is none."""
        number = self.number_of(remote_id)
        return None if number is None else self.document(number)

    def changed_numbers(self) -> list[int]:
        """The numbers of the items that had fields set: where a key given by a change can be."""
        with self._world.lock:
            return [int(number) for number in self._world.changes_of(self._account)["set"]]

    def find(self, keep: Keep) -> dict[str, Any] | None:
        """The first document that `keep` accepts; goes through the whole list."""
        return next((document for document in map(self.document, self.numbers()) if keep(document)), None)

    def count(self, keep: Keep | None = None) -> int:
        """How many items are listed; goes through them all when there is something to keep."""
        if keep is None:
            return len(self.numbers())
        return sum(keep(self.document(number)) for number in self.numbers())

    def page(
        self, offset: int, limit: int, *, render: Render, keep: Keep | None = None, newest_first: bool = False
    ) -> Page:
        """Up to `limit` rendered items from position `offset` of the list on, only those that `keep` accepts.

        Positions count all items, kept or not, so that an offset in a cursor stays right whatever is filtered.
        `newest_first` goes through the list from its end.
        """
        mode = self._world.list_mode(self._account)
        items: list[Any] = []
        position = offset
        for position, number in self._from(offset, endless=mode == "endless", newest_first=newest_first):
            if len(items) >= limit:
                return Page(items, offset if mode == "loop" else position)
            document = self.document(number)
            if keep is None or keep(document):
                items.append(self._rendered(number, document, render))
        return Page(items, offset if mode == "loop" and items else None)

    def every(self, *, render: Render, keep: Keep | None = None) -> Iterator[Any]:
        """All rendered items one by one, for vendors that answer with the whole list at once."""
        mode = self._world.list_mode(self._account)
        for _, number in self._from(0, endless=mode == "endless"):
            document = self.document(number)
            if keep is None or keep(document):
                yield self._rendered(number, document, render)

    def _from(self, offset: int, *, endless: bool, newest_first: bool = False) -> Iterator[tuple[int, int]]:
        """Positions and numbers from an offset on; without end when asked, with numbers that no list holds."""
        numbers = self.numbers()[::-1] if newest_first else self.numbers()
        for position in range(offset, len(numbers)):
            yield position, numbers[position]
        position = max(offset, len(numbers))
        while endless:
            yield position, 1_000_000 + position
            position += 1

    def _rendered(self, number: int, document: dict[str, Any], render: Render) -> Any:
        kind = self._world.changes_of(self._account)["broken"].get(str(number), "")
        if not kind and self._account.script == "bad_item" and number == 3:
            kind = "types"
        rendered = render(document)
        return _break(rendered, kind, self._vendor.id_field) if kind else rendered


def _break(item: Any, kind: str, id_field: str) -> Any:
    """The item in a shape no client should accept, but for "unknown_field", which every client should."""
    if kind == "null":
        return None
    if kind == "text":
        return "Internal error while rendering this item"
    if kind == "no_id":
        return {name: value for name, value in item.items() if name != id_field}
    if kind == "unknown_field":
        return {**item, "simulatedNewField": {"since": "yesterday", "values": [1, 2]}}
    return {name: value if name == id_field else _other_type(value) for name, value in item.items()}


def _other_type(value: Any) -> Any:
    return [[value]] if isinstance(value, str) else "wrong type"
