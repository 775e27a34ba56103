"""What a line of a timeline says: one `Entry`, whatever it was made from (a snapshot, a write, a vendor's own record).

A vendor's audit and revisions are read as listings, redacted before they are stored. Of their columns these are
understood: of an item of "audit" `who`, `event`, `what`, `source`, and of a changed field `field`, `before`, `after`
(an item for each field); of an item of "revisions" `kind`, `status`, `note`, `by`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from django.utils.dateparse import parse_datetime

from console.access.models import User
from integrations_app.models import Integration, Snapshot, VendorWrite, WriteState
from integrations_app.services.differences import Change, Kind
from integrations_app.services.operations import registry
from integrations_app.services.operations.base import ABSENT

# (when, rank of what it was made from, its id): where an entry stands among all others, newest first.
Position = tuple[datetime, int, str]

SNAPSHOT_RANK: Final = 1
WRITE_RANK: Final = 2
REVISION_RANK: Final = 3
AUDIT_RANK: Final = 4


class Source(StrEnum):
    """Where an entry comes from, as it stands in addresses."""

    SNAPSHOT = "snapshot"
    DRIFT = "drift"
    WRITE = "write"
    REVISION = "revision"
    AUDIT = "audit"


# The listing kind that each of the vendor's own sources is read as.
LISTING_KINDS: Final[Mapping[Source, str]] = {Source.REVISION: "revisions", Source.AUDIT: "audit"}

# Tells whose ids those are that a vendor writes down: items with a name and `user_id` among their values.
PEOPLE_KIND: Final = "people"

OUTSIDE: Final = "Changed outside this console"


@dataclass(frozen=True)
class Entry:
    """One line. `label` is the word of its source, `shape` the state whose mark goes with it.

    `details` are what changed, as far as it is known without comparing documents. `state_id` is the snapshot whose
    state can be compared and restored, `before_id` the one taken before a write. `state_word` is a write's state.
    """

    position: Position
    source: Source
    label: str
    shape: str
    sentence: str
    integration_id: uuid.UUID | None = None
    integration_name: str = ""
    who: str = ""
    confirmed_by: str = ""
    note: str = ""
    state_word: str = ""
    is_undoable: bool = False
    details: tuple[Change, ...] = ()
    is_outside: bool = False
    state_id: uuid.UUID | None = None
    before_id: uuid.UUID | None = None
    write: VendorWrite | None = None
    as_of: datetime | None = None

    @property
    def at(self) -> datetime:
        return self.position[0]

    @property
    def compare_id(self) -> uuid.UUID | None:
        """The snapshot from which on it can be shown what changed."""
        return self.before_id or (self.state_id if self.source is Source.DRIFT else None)


def of_snapshot(snapshot: Snapshot, integration: Integration) -> Entry:
    """A snapshot; one that was kept because of a change outside is that change, found by a sync."""
    is_drift = snapshot.cause == Snapshot.Cause.DRIFT
    return Entry(
        position=(snapshot.taken_at, SNAPSHOT_RANK, str(snapshot.pk)),
        source=Source.DRIFT if is_drift else Source.SNAPSHOT,
        label="Drift" if is_drift else "Snapshot",
        shape="attention" if is_drift else "archived",
        sentence=_snapshot_sentence(snapshot),
        integration_id=integration.pk,
        integration_name=integration.name,
        who=_name(snapshot.by),
        note=snapshot.note,
        is_outside=is_drift,
        state_id=snapshot.pk,
        as_of=snapshot.as_of,
    )


def _snapshot_sentence(snapshot: Snapshot) -> str:
    if snapshot.cause == Snapshot.Cause.DRIFT:
        return "A sync found it changed; the state before was kept"
    if snapshot.cause == Snapshot.Cause.WRITE:
        titles = [write.title for write in snapshot.writes.all()]
        return f"Kept before: {titles[0]}" if titles else "Kept before a change made here"
    return "Snapshot taken"


def of_write(write: VendorWrite, integration: Integration | None) -> Entry:
    """A change asked for here, at the time it was asked for; what became of it is its note."""
    who = write.requested_by_label or write.confirmed_by_label
    return Entry(
        position=(write.created_at, WRITE_RANK, str(write.pk)),
        source=Source.WRITE,
        label="Change made here",
        shape=write.state,
        sentence=write.title,
        integration_id=integration.pk if integration else None,
        integration_name=integration.name if integration else "",
        who=who,
        confirmed_by="" if write.confirmed_by_label == who else write.confirmed_by_label,
        note=write.reason,
        state_word=write.get_state_display(),
        is_undoable=_is_undoable(write),
        # What concerns another tenant too is told on the change's own page, to people who see both.
        details=()
        if write.also_tenant_id is not None
        else tuple(_planned(change) for change in write.changes if isinstance(change, Mapping)),
        before_id=write.snapshot_id if write.state == WriteState.DONE else None,
        write=write,
    )


def of_items(
    items: Iterable[Mapping[str, Any]],
    source: Source,
    integration: Integration,
    *,
    vendor_label: str,
    item_word: str,
    people: Mapping[str, str],
) -> list[Entry]:
    """The items of a vendor's listing, newest first; those without a time have no place in a timeline.

    Changes of several fields that were made at once by the same person are one entry. `people` are names by the
    vendor's id of a person, where an item says no more than that.
    """
    grouped: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for item in items:
        if (at := _moment(item.get("at"))) is None:
            continue
        values = item["values"]
        is_change = source is Source.AUDIT and bool(values.get("field"))
        alike = [values.get(name) for name in ("who", "event", "what")] if is_change else [item["remote_id"]]
        grouped.setdefault((at, *map(str, alike)), []).append(item)
    rank = REVISION_RANK if source is Source.REVISION else AUDIT_RANK
    entries = [
        Entry(
            position=(key[0], rank, min(str(item["remote_id"]) for item in group)),
            source=source,
            label=f"{vendor_label} {item_word}",
            shape="archived",
            sentence=_item_sentence(group[0], integration.remote_id),
            integration_id=integration.pk,
            integration_name=integration.name,
            who=_text(group[0], "who") or people.get(by := _text(group[0], "by"), by),
            note=_text(group[0], "note"),
            state_word=_text(group[0], "status"),
            details=tuple(_recorded(item["values"]) for item in group if item["values"].get("field")),
        )
        for key, group in grouped.items()
    ]
    return sorted(entries, key=lambda entry: entry.position, reverse=True)


def _item_sentence(item: Mapping[str, Any], remote_id: str) -> str:
    """ "Update integration (ui)", "Snapshot"; the vendor's own words. The integration is not named by its id again."""
    said = " ".join(filter(None, (_text(item, "event"), _text(item, "what").replace(remote_id, "").strip())))
    said = said or _text(item, "kind") or str(item["name"])
    origin = _text(item, "source")
    return f"{said[:1].upper()}{said[1:]}" + (f" ({origin})" if origin else "")


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item["values"].get(name)
    return value if isinstance(value, str) else ""


