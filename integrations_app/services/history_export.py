"""A timeline as a CSV file: for a spreadsheet, so nothing in it may act as a formula or hide from whoever reads it.

UTF-8 with a byte order mark: without one Excel opens the file in the machine's old code page. Times are UTC. It is made
of the redacted stores alone, as the pages are.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from django.db import transaction

from console.access.models import User
from console.audit.events import Event
from console.audit.services import record
from integrations_app.services.history import History, HistoryQuery
from integrations_app.services.history_entries import OUTSIDE, Entry, change_words

# More than a person reads; whoever needs all of it narrows the dates.
ROWS_AT_MOST: Final = 10_000
# Excel takes 32,767 characters in a cell, and cuts or refuses longer ones.
_CELL_LENGTH: Final = 30_000
_CHANGE_LENGTH: Final = 1_000
_BYTE_ORDER_MARK: Final = "\ufeff"
# What begins a formula in Excel, LibreOffice or Google Sheets, the wide forms of East Asian keyboards included.
_FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
# A spreadsheet of a country that separates cells by semicolons reads a new cell there.
_FORMULA_AFTER_SEMICOLON = re.compile(f"(;\\s*)(?=[{re.escape(_FORMULA)}])")
# Direction marks are format characters like the joiners of scripts and emoji, which stay.
_DIRECTION = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_CUT = f"Only the newest {ROWS_AT_MOST:,} entries are in this file. Narrow the dates to export the others."


def file_name(history: History, day: str) -> str:
    """A safe name for the file: letters, digits and hyphens of the tenant's address, never a vendor's text."""
    about = "" if history.integration is None else f"-{history.integration.pk.hex[:8]}"
    return f"history-{history.tenant.slug}{about}-{day}.csv"


def note_export(history: History, query: HistoryQuery, *, by: User) -> None:
    """Write to the audit log that somebody takes the history away, before the first line of it is sent."""
    about = history.integration or history.tenant
    with transaction.atomic():
        record(Event.HISTORY_EXPORTED, by=by, tenant=history.tenant, target=about, detail=_described(query))


def _described(query: HistoryQuery) -> dict[str, Any]:
    filters = {
        "source": query.source,
        "who": query.who,
        "text": query.text,
        "since": query.since.isoformat() if query.since else "",
        "until": query.until.isoformat() if query.until else "",
        "outside": "only" if query.only_outside else "",
    }
    return {"filters": {name: value for name, value in filters.items() if value}, "rows_at_most": ROWS_AT_MOST}


def lines(
    history: History, query: HistoryQuery, *, link: Callable[[Entry], str], limit: int = ROWS_AT_MOST
) -> Iterator[str]:
    """The file, a piece at a time; `link` gives an entry's address in this console, "" for none."""
    columns = _columns(history)
    yield _BYTE_ORDER_MARK + _line([*columns, "Link"])
    left = limit
    for entries in history.walk(query, limit=limit + 1):
        shown = entries[:left]
        left -= len(shown)
        yield "".join(_line([*(read(entry) for read in columns.values()), link(entry)]) for entry in shown)
        if len(shown) < len(entries):
            yield _line([_CUT])


def _columns(history: History) -> Mapping[str, Callable[[Entry], str]]:
    integration = {} if history.integration is not None else {"Integration": lambda entry: entry.integration_name}
    return {
        "Time (UTC)": lambda entry: f"{entry.at:%Y-%m-%d %H:%M:%S}",
        **integration,
        "Source": lambda entry: entry.label,
        "Mark": lambda entry: OUTSIDE if entry.is_outside else "",
        "Who": lambda entry: entry.who,
        "Confirmed by": lambda entry: entry.confirmed_by,
        "What": lambda entry: entry.sentence,
        "State": lambda entry: entry.state_word,
        "Changes": lambda entry: "\n".join(change_words(change)[:_CHANGE_LENGTH] for change in entry.details),
        "Note": lambda entry: entry.note,
    }


def _line(cells: list[str]) -> str:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerow([cell(text) for text in cells])
    return written.getvalue()


def cell(text: str) -> str:
    """A text as one cell: printable characters of one direction, and never a formula.

    Line breaks stay, for changes stand under each other; a tab becomes a space. What would begin a formula, or did
    behind characters that are gone now, is led by an apostrophe, which spreadsheets take for "this is text".
    """
    kept = "".join(character for character in text.replace("\r\n", "\n").replace("\t", " ") if _is_printable(character))
    kept = _DIRECTION.sub("", kept)[:_CELL_LENGTH]
    kept = "\n".join(_plain_start(line) for line in kept.split("\n"))
    is_formula = text[:1] in "\t\r\n" and bool(text)
    kept = _FORMULA_AFTER_SEMICOLON.sub(r"\1'", kept)
    return f"'{kept}" if is_formula and not kept.startswith("'") else kept


def _plain_start(line: str) -> str:
    return f"'{line}" if line.lstrip()[:1] and line.lstrip()[0] in _FORMULA else line


def _is_printable(character: str) -> bool:
    # Cc: control characters; Cs: halves of characters that no file in UTF-8 holds; Zl, Zp: separators of lines.
    return character == "\n" or unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
