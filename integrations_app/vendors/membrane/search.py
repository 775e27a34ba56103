"""Membrane's own filters: what a live search offers and what is sent for it.

Source: Membrane API reference, "List all integrations".
"""

from __future__ import annotations

from collections.abc import Mapping

from integrations_app.vendors.base import SearchField
from integrations_app.vendors.errors import VendorRejectedError

LARGEST_PAGE = 1000
DEFAULT_PAGE = 50

# What a mirror asks for: all that is stored, nothing that is generated.
MIRROR_PARAMS: Mapping[str, str] = {"includeArchived": "true", "connectors": "0", "externalApps": "0", "websearch": "0"}

# Left alone, a source of candidates does what the vendor does by default, which is not published.
_SOURCE_CHOICES = (("", "As Membrane decides"), ("1", "Yes"), ("0", "No"))

SEARCH_FIELDS: tuple[SearchField, ...] = (
    SearchField("search", "Search", help="Free text; Membrane does not say which fields it looks at."),
    SearchField("connectorId", "Connector id", help="Only integrations on this connector."),
    SearchField("appUuid", "External app UUID", help="Only integrations about this app."),
    SearchField("includeArchived", "Archived ones too", kind="truth"),
    SearchField(
        "connectors",
        "Suggest from connectors",
        help="Candidates that are not set up yet.",
        kind="choice",
        choices=_SOURCE_CHOICES,
    ),
    SearchField(
        "externalApps",
        "Suggest from external apps",
        help="Candidates that are not set up yet.",
        kind="choice",
        choices=_SOURCE_CHOICES,
    ),
    SearchField(
        "websearch",
        "Suggest from the web",
        help="Candidates that Membrane looks for on the web.",
        kind="choice",
        choices=_SOURCE_CHOICES,
    ),
    SearchField("limit", "Answers per page", help=f"1 to {LARGEST_PAGE}; {DEFAULT_PAGE} when empty.", kind="number"),
)

_NAMES = frozenset(field.name for field in SEARCH_FIELDS)
_SOURCES = ("connectors", "externalApps", "websearch")
_YES = frozenset({"true", "1", "on", "yes"})
_NO = frozenset({"false", "0", "off", "no"})


def params(filters: Mapping[str, str]) -> dict[str, str]:
    """The query for what a person filled in; empty ones are not sent. Raises VendorRejectedError for what is no filter.

    Checked here because Membrane would not object: it drops names it does not know and reads any text but "false" and
    "0" as true.
    """
    given = {name: value.strip() for name, value in filters.items() if value.strip()}
    sent = {"limit": str(DEFAULT_PAGE)}
    for name, value in given.items():
        if name not in _NAMES:
            raise _refused(name, "Membrane has no such filter.")
        sent[name] = _checked(name, value)
    return sent


def _checked(name: str, value: str) -> str:
    if name == "limit":
        if not (value.isascii() and value.isdigit() and len(value) <= 4 and 1 <= int(value) <= LARGEST_PAGE):
            raise _refused(name, f"The number of answers is from 1 to {LARGEST_PAGE}.")
        return str(int(value))
    if name == "includeArchived":
        return "true" if _truth(name, value) else "false"
    if name in _SOURCES:
        return "1" if _truth(name, value) else "0"
    return value


def _truth(name: str, value: str) -> bool:
    if value.lower() not in _YES | _NO:
        raise _refused(name, "This is a yes or a no.")
    return value.lower() in _YES


def _refused(name: str, reason: str) -> VendorRejectedError:
    return VendorRejectedError(
        reason, reasons=(("", name, reason),), vendor="membrane", operation="search integrations"
    )
