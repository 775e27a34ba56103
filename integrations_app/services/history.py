"""The history of one integration, or of a whole tenant: everything that happened to it in one timeline, newest first.

It is made of our snapshots, drift that syncs found, the writes asked for here, and, for one integration, of what the
vendor itself recorded (its revisions, its audit) as it was last read. Each source is read from the index of its own
time, a page's worth of it, and merged: page 200 costs what page 1 does, and nothing is skipped while rows are added.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from django.db.models import Count, IntegerField, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from console.access.models import Tenant, User
from console.paging import among
from integrations_app.models import Integration, Listing, Snapshot, VendorWrite
from integrations_app.models.fields import sort_key
from integrations_app.services import listings
from integrations_app.services.attribution import OwnWrites
from integrations_app.services.history_entries import (
    AUDIT_RANK,
    LISTING_KINDS,
    PEOPLE_KIND,
    SNAPSHOT_RANK,
    WRITE_RANK,
    Entry,
    Position,
    Source,
    change_words,
    of_items,
    of_snapshot,
    of_write,
)
from integrations_app.vendors import registry
from integrations_app.vendors.capabilities import ListingKind

# An integration is made by one write; more can only be old mistakes.
_MOST_MADE: Final = 5
_CURSOR_LENGTH: Final = 1000

# Gives up to `limit` entries beyond a position: older ones newest first, or, backwards, newer ones oldest first.
Stream = Callable[[Position | None, bool, int], list[Entry]]


@dataclass(frozen=True)
class HistoryQuery:
    """What a timeline shows; "" and None for no filter. `until` is not included.

    `text` is looked for in what an entry says; over a whole tenant it is a part of the integration's name.
    """

    source: str = ""
    who: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    only_outside: bool = False

    @property
    def is_filtered(self) -> bool:
        return any((self.source, self.who, self.text, self.since, self.until, self.only_outside))

    def wants(self, *sources: Source) -> bool:
        return not self.source or self.source in sources

    def holds(self, at: datetime) -> bool:
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass(frozen=True)
class Timeline:
    """A page. `previous` and `next` are cursors for `?before=` and `?after=`, "" at the ends."""

    rows: list[Entry]
    previous: str
    next: str


@dataclass(frozen=True)
class VendorRecord:
    """One of the vendor's own sources and how old it is: `read_at` None when it was never read."""

    source: Source
    kind: ListingKind
    label: str
    read_at: datetime | None
    failed_at: datetime | None
    failure: str
    is_whole: bool


