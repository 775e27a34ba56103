"""Compares two redacted documents by structure: what a person would say has changed, not which lines moved.

Items of a list are matched by their id where they have one, so that a moved item is "moved" and not everything between.
Secrets are compared by fingerprint. What a vendor touches by itself (times of change, counters of versions) is kept
apart as noise.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from integrations_app.services.canonical import canonical, load
from integrations_app.services.redaction import is_secret_mark

# Fields by which the items of a list are told apart, the first one that every item has; then what an item is called by.
_ID_FIELDS = (
    "id",
    "_id",
    "uuid",
    "key",
    "workflowId",
    "connectorId",
    "blockId",
    "name",
)
_NAME_FIELDS = ("name", "title", "label", "subtitle", "key", "type")
_NOISE = re.compile(
    r"(updated|modified|lastmodified|changed|synced|lastseen|lasterror)(at|on|date|time)?$|^lastmodified|^etag$"
)
# Finding the fewest moves costs the square of the length; beyond this the order of a list is not compared.
_MOVES_LIMIT = 1000


class Kind(StrEnum):
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"


@dataclass(frozen=True)
class Change:
    """One difference. `path` is dotted, list items by number ("workflows[2].active"); `field` is its part inside the
    section. `before` and `after` are JSON values, None where there is none; a secret is {"$secret": fingerprint}.
    """

    section: str
    path: str
    field: str
    kind: Kind
    before: Any = None
    after: Any = None
    is_noise: bool = False

    @property
    def is_secret(self) -> bool:
        return is_secret_mark(self.before) or is_secret_mark(self.after)


@dataclass(frozen=True)
class Section:
    """The changes of one part of the document ("workflows “Orders”", "" for the document itself), equal fields
    counted.
    """

    title: str
    changes: tuple[Change, ...]
    equal_count: int


@dataclass(frozen=True)
class Diff:
    """`changes` without noise and moves, in the document's order; `equal_paths` are the leaves that are the same.

    `sections` hold the changes, `noisy_sections` the noise among them too.
    """

    changes: tuple[Change, ...]
    noise: tuple[Change, ...]
    moved: tuple[Change, ...]
    equal_paths: tuple[str, ...]
    sections: tuple[Section, ...]
    noisy_sections: tuple[Section, ...]

    def __bool__(self) -> bool:
        return bool(self.changes or self.noise or self.moved)


def diff(before: bytes | memoryview, after: bytes | memoryview) -> Diff:
    """Compare two redacted documents as stored (canonical JSON)."""
    walk = _Walk()
    everything = list(walk.compare(load(before), load(after), _Spot()))
    changes = tuple(change for change in everything if not change.is_noise and change.kind is not Kind.MOVED)
    return Diff(
        changes=changes,
        noise=tuple(change for change in everything if change.is_noise),
        moved=tuple(change for change in everything if change.kind is Kind.MOVED and not change.is_noise),
        equal_paths=tuple(path for _, path in walk.equal),
        sections=_sections(changes, walk.equal),
        noisy_sections=_sections([change for change in everything if change.kind is not Kind.MOVED], walk.equal),
    )


def _sections(changes: Sequence[Change], equal: Sequence[tuple[str, str]]) -> tuple[Section, ...]:
    by_title: dict[str, list[Change]] = {}
    for change in changes:
        by_title.setdefault(change.section, []).append(change)
    equal_counts = Counter(section for section, _ in equal)
    return tuple(Section(title, tuple(found), equal_counts[title]) for title, found in by_title.items())


@dataclass(frozen=True)
class _Spot:
    """Where in the documents the walk is."""

    path: str = ""
    section: str = ""
    field: str = ""
    is_noise: bool = False

    def member(self, name: str) -> _Spot:
        noise = self.is_noise or bool(_NOISE.search(re.sub(r"[^a-z]", "", name.lower())))
        path, field = (f"{start}.{name}" if start else name for start in (self.path, self.field))
        return _Spot(path, self.section, field, noise)

    def item(self, number: int, item: Any) -> _Spot:
        """An item with a name opens a section of its own; others are numbered."""
        path, field = f"{self.path}[{number}]", f"{self.field}[{number}]"
        named = _name_of(item)
        if not named or self.section.count("“") >= 2:
            return _Spot(path, self.section, field, self.is_noise)
        section = f"{self.section} · {self.field}" if self.section else self.field
        return _Spot(path, f"{section} “{named}”", "", self.is_noise)

    def change(self, kind: Kind, before: Any = None, after: Any = None) -> Change:
        return Change(self.section, self.path, self.field, kind, before, after, self.is_noise)


class _Walk:
    def __init__(self) -> None:
        self.equal: list[tuple[str, str]] = []  # (section, path)

    def compare(self, before: Any, after: Any, spot: _Spot) -> Iterator[Change]:
        if _is_branch(before) and _is_branch(after):
            yield from self._members(before, after, spot)
        elif isinstance(before, list) and isinstance(after, list):
            yield from self._items(before, after, spot)
        elif before != after or type(before) is not type(after):
            yield spot.change(Kind.CHANGED, before, after)
        else:
            self.equal.append((spot.section, spot.path))

    def _members(self, before: Mapping[str, Any], after: Mapping[str, Any], spot: _Spot) -> Iterator[Change]:
        for name in dict.fromkeys([*before, *after]):
            here = spot.member(name)
            if name not in after:
                yield here.change(Kind.REMOVED, before=before[name])
            elif name not in before:
                yield here.change(Kind.ADDED, after=after[name])
            else:
                yield from self.compare(before[name], after[name], here)

    def _items(self, before: Sequence[Any], after: Sequence[Any], spot: _Spot) -> Iterator[Change]:
        was, now = _by_identity(before, after)
        for identity, (number, item) in was.items():
            if identity not in now:
                yield spot.item(number, item).change(Kind.REMOVED, before=item)
        order = [identity for identity in was if identity in now]
        new_order = [identity for identity in now if identity in was]
        moved = _moved(order, new_order)
        for identity, (number, item) in now.items():
            here = spot.item(number, item)
            if identity not in was:
                yield here.change(Kind.ADDED, after=item)
                continue
            if identity in moved:
                yield here.change(Kind.MOVED, before=was[identity][0], after=number)
            yield from self.compare(was[identity][1], item, here)


def _is_branch(value: Any) -> bool:
    return isinstance(value, dict) and not is_secret_mark(value)


def _name_of(item: Any) -> str:
    if not _is_branch(item):
        return ""
    return next(
        (str(item[name])[:60] for name in _NAME_FIELDS if isinstance(item.get(name), str) and item[name]),
        "",
    )


def _by_identity(before: Sequence[Any], after: Sequence[Any]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Both lists as {identity: (number, item)}: by an id all items of both lists have, by value for plain values (so
    that one more in front is one addition), else by number."""
    for name in _ID_FIELDS:
        keys = [[_identity(item, name) for item in items] for items in (before, after)]
        if all(None not in side and len(set(side)) == len(side) for side in keys) and (before or after):
            return _numbered(keys[0], before), _numbered(keys[1], after)
    if not any(isinstance(item, dict | list) and not is_secret_mark(item) for item in [*before, *after]):
        return _numbered(_repeated(before), before), _numbered(_repeated(after), after)
    return dict(enumerate(enumerate(before))), dict(enumerate(enumerate(after)))