def words(value: Any) -> str:
    """A redacted value as one plain text: for files and for searching. A secret shows its fingerprint alone."""
    if isinstance(value, dict) and len(value) == 1 and "$secret" in value:
        return f"[secret {value['$secret']}]"
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {words(item)}" for key, item in value.items()) + "}"
    return "[" + ", ".join(words(item) for item in value) + "]" if isinstance(value, list) else str(value)


def change_words(change: Change) -> str:
    """A change as one plain text: "name: Orders -> Refunds"."""
    if change.kind is Kind.ADDED:
        return f"{change.field}: set to {words(change.after)}"
    if change.kind is Kind.REMOVED:
        return f"{change.field}: taken away, was {words(change.before)}"
    return f"{change.field}: {words(change.before)} -> {words(change.after)}"


def _is_undoable(write: VendorWrite) -> bool:
    """Whether it can be asked to put back what was there before; whether that still fits is found out then."""
    if write.state != WriteState.DONE or write.snapshot_id is None or write.integration_id is None:
        return False
    try:
        return registry.operation(write.operation).is_undoable
    except KeyError:
        return False


def _planned(change: Mapping[str, Any]) -> Change:
    """A change as a write planned it."""
    key, label = str(change.get("key", "")), str(change.get("label") or change.get("key", ""))
    return _change(key, label, change.get("before", ABSENT), change.get("after", ABSENT))


def _recorded(values: Mapping[str, Any]) -> Change:
    """A change as a vendor recorded it, which says null for no value."""
    field = str(values["field"])
    before, after = (ABSENT if values.get(name) is None else values[name] for name in ("before", "after"))
    return _change(field, field, before, after)


def _change(path: str, field: str, before: Any, after: Any) -> Change:
    kind = Kind.ADDED if before == ABSENT else Kind.REMOVED if after == ABSENT else Kind.CHANGED
    return Change("", path, field, kind, None if before == ABSENT else before, None if after == ABSENT else after)


def _name(user: User | None) -> str:
    return str(user.name or user.email) if user is not None else ""


def _moment(text: Any) -> datetime | None:
    try:
        found = parse_datetime(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