class History:
    """What happened at a tenant, or to one of its integrations; one object per page, for it reads listings once."""

    def __init__(self, tenant: Tenant, integration: Integration | None = None) -> None:
        if integration is not None and integration.tenant_id != tenant.pk:
            raise ValueError("The integration is another tenant's.")
        self.tenant = tenant
        self.integration = integration

    # --- pages ---------------------------------------------------------------------------------------------------

    def page(self, query: HistoryQuery, *, cursors: Mapping[str, str], size: int) -> Timeline:
        """One page; a cursor that is not one of ours gives the first."""
        before, after = read_cursor(cursors.get("before", "")), read_cursor(cursors.get("after", ""))
        streams = self._streams(query)
        if before is not None:
            found = _merged(streams, before, True, size + 1)
            if len(found) <= size:  # the first page again: shown whole, from its real beginning
                return self.page(query, cursors={}, size=size)
            rows = found[:size][::-1]
            return Timeline(rows, cursor(rows[0].position), cursor(rows[-1].position))
        found = _merged(streams, after, False, size + 1)
        rows, has_more = found[:size], len(found) > size
        previous = cursor(rows[0].position) if after is not None and rows else ""
        return Timeline(rows, previous, cursor(rows[-1].position) if has_more else "")

    def walk(self, query: HistoryQuery, *, limit: int, size: int = 500) -> Iterator[list[Entry]]:
        """All entries from the newest on, in pieces, `limit` of them at most."""
        streams, position, left = self._streams(query), None, limit
        while left > 0 and (found := _merged(streams, position, False, min(size, left))):
            yield found
            position, left = found[-1].position, left - len(found)

    # --- the vendor's own records --------------------------------------------------------------------------------

    @cached_property
    def records(self) -> tuple[VendorRecord, ...]:
        """The sources that the vendor itself keeps of this integration; none for a tenant, or where it keeps none."""
        if self.integration is None:
            return ()
        client = registry.vendor(self.integration.vendor)
        kinds = {kind.slug: kind for kind in client.listings}
        return tuple(
            self._record(source, kinds[slug], client.label) for source, slug in LISTING_KINDS.items() if slug in kinds
        )

    def _record(self, source: Source, kind: ListingKind, vendor_label: str) -> VendorRecord:
        listing = self._listings.get(kind.slug)
        label = f"{vendor_label} {'revisions' if source is Source.REVISION else 'audit'}"
        if listing is None:
            return VendorRecord(source, kind, label, None, None, "", is_whole=True)
        return VendorRecord(
            source, kind, label, listing.read_at, listing.failed_at, listing.failure, is_whole=listing.is_whole
        )

    @cached_property
    def _listings(self) -> dict[str, Listing]:
        kept = Listing.objects.for_tenant(self.tenant).filter(integration=self.integration, scope="")
        return {listing.kind: listing for listing in kept.filter(kind__in=(*LISTING_KINDS.values(), PEOPLE_KIND))}

    @cached_property
    def _items(self) -> dict[str, list[dict[str, Any]]]:
        return {kind: listings.items(listing) for kind, listing in self._listings.items()}

    @cached_property
    def _people(self) -> dict[str, str]:
        """Names by the vendor's id of a person, from whichever list told them."""
        told = [(item["values"], "") for item in self._items.get(LISTING_KINDS[Source.AUDIT], ())]
        told += [(item["values"], item["name"]) for item in self._items.get(PEOPLE_KIND, ())]
        return {
            str(values["user_id"]): str(name or values.get("who")) for values, name in told if values.get("user_id")
        }

    def _recorded(self, record: VendorRecord) -> list[Entry]:
        """What the vendor recorded, newest first."""
        if self.integration is None:
            return []
        label = registry.label(self.integration.vendor)
        return of_items(
            self._items.get(record.kind.slug, ()),
            record.source,
            self.integration,
            vendor_label=label,
            item_word="revision" if record.source is Source.REVISION else "audit",
            people=self._people,
        )

    # --- what a timeline is merged from --------------------------------------------------------------------------

    def _streams(self, query: HistoryQuery) -> list[Stream]:
        streams: list[Stream] = []
        if query.wants(Source.SNAPSHOT, Source.DRIFT) and not (query.only_outside and query.source == Source.SNAPSHOT):
            streams.append(self._snapshots(query))
        if query.wants(Source.WRITE) and not query.only_outside:
            streams.append(self._writes(query))
            if self.integration is not None:
                streams.append(self._made(query, self.integration))
        for record in self.records:
            if query.wants(record.source) and not (query.only_outside and record.source is Source.REVISION):
                streams.append(self._listed(query, record))
        return streams

    def _snapshots(self, query: HistoryQuery) -> Stream:
        titles = VendorWrite.objects.for_tenant(self.tenant).only("id", "title", "snapshot")
        rows = self._scoped(Snapshot.objects.all(), query, by="by_id", text=("note",))
        rows = rows.defer("sealed", "redacted").prefetch_related("by", Prefetch("writes", titles))
        if query.only_outside or query.source == Source.DRIFT:
            rows = rows.filter(cause=Snapshot.Cause.DRIFT)
        elif query.source == Source.SNAPSHOT:
            rows = rows.exclude(cause=Snapshot.Cause.DRIFT)
        return self._stored(_within(rows, "taken_at", query), "taken_at", SNAPSHOT_RANK, of_snapshot)

    def _writes(self, query: HistoryQuery) -> Stream:
        rows = self._scoped(VendorWrite.objects.all(), query, by="", text=("title", "sentence", "reason"))
        rows = _within(_by_label(rows, query), "created_at", query).defer("sealed", "sealed_plan", "result")
        return self._stored(rows, "created_at", WRITE_RANK, of_write)

    def _made(self, query: HistoryQuery, integration: Integration) -> Stream:
        """The write that made this integration (a clone of another one)."""
        made = VendorWrite.objects.for_tenant(self.tenant).filter(made=integration).exclude(integration=integration)
        found = _with_text(_by_label(made, query), query, ("title", "sentence", "reason"))
        rows = _within(found, "created_at", query)
        return _from_list([of_write(write, integration) for write in rows.order_by("-created_at", "-id")[:_MOST_MADE]])

    def _listed(self, query: HistoryQuery, record: VendorRecord) -> Stream:
        entries = [entry for entry in self._recorded(record) if query.holds(entry.at) and _matches(entry, query)]
        if record.source is Source.AUDIT and self.integration is not None:
            outside = OwnWrites(self.integration).unexplained(entries)
            entries = [
                replace(entry, is_outside=True, shape="attention") if entry.position[2] in outside else entry
                for entry in entries
            ]
        return _from_list([entry for entry in entries if entry.is_outside or not query.only_outside])

    def _scoped(self, rows: QuerySet[Any], query: HistoryQuery, *, by: str, text: tuple[str, ...]) -> QuerySet[Any]:
        """The rows of this integration or tenant, by whom and with what text the query asks for."""
        if by and query.who:
            named = User.objects.filter(Q(name__icontains=query.who) | Q(email__icontains=query.who))
            rows = rows.filter(among(by, named.values("id")))
        if self.integration is not None:
            # By the integration alone, which was found through its tenant: with two columns a planner may choose the
            # tenant's index and read past every other integration.
            return _with_text(rows.filter(integration=self.integration), query, text)
        # Not joined: a planner that thinks it cheaper joins all rows and sorts them, to show a page.
        names = Integration.objects.for_tenant(self.tenant).only("id", "name")
        rows = rows.filter(tenant=self.tenant).prefetch_related(Prefetch("integration", names))
        if query.text:
            named_so = Integration.objects.for_tenant(self.tenant).filter(name_sort__contains=sort_key(query.text))
            rows = rows.filter(among("integration_id", named_so.values("id")))
        return rows

    def _stored(self, rows: QuerySet[Any], column: str, rank: int, entry: Callable[[Any, Any], Entry]) -> Stream:
        def read(position: Position | None, backwards: bool, limit: int) -> list[Entry]:
            wanted = rows if position is None else rows.filter(_beyond(column, rank, position, backwards))
            order = (column, "id") if backwards else (f"-{column}", "-id")
            return [entry(row, self.integration or row.integration) for row in wanted.order_by(*order)[:limit]]

        return read


