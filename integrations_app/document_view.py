"""Turns a redacted vendor document and the vendor's own description of its fields into what a page shows.

The pages know no vendor: each client declares its fields (`document_fields`), this module walks them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from integrations_app.vendors.base import DocumentField, FieldKind

SECRET_KEY = "$secret"


LINES_SHOWN = 300


@dataclass(frozen=True)
class ShownField:
    """One line of a fact list. `kind` picks how the template draws `value`; `path` is the vendor's own name.

    `item` is where in the vendor's lists it stands, counted from 1, and () outside of a list; `starts_item` marks the
    first line of an item of the outermost list.
    """

    label: str
    path: str
    kind: str
    value: Any
    moment: datetime | None = None
    item: tuple[int, ...] = ()
    starts_item: bool = False


@dataclass(frozen=True)
class ShownGroup:
    """`hidden` is how many further lines it has: a vendor's list may be of any length, and the raw tab has them all."""

    title: str
    fields: tuple[ShownField, ...]
    hidden: int = 0


def tab_of(group: str) -> str:
    """The tab a group of fields belongs to, by the convention that `DocumentField` describes."""
    if group == "Workflows":
        return "inside"
    return "connection" if group.startswith(("Connection", "Sharing")) else "overview"


def shown_fields(
    document: Mapping[str, Any], fields: Sequence[DocumentField], *, tabs: Collection[str]
) -> list[ShownGroup]:
    """The fields of these tabs that the document has, by group, in the order the vendor's client declares them.

    What belongs to one item of a list stays together.
    """
    found: dict[str, list[ShownField]] = {}
    for field in fields:
        if tab_of(field.group) not in tabs:
            continue
        for value, place in _values(document, field.path.split("."), ""):
            item = tuple(int(number) for number in place.split(".") if number)
            found.setdefault(field.group, []).append(replace(_shown(field, value, place), item=item))
    return [
        ShownGroup(title, tuple(_by_item(lines))[:LINES_SHOWN], max(0, len(lines) - LINES_SHOWN))
        for title, lines in found.items()
    ]


def _by_item(lines: list[ShownField]) -> Iterable[ShownField]:
    previous: tuple[int, ...] = ()
    for line in sorted(lines, key=lambda line: line.item):
        yield replace(line, starts_item=line.item[:1] != previous)
        previous = line.item[:1]


def _values(node: Any, path: list[str], place: str) -> Iterable[tuple[Any, str]]:
    """Every value at `path`, with the number of each list item passed on the way ("2.1")."""
    if not path:
        yield node, place
        return
    name, is_list = path[0].removesuffix("[]"), path[0].endswith("[]")
    if not isinstance(node, Mapping) or name not in node:
        return
    child = node[name]
    if not is_list:
        yield from _values(child, path[1:], place)
    elif isinstance(child, list):
        for number, item in enumerate(child, 1):
            yield from _values(item, path[1:], f"{place}.{number}".lstrip("."))


def _shown(field: DocumentField, value: Any, place: str) -> ShownField:
    label = f"{field.label} {place}".strip()
    if isinstance(value, Mapping) and SECRET_KEY in value:
        return ShownField(label, field.path, "secret", value[SECRET_KEY])
    if value is None:
        return ShownField(label, field.path, "empty", None)
    if field.kind is FieldKind.TIME:
        moment = _moment(value)
        return ShownField(label, field.path, "time" if moment else "text", value, moment)
    if isinstance(value, bool):
        return ShownField(label, field.path, "truth", value)
    if isinstance(value, Mapping):
        return ShownField(label, field.path, "document", value)
    if isinstance(value, list):
        is_plain = all(isinstance(item, str | int | float) for item in value)
        return ShownField(label, field.path, "list" if is_plain else "document", value)
    return ShownField(label, field.path, field.kind.value if field.kind is not FieldKind.SECRET else "text", value)


def _moment(value: Any) -> datetime | None:
    try:
        moment = parse_datetime(str(value).replace("ZD", "Z"))
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None
