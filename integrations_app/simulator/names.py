"""Believable words, repeatable chance and ids that remember their number."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

# All times in the data are before this moment, so that the same seed gives the same bytes on every day.
DATA_DATE = datetime(2026, 11, 20, 9, 0, 0, tzinfo=UTC)

# Slug, display name, kind. Open set: vendors add to it.
APPS: tuple[tuple[str, str], ...] = (
    ("shopify", "Shopify"),
    ("netsuite", "NetSuite"),
    ("salesforce", "Salesforce"),
    ("hubspot", "HubSpot"),
    ("slack", "Slack"),
    ("quickbooks", "QuickBooks"),
    ("xero", "Xero"),
    ("magento", "Magento"),
    ("mews", "Mews"),
    ("zendesk", "Zendesk"),
    ("stripe", "Stripe"),
    ("klaviyo", "Klaviyo"),
    ("bigcommerce", "BigCommerce"),
    ("jira", "Jira"),
    ("google-sheets", "Google Sheets"),
    ("amazon", "Amazon"),
    ("shipstation", "ShipStation"),
    ("intercom", "Intercom"),
    ("workday", "Workday"),
    ("github", "GitHub"),
    ("airtable", "Airtable"),
    ("snowflake", "Snowflake"),
    ("okta", "Okta"),
    ("docusign", "DocuSign"),
)
OBJECTS = (
    "orders", "invoices", "customers", "products", "refunds", "stock levels", "contacts", "tickets", "payments",
    "shipments", "price lists", "returns", "leads", "bookings", "purchase orders", "payouts", "subscriptions",
    "gift cards", "timesheets", "employees",
)  # fmt: skip
QUALIFIERS = (
    "EU", "US", "Nordics", "wholesale", "retail", "B2B", "pilot", "legacy", "headquarters", "outlet", "marketplace",
    "finance", "warehouse 2", "night run", "hourly", "franchise", "field sales", "staging copy",
)  # fmt: skip
PEOPLE = (
    "ines.okafor", "marlow.finch", "noor.haddad", "t.lindqvist", "joao.prado", "aiko.tanabe", "r.mcallister",
    "priya.raman", "sven.dahl", "lucia.ferro", "omar.khalil", "beatrix.vos",
)  # fmt: skip
# Names that break layouts: 80 characters, right-to-left, emoji, markup, combining marks.
AWKWARD_NAMES = (
    "Nightly reconciliation of marketplace payouts, refunds and fees against ledger 7",
    "مزامنة الطلبات مع المستودع",
    "🛒 Orders → 📦 warehouse",
    "סנכרון חשבוניות <b>חודשי</b>",
    "Übergrößen & Söhne — Bestandsabgleich",
)


@lru_cache(maxsize=65536)
def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode()).digest()


def digest(*parts: object) -> bytes:
    """64 bytes that depend on all the parts and nothing else."""
    return _digest("\x1f".join(map(str, parts)))


class Dice:
    """Chance that falls the same way for the same parts, on every machine and Python."""

    def __init__(self, *parts: object) -> None:
        self._text = "\x1f".join(map(str, parts))
        self._round = 0
        self._value = 0

    def number(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both included."""
        if self._value < 1 << 64:
            fresh = hashlib.blake2b(f"{self._text}\x1f{self._round}".encode()).digest()
            self._value = int.from_bytes(fresh, "big")
            self._round += 1
        self._value, offset = divmod(self._value, high - low + 1)
        return low + offset

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[self.number(0, len(choices) - 1)]

    def chance(self, percent: int) -> bool:
        """True in `percent` of a hundred cases."""
        return self.number(0, 99) < percent

    def moment(self, days_ago_least: int, days_ago_most: int) -> datetime:
        """A whole second that many days before the data's date."""
        seconds = self.number(days_ago_least * 86400, days_ago_most * 86400)
        return DATA_DATE - timedelta(seconds=seconds)


def _numbered(salt: str, number: int, digits: int) -> str:
    """Hex digits that hide `number` in the last eight, so that an id can be turned back without a table."""
    mask = int.from_bytes(digest(salt, "mask")[:4], "big")
    head = hashlib.blake2b(f"{salt}\x1f{number}".encode(), digest_size=16).hexdigest()
    return head[: digits - 8] + f"{number ^ mask:08x}"


def object_id(salt: str, number: int) -> str:
    """24 hex digits, as MongoDB ids look."""
    return _numbered(salt, number, 24)


def uuid(salt: str, number: int) -> str:
    """A UUID (version 4 by its looks)."""
    hexed = _numbered(salt, number, 32)
    return f"{hexed[:8]}-{hexed[8:12]}-4{hexed[13:16]}-a{hexed[17:20]}-{hexed[20:]}"


def number_in(salt: str, remote_id: str) -> int | None:
    """The number an `object_id` or `uuid` was made from with this salt; None when it is not one of those."""
    mask = int.from_bytes(digest(salt, "mask")[:4], "big")
    try:
        number = int(remote_id[-8:], 16) ^ mask
    except ValueError:
        return None
    made = object_id(salt, number) if len(remote_id) == 24 else uuid(salt, number)
    return number if made == remote_id else None


def stamp(moment: datetime, digits: int = 3) -> str:
    """RFC 3339 in UTC with `digits` digits of fraction (0 to 9; below the microsecond they are zeros)."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{moment.microsecond:06d}000"[:digits]
    return f"{text}.{fraction}Z" if digits else f"{text}Z"


def integration_name(dice: Dice, number: int, source: str = "", target: str = "") -> str:
    """A name as customers give them: "Shopify orders to NetSuite (EU)"; numbered where names would run out.

    `source` and `target` are apps' display names; picked when empty.
    """
    if number % 29 == 11:
        return AWKWARD_NAMES[(number // 29) % len(AWKWARD_NAMES)] + ("" if number < 145 else f" {number}")
    source, target = source or dice.pick(APPS)[1], target or dice.pick(APPS)[1]
    thing = dice.pick(OBJECTS)
    shape = dice.number(0, 4)
    name = (
        f"{source} {thing} to {target}",
        f"{source} {thing}",
        f"{thing.capitalize()}: {source} ⇄ {target}",
        f"{source} {thing} to {target} ({dice.pick(QUALIFIERS)})",
        f"{target} {thing} import",
    )[shape]
    return name if number < 60 else f"{name} #{number}"