def count(integration: Integration) -> int:
    """How many entries the timeline of an integration has, in one query."""
    here = Integration.objects.filter(pk=integration.pk)
    listed = Listing.objects.filter(integration=OuterRef("pk"), scope="", kind__in=LISTING_KINDS.values())
    counts = (
        _subquery(Snapshot.objects.filter(integration=OuterRef("pk")), Count("pk")),
        _subquery(VendorWrite.objects.filter(integration=OuterRef("pk")), Count("pk")),
        _subquery(listed, Sum("count")),
    )
    return sum(here.values_list(*counts).get())


def _subquery(rows: QuerySet[Any], number: Count | Sum) -> Coalesce:
    found = rows.order_by().values("integration").annotate(number=number).values("number")
    return Coalesce(Subquery(found, output_field=IntegerField()), Value(0))


# --- filters -----------------------------------------------------------------------------------------------------


def _within(rows: QuerySet[Any], column: str, query: HistoryQuery) -> QuerySet[Any]:
    if query.since is not None:
        rows = rows.filter(**{f"{column}__gte": query.since})
    return rows.filter(**{f"{column}__lt": query.until}) if query.until is not None else rows


def _with_text(rows: QuerySet[Any], query: HistoryQuery, columns: tuple[str, ...]) -> QuerySet[Any]:
    if not query.text:
        return rows
    found = Q()
    for column in columns:
        found |= Q(**{f"{column}__icontains": query.text})
    return rows.filter(found)


def _by_label(rows: QuerySet[Any], query: HistoryQuery) -> QuerySet[Any]:
    """Writes keep the name of whoever asked, so that it is found after the person has left."""
    if not query.who:
        return rows
    return rows.filter(Q(requested_by_label__icontains=query.who) | Q(confirmed_by_label__icontains=query.who))


def _matches(entry: Entry, query: HistoryQuery) -> bool:
    if query.who and query.who.casefold() not in entry.who.casefold():
        return False
    if not query.text:
        return True
    said = "\n".join([entry.sentence, entry.note, *map(change_words, entry.details)])
    return query.text.casefold() in said.casefold()


# --- merging -----------------------------------------------------------------------------------------------------


def _merged(streams: list[Stream], position: Position | None, backwards: bool, limit: int) -> list[Entry]:
    """The nearest entries beyond a position, of all streams."""
    found = [entry for stream in streams for entry in stream(position, backwards, limit)]
    return sorted(found, key=lambda entry: entry.position, reverse=not backwards)[:limit]


def _from_list(entries: list[Entry]) -> Stream:
    """A stream of entries at hand, newest first."""

    def read(position: Position | None, backwards: bool, limit: int) -> list[Entry]:
        if position is None:
            return entries[:limit]
        if backwards:
            return [entry for entry in reversed(entries) if entry.position > position][:limit]
        return [entry for entry in entries if entry.position < position][:limit]

    return read


def _beyond(column: str, rank: int, position: Position, backwards: bool) -> Q:
    """Rows of this rank beyond a position, which may be that of an entry of another rank."""
    at, other, identity = position
    strictly, loosely = ("gt", "gte") if backwards else ("lt", "lte")
    if rank != other:
        return Q(**{f"{column}__{loosely if (rank > other) == backwards else strictly}": at})
    after_it = Q(**{f"{column}__{strictly}": at}) | Q(**{column: at, f"id__{strictly}": identity})
    # The time alone bounds the range, which lets the planner start in the middle of the index.
    return Q(**{f"{column}__{loosely}": at}) & after_it


def cursor(position: Position) -> str:
    """A position as it stands in an address."""
    at, rank, identity = position
    text = json.dumps([at.astimezone(UTC).isoformat(), rank, identity], ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode("utf-8", "replace")).decode().rstrip("=")


def read_cursor(text: str) -> Position | None:
    """The position that an address names; None for none, and for what is not one of ours."""
    if not text or len(text) > _CURSOR_LENGTH:
        return None
    try:
        at, rank, identity = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        moment = datetime.fromisoformat(at).astimezone(UTC)
        if rank in (SNAPSHOT_RANK, WRITE_RANK):
            identity = str(uuid.UUID(identity))
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error):
        return None
    is_ours = type(rank) is int and SNAPSHOT_RANK <= rank <= AUDIT_RANK and isinstance(identity, str)
    return (moment, rank, identity) if is_ours else None
