"""The rows of a listing as its page shows them: the values by kind, one page of those that hold what is searched."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from console.http import TenantRequest
from integrations_app.models import Listing
from integrations_app.services import listings
from integrations_app.services.documents import is_secret_mark
from integrations_app.vendors.base import FieldKind
from integrations_app.vendors.capabilities import ListingColumn, ListingKind

ROWS_SHOWN = 100
# A listing that has this column is shown in groups, one for each of its values ("uses", "used by").
GROUPED_BY = "direction"
# Longer texts are cut in the table; the row's document has them whole.
TEXT_SHOWN = 400
LIST_SHOWN = 6


@dataclass(frozen=True)
class Cell:
    """One value of a row. `kind` picks how the template draws it; `words` are a truth's ("Online"), `mark` its
    shape.
    """

    column: str
    label: str
    kind: str
    value: Any = None
    moment: datetime | None = None
    words: str = ""
    mark: str = ""
    more: int = 0
    is_number: bool = False

    @property
    def can_copy(self) -> bool:
        """Whether it is worth a button: an id, not a word and not a schedule."""
        return len(self.value) > 11 and " " not in self.value and any(letter.isdigit() for letter in self.value)


@dataclass(frozen=True)
class Action:
    """A button: `fields` go along hidden; with a `reason` it stays, disabled.

    `of_form`: it submits the form of the check boxes, for its own row alone. `is_link`: it only leads somewhere.
    `is_quick`: sent by htmx, answered by a toast.
    """

    id: str
    label: str
    url: str
    fields: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    of_form: bool = False
    is_link: bool = False
    is_quick: bool = False


@dataclass(frozen=True)
class Note:
    """What was lately found out about one row. `tone` is a state's shape ("ok", "bad", "run", "unknown")."""

    tone: str
    text: str
    at: datetime | None = None


@dataclass
class Row:
    """One thing of the listing; `document` is its redacted document when it is unfolded, `actions` what to do with it.

    `key` is what the address names it by, `url` where its name leads.
    """

    key: str
    name: str
    cells: list[Cell]
    values: Mapping[str, Any]
    has_document: bool
    is_open: bool = False
    document: Any = None
    actions: list[Action] = field(default_factory=list)
    url: str = ""
    note: Note | None = None
    # What the rows from here on have in common, where the listing is in groups.
    heading: str = ""


@dataclass(frozen=True)
class Shown:
    """The rows of one page of a listing, and where they stand among those that match."""

    rows: list[Row]
    first: int
    matching: int
    total: int
    page: int
    last_page: int

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


def columns_of(kind: ListingKind) -> list[ListingColumn]:
    """The columns beside the first, which has the item's name; what went wrong with a record is its name already."""
    return [column for column in kind.columns if column.name not in ("name", "message", GROUPED_BY)]


def shown(
    request: TenantRequest,
    kind: ListingKind,
    listing: Listing | None,
    query: str,
    *,
    without: Collection[str] = (),
) -> Shown:
    """One page of the rows that hold `query` somewhere, those whose id is in `without` left out."""
    items = listings.items(listing) if listing is not None else []
    items = [item for item in items if item["remote_id"] not in without] if without else items
    is_grouped = any(column.name == GROUPED_BY for column in kind.columns)
    found = matching(items, columns_of(kind), query)
    if is_grouped:
        found = sorted(found, key=_group, reverse=True)
    last_page = max(1, -(-len(found) // ROWS_SHOWN))
    page = min(max(1, _number(request.GET.get("page", ""))), last_page)
    start = (page - 1) * ROWS_SHOWN
    unfolded = request.GET.get("doc", "")
    rows = [_row(item, columns_of(kind)) for item in found[start : start + ROWS_SHOWN]]
    if is_grouped:
        _set_headings(rows, [_group(item) for item in found[start : start + ROWS_SHOWN]])
    chosen = next((number for number, row in enumerate(rows) if unfolded and row.key == unfolded), None)
    if chosen is not None:
        rows[chosen].is_open = True
        rows[chosen].document = found[start + chosen]["raw"]
    return Shown(rows, start + 1, len(found), len(items), page, last_page)


def _group(item: Mapping[str, Any]) -> str:
    return str(item["values"].get(GROUPED_BY) or "")


def _set_headings(rows: Sequence[Row], groups: Sequence[str]) -> None:
    """A heading over the first row of each group, and over the page's first row."""
    previous = None
    for row, group in zip(rows, groups, strict=True):
        if group != previous:
            row.heading = group.capitalize() or "The vendor does not say which way"
        previous = group


def matching(
    items: Sequence[Mapping[str, Any]], columns: Sequence[ListingColumn], query: str
) -> list[Mapping[str, Any]]:
    """The items whose name, id or shown values contain `query`, whatever its case; all of them for ""."""
    wanted = query.casefold()
    if not wanted:
        return list(items)
    names = [column.name for column in columns]
    return [item for item in items if wanted in _text(item, names)]


def _text(item: Mapping[str, Any], names: Sequence[str]) -> str:
    values = [item["name"], item["remote_id"], *(item["values"].get(name) for name in names)]
    return "\n".join(str(value) for value in values if value is not None).casefold()


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def _row(item: Mapping[str, Any], columns: Sequence[ListingColumn]) -> Row:
    values = item["values"]
    cells = [_cell(column, values.get(column.name)) for column in columns]
    return Row(item["remote_id"], item["name"], cells, values, has_document=bool(item["raw"]))


# What the truths are called that every vendor's listing may have: (when true, when false), each a state's name too.
_TRUTHS = {"is_on": ("On", "Off"), "is_online": ("Online", "Offline")}


def _cell(column: ListingColumn, value: Any) -> Cell:
    def cell(kind: str, shown: Any = None, **more: Any) -> Cell:
        return Cell(column.name, column.label, kind, shown, **more)

    if value is None or value == "" or value == []:
        return cell("empty", is_number=column.kind is FieldKind.NUMBER)
    if is_secret_mark(value):
        return cell("secret", value["$secret"])
    if isinstance(value, bool):
        return _truth(column, value)
    if isinstance(value, int | float):
        return cell("number", f"{value:,}")
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return cell("list", value[:LIST_SHOWN], more=max(0, len(value) - LIST_SHOWN))
    if not isinstance(value, str):
        return cell("document", value)
    if column.kind is FieldKind.TIME and (moment := _moment(value)) is not None:
        return cell("time", value, moment=moment)
    if column.kind is FieldKind.CODE:
        return cell("code", value)
    return cell("text", value if len(value) <= TEXT_SHOWN else f"{value[:TEXT_SHOWN]}…")


def _truth(column: ListingColumn, value: bool) -> Cell:
    when_true, when_false = _TRUTHS.get(column.name, ("Yes", "No"))
    words = when_true if value else when_false
    # A plain "no" is no fault: it has the shape of something that is off.
    mark = words.lower() if column.name in _TRUTHS else "on" if value else "off"
    return Cell(column.name, column.label, "truth", value, words=words, mark=mark)


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
