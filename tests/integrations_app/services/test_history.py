"""The timeline: everything that happened, in one order, whole on every page; whose changes those were; the CSV file."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.access.models import Tenant
from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.models import Integration, Snapshot, VendorWrite, WriteState
from integrations_app.services import history, history_export, listings, snapshots, vendor_writes
from integrations_app.services.history import History, HistoryQuery
from integrations_app.services.history_entries import Entry, Source
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.services.mirroring import owner_of, sync
from tests.integrations_app.services.writing import change_at_vendor, edited, go_on, mirrored, plain_integrations
from tests.people import People
from tests.things import make_account, make_integration, make_listing

NOON = datetime.fromisoformat("2026-03-14T12:00:00+00:00")


def everything(found: History, query: HistoryQuery | None = None, size: int = 200) -> list[Entry]:
    return found.page(query or HistoryQuery(), cursors={}, size=size).rows


def make_snapshot(integration: Integration, at: datetime, **columns: Any) -> Snapshot:
    defaults = {"cause": "manual", "as_of": at, "sealed": b"-", "redacted": b"{}", "digest": b"-"}
    return Snapshot.objects.create(
        tenant=integration.tenant, integration=integration, taken_at=at, **{**defaults, **columns}
    )


def make_write(integration: Integration, at: datetime, **columns: Any) -> VendorWrite:
    defaults = {"operation": "edit", "title": "Edit Orders", "key": uuid.uuid4().hex, "state": WriteState.DONE}
    return VendorWrite.objects.create(
        tenant=integration.tenant,
        vendor_account=integration.vendor_account,
        integration=integration,
        created_at=at,
        **{**defaults, "sent_at": at, "over_at": at, **columns},
    )


def audit_item(number: int, at: datetime, field: str = "name", **values: Any) -> dict[str, Any]:
    said = {"who": "Ines", "event": "update", "what": "integration", "field": field, "before": "A", "after": "B"}
    return {"remote_id": f"{number}/0", "name": "update", "at": at.isoformat(), "values": {**said, **values}}


@pytest.fixture
def integration(people: People) -> Integration:
    return make_integration(make_account(people.tenant))


# --- against the simulator -----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.stack
def test_all_that_happened_stands_in_one_timeline(simulator: SimulatorServer) -> None:
    account = mirrored(simulator)
    by = owner_of(account.tenant)
    one = next(iter(plain_integrations(account)))
    snapshots.take(one, by=by, note="Before the move")
    change_at_vendor(simulator, one, description="Somebody else's words")
    sync(account)
    write = go_on(edited(one, by, {"tag": "ours"}))
    go_on(vendor_writes.confirm(write, by=by, answers={}))
    listings.read(account, one, "audit")
    listings.read(account, one, "revisions")
    found = History(account.tenant, one)
    rows = everything(found)
    assert {row.source for row in rows} >= {Source.SNAPSHOT, Source.DRIFT, Source.WRITE, Source.AUDIT}
    assert [row.position for row in rows] == sorted((row.position for row in rows), reverse=True)
    # Two from the audit of our own edit (its entry, the revision's aside) are ours, what was there before is not.
    ours = [row for row in rows if row.source is Source.AUDIT and row.at > write.created_at - timedelta(minutes=1)]
    assert ours
    assert not any(row.is_outside for row in ours)
    older = [row for row in rows if row.source is Source.AUDIT and row not in ours]
    assert older
    assert all(row.is_outside for row in older)
    assert [row.is_outside for row in rows if row.source is Source.DRIFT] == [True]
    done = next(row for row in rows if row.source is Source.WRITE)
    assert (done.who, done.state_word, done.is_undoable) == (str(by), "Done", True)
    assert [change.path for change in done.details] == ["tag"]
    assert history.count(one) >= len([row for row in rows if row.source is not Source.AUDIT])
    # What a settings field held is as secret in the audit as it is in the document.
    stored = b"".join(bytes(row.items) for row in one.listings.filter(kind="audit"))
    assert b"WEST" not in stored


# --- pages ---------------------------------------------------------------------------------------------------------


def pages(found: History, size: int) -> tuple[list[Entry], list[Entry]]:
    """All entries as one reads them forwards, page by page, and then back to the beginning."""
    page = found.page(HistoryQuery(), cursors={}, size=size)
    forwards, seen = list(page.rows), [page]
    while page.next:
        page = found.page(HistoryQuery(), cursors={"after": page.next}, size=size)
        forwards += page.rows
        seen.append(page)
    backwards = list(page.rows)
    while page.previous:
        page = found.page(HistoryQuery(), cursors={"before": page.previous}, size=size)
        backwards = [row for row in page.rows if row not in backwards] + backwards
    return forwards, backwards


def test_no_entry_is_skipped_or_shown_twice_where_many_have_the_same_time(integration: Integration) -> None:
    for minute in (0, 0, 1):
        at = NOON + timedelta(minutes=minute)
        for _ in range(2):
            make_snapshot(integration, at)
            make_write(integration, at)
    make_listing(integration, "audit", *(audit_item(n, NOON, event=f"update {n}") for n in range(4)))
    make_listing(
        integration,
        "revisions",
        *({"remote_id": f"r{n}", "name": "snapshot", "at": NOON.isoformat()} for n in range(3)),
    )
    found = History(integration.tenant, integration)
    whole = everything(found)
    assert len(whole) == 19
    for size in (1, 2, 3, 5, 7, 18, 19):
        forwards, backwards = pages(found, size)
        assert [row.position for row in forwards] == [row.position for row in whole], size
        assert [row.position for row in backwards] == [row.position for row in whole], size


def test_a_row_added_meanwhile_moves_nothing_on_the_pages_after_it(integration: Integration) -> None:
    for minute in range(6):
        make_snapshot(integration, NOON + timedelta(minutes=minute))
    found = History(integration.tenant, integration)
    before = found.page(HistoryQuery(), cursors={}, size=2)
    second = found.page(HistoryQuery(), cursors={"after": before.next}, size=2)
    make_write(integration, NOON + timedelta(hours=1))
    assert found.page(HistoryQuery(), cursors={"after": before.next}, size=2).rows == second.rows


@pytest.mark.parametrize("cursor", ["x", "W10", "bnVsbA", "e30", "WyJhIiwxLCJiIl0", "WzEsMiwzXQ", "=" * 2000])
def test_a_cursor_that_is_none_gives_the_first_page(integration: Integration, cursor: str) -> None:
    make_snapshot(integration, NOON)
    for name in ("after", "before"):
        assert (
            len(History(integration.tenant, integration).page(HistoryQuery(), cursors={name: cursor}, size=5).rows) == 1
        )


def test_a_page_costs_as_many_queries_for_hundreds_of_rows_as_for_one(integration: Integration) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            everything(History(integration.tenant, integration), size=25)
        return len(captured)

    make_listing(integration, "audit", audit_item(0, NOON))
    make_snapshot(integration, NOON)
    make_write(integration, NOON)
    few = cost()
    for minute in range(60):
        make_snapshot(integration, NOON + timedelta(minutes=minute))
        make_write(integration, NOON + timedelta(minutes=minute))
    assert cost() == few


# --- filters -------------------------------------------------------------------------------------------------------


def test_filters_leave_what_they_name(integration: Integration, people: People) -> None:
    ana, day = people.members["owner"], timedelta(days=1)
    make_snapshot(integration, NOON, note="Before the freeze", by=ana)
    make_snapshot(integration, NOON + day, cause="drift")
    make_write(integration, NOON + 2 * day, title="Edit Orders", requested_by_label="Bo", reason="Ticket 4821")
    make_listing(integration, "audit", audit_item(1, NOON + 3 * day), audit_item(2, NOON + 2 * day, who="Bo"))
    found = History(integration.tenant, integration)

    def sources(**filters: Any) -> list[str]:
        return [row.source.value for row in everything(found, HistoryQuery(**filters))]

    assert sources() == ["audit", "audit", "write", "drift", "snapshot"]
    assert sources(source="drift") == ["drift"]
    assert sources(source="snapshot") == ["snapshot"]
    assert sources(source="write") == ["write"]
    assert sources(source="revision") == []
    assert sources(who="owner") == ["snapshot"]
    assert sources(who="bo") == ["audit", "write"]
    assert sources(text="freeze") == ["snapshot"]
    assert sources(text="4821") == ["write"]
    assert sources(text="name") == ["audit", "audit"]
    assert sources(since=NOON + day, until=NOON + 2 * day) == ["drift"]
    # Bo's edit explains what the audit says of that minute.
    assert sources(only_outside=True) == ["audit", "drift"]
    assert sources(only_outside=True, source="write") == []


def test_a_tenant_s_history_finds_integrations_by_name_and_no_others(people: People, integration: Integration) -> None:
    account = integration.vendor_account
    refunds = make_integration(account, "Refunds")
    foreign = make_integration(make_account(people.other_tenant), "Refunds elsewhere")
    for number, one in enumerate((integration, refunds, foreign)):
        make_snapshot(one, NOON + timedelta(minutes=number))
        make_write(one, NOON + timedelta(hours=1, minutes=number))
    found = History(people.tenant)
    assert {row.integration_name for row in everything(found)} == {"Orders", "Refunds"}
    only = everything(found, HistoryQuery(text="refu"))
    assert [(row.source.value, row.integration_name) for row in only] == [("write", "Refunds"), ("snapshot", "Refunds")]
    with pytest.raises(ValueError, match="another tenant"):
        History(people.tenant, foreign)


# --- whose change --------------------------------------------------------------------------------------------------


def plan(*keys: str) -> dict[str, Any]:
    return {"changes": [{"key": key, "label": key, "before": "A", "after": "B"} for key in keys]}


@pytest.mark.parametrize(
    ("write", "item", "is_outside"),
    [
        ({"plan": plan("name")}, {}, False),
        ({"plan": plan("flowGroupings/66d1/settings")}, {"field": "flowGroupings[0].settings.a"}, False),
        ({"plan": {}}, {"field": "_registeredConnectionIds"}, False),
        ({"plan": plan("name")}, {"field": "description"}, True),
        ({"plan": plan("name"), "state": WriteState.NOT_DONE}, {}, True),
        ({"plan": plan("name"), "state": WriteState.UNKNOWN, "over_at": None}, {}, False),
        ({"plan": plan("name"), "sent_at": NOON - timedelta(minutes=30), "over_at": NOON}, {}, True),
        ({"plan": plan("name"), "sent_at": None, "over_at": None, "state": WriteState.READY}, {}, True),
    ],
)
def test_an_entry_of_the_audit_is_outside_unless_a_write_of_ours_explains_it(
    integration: Integration, write: Mapping[str, Any], item: Mapping[str, Any], is_outside: bool
) -> None:
    make_write(integration, NOON, **write)
    make_listing(integration, "audit", audit_item(1, NOON + timedelta(seconds=20), **item))
    rows = everything(History(integration.tenant, integration), HistoryQuery(source="audit"))
    assert [row.is_outside for row in rows] == [is_outside]


def test_what_made_an_integration_explains_its_beginning(integration: Integration) -> None:
    source = make_integration(integration.vendor_account, "Source")
    make_write(source, NOON, operation="clone", title="Clone Source", made=integration)
    make_listing(integration, "audit", audit_item(1, NOON, event="create", field=""))
    rows = everything(History(integration.tenant, integration))
    assert [(row.sentence, row.is_outside) for row in rows] == [("Create integration", False), ("Clone Source", False)]


def test_a_person_whom_a_revision_knows_by_an_id_alone_is_named(integration: Integration) -> None:
    revision = {"remote_id": "r", "name": "snapshot", "at": NOON.isoformat()}
    make_listing(integration, "revisions", {**revision, "values": {"kind": "snapshot", "by": "66d1", "note": "Friday"}})
    query = HistoryQuery(source="revision")
    assert [row.who for row in everything(History(integration.tenant, integration), query)] == ["66d1"]
    make_listing(integration, "people", {"remote_id": "share", "name": "Ines Prado", "values": {"user_id": "66d1"}})
    rows = everything(History(integration.tenant, integration), query)
    assert [(row.who, row.sentence, row.note) for row in rows] == [("Ines Prado", "Snapshot", "Friday")]


def test_fields_changed_at_once_are_one_entry(integration: Integration) -> None:
    items = [audit_item(1, NOON, "name"), {**audit_item(1, NOON, "tag"), "remote_id": "1/1"}]
    make_listing(integration, "audit", *items, audit_item(2, NOON, event="delete", field=""))
    rows = everything(History(integration.tenant, integration))
    assert [len(row.details) for row in rows] == [0, 2]


# --- vendors that keep no records ----------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", ["alloy", "torq", "membrane"])
def test_other_vendors_have_the_same_timeline_without_records_of_their_own(people: People, vendor: str) -> None:
    one = make_integration(make_account(people.tenant, vendor=vendor))
    make_snapshot(one, NOON, cause="drift")
    found = History(people.tenant, one)
    assert found.records == ()
    assert [row.source for row in everything(found)] == [Source.DRIFT]
    assert history.count(one) == 1


# --- the file ------------------------------------------------------------------------------------------------------


def lines_of(found: History, limit: int = 100) -> list[list[str]]:
    text = "".join(history_export.lines(found, HistoryQuery(), link=lambda entry: "", limit=limit))
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("Orders", "Orders"),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "'  =1"),
        ("\t=1", "' =1"),
        ("\r=1", "'=1"),
        ("\tname", "' name"),
        ("\uff1d1", "'\uff1d1"),
        ("\x00=1", "'=1"),
        ("\u202e=1", "'=1"),
        ("\u200b=1", "'=1"),
        ("a\n=1", "a\n'=1"),
        ("a;=1", "a;'=1"),
        ("a\x1b[31mb", "a[31mb"),
        ("abc\u202edef\u2066g", "abcdefg"),
        ("half \ud800 pair", "half  pair"),
        ('say "hi", twice', 'say "hi", twice'),
        ("👩\u200d🚀", "👩\u200d🚀"),
    ],
)
def test_a_cell_is_never_a_formula_and_hides_nothing(text: str, cell: str) -> None:
    assert history_export.cell(text) == cell


def test_no_cell_is_longer_than_a_spreadsheet_takes() -> None:
    assert len(history_export.cell("x" * 100_000)) <= 32_767


def test_a_file_holds_the_timeline_without_secrets(integration: Integration) -> None:
    make_snapshot(integration, NOON, note="=HYPERLINK(1)")
    changes = [{"key": "settings", "label": "Settings", "before": {"$secret": "7f3a0c21"}, "after": {"$absent": True}}]
    make_write(integration, NOON, title="=cmd|' /C calc'!A0", plan={"changes": changes}, requested_by_label="Bo")
    head, write, snapshot = lines_of(History(integration.tenant, integration))
    assert head == ["Time (UTC)", "Source", "Mark", "Who", "Confirmed by", "What", "State", "Changes", "Note", "Link"]
    assert write == ["2026-03-14 12:00:00", "Change made here", "", "Bo", "", "'=cmd|' /C calc'!A0", "Done",
                     "Settings: taken away, was [secret 7f3a0c21]", "", ""]  # fmt: skip
    assert snapshot[8] == "'=HYPERLINK(1)"
    assert lines_of(History(integration.tenant))[0][1] == "Integration"


def test_a_file_that_does_not_hold_everything_says_so(integration: Integration) -> None:
    for minute in range(4):
        make_snapshot(integration, NOON + timedelta(minutes=minute))
    found = History(integration.tenant, integration)
    assert len(lines_of(found, limit=4)) == 5
    cut = lines_of(found, limit=3)
    assert len(cut) == 5
    assert "Only the newest" in cut[-1][0]


def test_taking_a_file_is_written_to_the_audit_log(integration: Integration, people: People) -> None:
    found = History(integration.tenant, integration)
    history_export.note_export(found, HistoryQuery(source="drift", since=NOON), by=people.members["viewer"])
    event = AuditEvent.objects.get(event=Event.HISTORY_EXPORTED)
    assert (event.target_id, event.by_label) == (integration.pk.hex, str(people.members["viewer"]))
    assert event.detail["filters"] == {"source": "drift", "since": NOON.isoformat()}
    assert history_export.file_name(History(Tenant(slug="larkspur")), "2026-03-14") == "history-larkspur-2026-03-14.csv"


def test_ages_of_what_the_vendor_records_are_known(integration: Integration) -> None:
    make_listing(integration, "audit", read_at=timezone.now(), failed_at=timezone.now(), failure="Refused.")
    records = {record.source: record for record in History(integration.tenant, integration).records}
    assert records[Source.AUDIT].read_at is not None
    assert records[Source.AUDIT].failure == "Refused."
    assert records[Source.REVISION].read_at is None
    assert records[Source.REVISION].label == "Celigo revisions"