def _identity(item: Any, name: str) -> str | None:
    found = item.get(name) if _is_branch(item) else None
    return str(found) if isinstance(found, str | int) and found != "" else None


def _repeated(items: Sequence[Any]) -> list[tuple[bytes, int]]:
    """Values made distinct by how often they came before."""
    seen: dict[bytes, int] = {}
    identities = []
    for item in items:
        value = canonical(item)
        seen[value] = seen.get(value, 0) + 1
        identities.append((value, seen[value]))
    return identities


def _numbered(identities: Sequence[Any], items: Sequence[Any]) -> dict[Any, tuple[int, Any]]:
    return dict(zip(identities, enumerate(items), strict=True))


def _moved(order: Sequence[Any], new_order: Sequence[Any]) -> set[Any]:
    """The fewest items that must move to get from one order to the other: all but a longest increasing run."""
    if list(order) == list(new_order) or len(order) > _MOVES_LIMIT:
        return set()
    position = {identity: number for number, identity in enumerate(order)}
    best: list[list[Any]] = []  # best[n]: a run of n + 1 that ends as early as possible
    for identity in new_order:
        place = next(
            (n for n, run in enumerate(best) if position[run[-1]] >= position[identity]),
            len(best),
        )
        run = [*(best[place - 1] if place else []), identity]
        best[place : place + 1] = [run]
    return set(new_order) - set(best[-1])
