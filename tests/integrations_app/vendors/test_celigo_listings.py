"""Celigo's client reading what belongs to an integration: pages, counts, times, and whatever an answer may hold."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations_app.vendors.base import FieldKind
from integrations_app.vendors.capabilities import RemoteListing, SupportsListings
from integrations_app.vendors.celigo import CeligoClient, dependencies, items, listings
from integrations_app.vendors.errors import (
    VendorAddressError,
    VendorAuthError,
    VendorError,
    VendorForbiddenError,
    VendorNotFoundError,
    VendorRateLimitError,
    VendorRejectedError,
    VendorResponseError,
    VendorUnavailableError,
)
from integrations_app.vendors.parsing import moment
from tests.integrations_app.vendors.celigo_scripts import (
    FLOW,
    ID,
    LEDGER,
    OTHER_ID,
    PAGE,
    SHOP,
    STEP,
    empty,
    failed,
    said,
    scripted,
    sent,
)
from tests.integrations_app.vendors.hostile import HostileServer, answer
from tests.integrations_app.vendors.strategies import unhurried

Hostile = Callable[..., HostileServer]

SCOPE = f"{FLOW}/{STEP}"
KINDS = {kind.slug: kind for kind in CeligoClient.listings}
# kind -> (its address, whether a page size is asked for).
ADDRESSES = {
    "flows": (f"/v1/integrations/{ID}/flows", True),
    "exports": (f"/v1/integrations/{ID}/exports", True),
    "imports": (f"/v1/integrations/{ID}/imports", True),
    "connections": (f"/v1/integrations/{ID}/connections", True),
    "people": (f"/v1/integrations/{ID}/ashares", True),
    "dependencies": (f"/v1/integrations/{ID}/dependencies", False),
    "errors": (f"/v1/integrations/{ID}/errors", False),
    "error_records": (f"/v1/flows/{FLOW}/{STEP}/errors", False),
    "install_steps": (f"/v1/integrations/{ID}/installSteps", False),
    "uninstall_steps": (f"/v1/integrations/{ID}/uninstallSteps", False),
    "revisions": (f"/v1/integrations/{ID}/revisions", True),
    "audit": (f"/v1/integrations/{ID}/audit", False),
    "account_connections": ("/v1/connections", True),
}
# Those whose answer is a bare list, one document an item.
PLAIN = ("flows", "exports", "imports", "connections", "people", "revisions", "audit", "account_connections")


def read(server: HostileServer, kind: str) -> RemoteListing:
    return scripted(server).read_listing(kind, ID, SCOPE if KINDS[kind].is_scoped else "")


def only(hostile: Hostile, kind: str, document: Any) -> Any:
    """The one item that an answer with one document holds."""
    body = {"errors": [document]} if kind == "error_records" else [document]
    (item,) = read(hostile(said(body)), kind).items
    return item


# --- every kind ----------------------------------------------------------------------------------------------------


def test_the_kinds_are_these() -> None:
    assert issubclass(CeligoClient, SupportsListings)
    assert set(KINDS) == set(ADDRESSES)
    assert [kind.slug for kind in KINDS.values() if kind.is_scoped] == ["error_records"]
    assert [kind.slug for kind in KINDS.values() if kind.is_of_account] == ["account_connections"]
    # The history shows the revisions, the wizard the steps.
    without_tab = {"error_records", "account_connections", "revisions", "uninstall_steps"}
    assert {kind.slug for kind in KINDS.values() if not kind.is_tab} == without_tab


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_read_at_its_address(hostile: Hostile, kind: str) -> None:
    server = hostile(said({"errors": []} if kind == "error_records" else []))
    listing = read(server, kind)
    assert (listing.items, listing.bad, listing.is_whole) == ((), (), True)
    address, is_paged = ADDRESSES[kind]
    (request,) = sent(server)
    assert (request.method, request.target) == ("GET", address + ("?limit=200" if is_paged else ""))


@pytest.mark.parametrize("kind", KINDS)
def test_204_is_a_list_of_nothing(hostile: Hostile, kind: str) -> None:
    assert read(hostile(empty()), kind) == RemoteListing(())


def test_201_is_a_list_of_steps_and_of_nothing_else(hostile: Hostile) -> None:
    steps = [{"name": "Connect", "completed": True}]
    assert len(read(hostile(said(steps, 201)), "install_steps").items) == 1
    assert len(read(hostile(said(steps, 200)), "install_steps").items) == 1
    with pytest.raises(VendorResponseError):
        read(hostile(said([], 201)), "flows")


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_reading_says_why(hostile: Hostile, kind: str) -> None:
    refusals: list[tuple[bytes, type[VendorError]]] = [
        (failed(400, {"code": "invalid_query_params", "message": "limit"}), VendorRejectedError),
        (said({"message": "Unauthorized"}, 401), VendorAuthError),
        (said({"message": "Forbidden"}, 403), VendorForbiddenError),
        (failed(404, {"code": "not_found", "message": "no"}), VendorNotFoundError),
        (said({"errors": []}, 429, Retry_After="60"), VendorRateLimitError),
        (said({}, 503, Retry_After="60"), VendorUnavailableError),
    ]
    for reply, expected in refusals:
        with pytest.raises(expected) as refused:
            read(hostile(reply), kind)
        assert type(refused.value) is expected


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_of_another_shape_is_a_bad_answer(hostile: Hostile, kind: str) -> None:
    bodies = [b'"text"', b"17", b"null", b"", b"<html>a page</html>", b"[{"]
    bodies += [b'{"errors": {}}', b"[]"] if kind == "error_records" else []
    for body in bodies:
        with pytest.raises(VendorResponseError):
            read(hostile(answer(body)), kind)


def test_an_unknown_kind_is_a_key_error(hostile: Hostile) -> None:
    server = hostile(said([]))
    with pytest.raises(KeyError):
        scripted(server).read_listing("invoices", ID)
    for scope in ("", "x", "x/", "/x", "x/y/z"):
        with pytest.raises(VendorRejectedError):
            scripted(server).read_listing("error_records", ID, scope)
    assert server.requests == []


# --- pages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PLAIN)
def test_pages_are_followed_as_given(hostile: Hostile, kind: str) -> None:
    server = hostile(said([{"_id": "a"}], Link='</v1/next?after=x>; rel="next"'), said([{"_id": "b"}]))
    listing = read(server, kind)
    assert [item.remote_id.partition("/")[0] for item in listing.items] == ["a", "b"]
    assert sent(server)[1].target == "/v1/next?after=x"


@pytest.mark.parametrize("url", ["/v1/flows/next?after=x", "{origin}/v1/flows/next?after=x", "../next?after=x"])
def test_error_records_page_in_the_body(hostile: Hostile, url: str) -> None:
    def first(connection: socket.socket) -> None:
        origin = f"http://127.0.0.1:{connection.getsockname()[1]}"
        connection.sendall(said({"errors": [{"errorId": "a"}], "nextPageURL": url.format(origin=origin)}))

    server = hostile(first, said({"errors": [{"errorId": "b"}], "nextPageURL": ""}))
    assert [item.remote_id for item in read(server, "error_records").items] == ["a", "b"]
    assert sent(server)[1].target.endswith("next?after=x")


@pytest.mark.parametrize("kind", ["flows", "error_records"])
def test_a_list_that_leads_back_or_away_is_refused(hostile: Hostile, kind: str) -> None:
    def page(url: str) -> bytes:
        if kind == "flows":
            return said([{"_id": "a"}], Link=f'<{url}>; rel="next"')
        return said({"errors": [{"errorId": "a"}], "nextPageURL": url})

    itself = ADDRESSES[kind][0] + ("?limit=200" if kind == "flows" else "")
    # A page that names itself is not asked for again; a circle is noticed when it closes.
    for pages, requests in (([itself], 1), (["/v1/a", "/v1/b", "/v1/a"], 4)):
        server = hostile(*map(page, pages))
        with pytest.raises(VendorResponseError):
            read(server, kind)
        assert len(server.requests) == requests
    for url in ("http://169.254.169.254/v1/flows", "//example.com/v1", "/v2/flows"):
        server = hostile(page(url))
        with pytest.raises(VendorAddressError):
            read(server, kind)
        assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["flows", "error_records"])
def test_a_very_long_list_says_that_it_is_not_whole(hostile: Hostile, kind: str) -> None:
    rows = [{"_id": f"x{number}", "errorId": f"x{number}"} for number in range(1000)]

    def page(number: int, *, is_last: bool = False) -> bytes:
        url = "" if is_last else f"/v1/page/{number}"
        body = rows if kind == "flows" else {"errors": rows, "nextPageURL": url}
        return said(body, Link=f'<{url}>; rel="next"') if url else said(body)

    server = hostile(*(page(number) for number in range(9)))
    listing = read(server, kind)
    assert (len(listing.items), listing.is_whole) == (listings.MOST_ROWS, False)
    assert len(server.requests) == listings.MOST_ROWS // 1000
    whole = read(hostile(page(1), page(2), page(3, is_last=True)), kind)
    assert (len(whole.items), whole.is_whole) == (3000, True)


# --- what each item says -------------------------------------------------------------------------------------------


def test_a_flow_says_whether_it_is_on(hostile: Hostile) -> None:
    document = {
        "_id": FLOW,
        "name": "Orders to ledger",
        "disabled": False,
        "schedule": "? 5 0,6,12,18 ? * *",
        "timezone": "America/New_York",
        "_flowGroupingId": "g",
        "lastModified": "2026-03-12T09:30:00.000Z",
        "lastExecutedAt": "2026-03-14T04:05:00.120Z",
        "pageGenerators": [{"_exportId": "e"}],
        "routers": [{"branches": [{"pageProcessors": [{}, {}]}, {"pageProcessors": []}]}],
    }
    item = only(hostile, "flows", document)
    assert (item.remote_id, item.name, item.raw) == (FLOW, "Orders to ledger", document)
    assert item.at == moment("2026-03-12T09:30:00.000Z")
    assert item.values == {
        "is_on": True,
        "schedule": "? 5 0,6,12,18 ? * *",
        "timezone": "America/New_York",
        "group_id": "g",
        "step_count": 3,
        "last_run_at": "2026-03-14T04:05:00.120000+00:00",
        "updated_at": "2026-03-12T09:30:00+00:00",
    }
    for disabled, is_on in ((True, False), (None, True), ("yes", None)):
        assert only(hostile, "flows", {"_id": FLOW, "disabled": disabled}).values["is_on"] is is_on


def test_a_connection_says_whether_it_is_online(hostile: Hostile) -> None:
    document = {"_id": SHOP, "name": "Web shop", "type": "http", "assistant": "shopify", "offline": True}
    item = only(hostile, "connections", document)
    assert (item.values["type"], item.values["app"], item.values["is_online"]) == ("http", "shopify", False)
    assert only(hostile, "account_connections", {"_id": SHOP}).values["is_online"] is None


def test_exports_and_imports_say_what_they_are(hostile: Hostile) -> None:
    document = {"_id": STEP, "name": "Get", "adaptorType": "HTTPExport", "type": "delta", "_connectionId": SHOP}
    for kind in ("exports", "imports"):
        item = only(hostile, kind, document)
        assert (item.values["adaptor"], item.values["type"], item.values["connection_id"]) == (
            "HTTPExport",
            "delta",
            SHOP,
        )


@pytest.mark.parametrize(
    ("account", "own", "here"),
    [
        ("administrator", "monitor", "administrator"),
        ("manage", "monitor", "manage"),
        ("monitor", "manage", "manage"),
        ("monitor", None, "monitor"),
        (None, "manage", "manage"),
        (None, None, ""),
        ("tile", "monitor", "monitor"),
    ],
)
def test_a_person_has_the_access_that_counts_here(hostile: Hostile, account: Any, own: Any, here: str) -> None:
    document: dict[str, Any] = {
        "_id": "grant",
        "accepted": True,
        "integrationAccessLevel": [{"_integrationId": OTHER_ID, "accessLevel": "other"}],
        "sharedWithUser": {"_id": "u", "email": "ines@northwind.example", "lastSignIn": "2026-03-13T17:02:59.370Z"},
    }
    if account:
        document["accessLevel"] = account
    if own:
        document["integrationAccessLevel"].append({"_integrationId": ID, "accessLevel": own})
    item = only(hostile, "people", document)
    assert (item.remote_id, item.name) == ("grant", "ines@northwind.example")
    assert (item.values["access_here"], item.values["account_access"]) == (here, account or "")
    assert item.values["is_accepted"] is True
    assert item.values["last_sign_in_at"] == "2026-03-13T17:02:59.370000+00:00"


def test_an_error_record_says_whether_it_can_be_tried_again(hostile: Hostile) -> None:
    document = {
        "errorId": "7731904412",
        "occurredAt": "2026-03-14T04:06:12.538Z",
        "source": "application",
        "code": "422",
        "message": "Customer 8841\nis inactive",
        "traceKey": "8841",
        "retryDataKey": "8c3376b1",
    }
    item = only(hostile, "error_records", document)
    assert (item.remote_id, item.name) == ("7731904412", "Customer 8841 is inactive")
    assert item.at == moment(document["occurredAt"])
    expected = {"at": "2026-03-14T04:06:12.538000+00:00", "code": "422", "source": "application", "trace_key": "8841"}
    assert {name: item.values[name] for name in expected} == expected
    assert (item.values["retry_key"], item.values["is_retryable"]) == ("8c3376b1", True)
    assert only(hostile, "error_records", {"errorId": "1"}).values["is_retryable"] is False


def test_steps_keep_their_places(hostile: Hostile) -> None:
    steps = [{"name": "Connect", "type": "connection", "completed": True}, "odd", {"templateZip": True}]
    listing = read(hostile(said(steps)), "uninstall_steps")
    assert [(item.remote_id, item.name, item.values["place"]) for item in listing.items] == [
        ("0", "Connect", 1),
        ("2", "Step 3", 3),
    ]
    assert [item.values["is_completed"] for item in listing.items] == [True, False]
    assert [item.values["type"] for item in listing.items] == ["connection", "template_zip"]
    assert len(listing.bad) == 1


def test_a_revision_says_who_and_why(hostile: Hostile) -> None:
    document = {
        "_id": "r",
        "type": "pull",
        "status": "inprogress",
        "description": "spring",
        "_createdByUserId": "u",
        "createdAt": "2026-03-15T09:30:00.000Z",
        "fromIntegrationName": "Clone",
    }
    item = only(hostile, "revisions", document)
    assert item.values == {
        "kind": "pull",
        "status": "inprogress",
        "note": "spring",
        "by": "u",
        "at": "2026-03-15T09:30:00+00:00",
        "from": "Clone",
    }
    assert only(hostile, "revisions", {"_id": "r", "type": "snapshot"}).name == "snapshot"


def test_an_audit_entry_is_a_row_for_each_field(hostile: Hostile) -> None:
    document = {
        "_id": "a",
        "time": "2026-03-14T16:05:12.481Z",
        "source": "ui",
        "event": "update",
        "resourceType": "integration",
        "_resourceId": ID,
        "byUser": {"_id": "u", "name": "Ines Prado", "email": "ines@northwind.example"},
        "fieldChanges": [
            {"fieldPath": "settings.warehouse", "oldValue": "WEST", "newValue": ["EAST"]},
            {"fieldPath": "name"},
        ],
    }
    first, second = read(hostile(said([document])), "audit").items
    assert first.values == {
        "at": "2026-03-14T16:05:12.481000+00:00",
        "who": "Ines Prado",
        "email": "ines@northwind.example",
        "user_id": "u",
        "source": "ui",
        "event": "update",
        "what": f"integration {ID}",
        "field": "settings.warehouse",
        "before": "WEST",
        "after": ["EAST"],
    }
    assert (first.remote_id, second.remote_id) == ("a/0", "a/1")
    assert (second.values["before"], second.values["after"]) == (None, None)
    (bare,) = read(hostile(said([{"_id": "a", "event": "create", "fieldChanges": []}])), "audit").items
    assert (bare.name, bare.values["field"]) == ("create", "")


@pytest.mark.parametrize("kind", [*PLAIN, "error_records"])
def test_an_item_that_cannot_be_read_is_set_aside(hostile: Hostile, kind: str) -> None:
    rows = [{"_id": "good", "errorId": "good"}, {"name": "no id"}, {"_id": 17, "errorId": 17}, None, "text", []]
    listing = read(hostile(said({"errors": rows} if kind == "error_records" else rows)), kind)
    assert len(listing.items) == 1
    assert [bad.raw for bad in listing.bad] == rows[1:]
    assert all(bad.reason for bad in listing.bad)


# --- errors --------------------------------------------------------------------------------------------------------


def test_errors_are_counted_by_step_for_flows_that_have_some(hostile: Hostile) -> None:
    counts = [{"_flowId": FLOW, "numError": 7}, {"_flowId": "quiet", "numError": 0}, {"_flowId": "gone", "numError": 2}]
    steps = [
        {"_expOrImpId": STEP, "numError": 7, "lastErrorAt": "2026-03-14T04:11:09.000Z"},
        {"_expOrImpId": "other", "numError": 0},
        {"numError": 3},
        "odd",
    ]
    server = hostile(
        said(counts),
        said([{"_id": FLOW, "name": "Orders to ledger"}]),
        said({"message": "Forbidden"}, 403),
        said([{"_id": STEP, "name": "Create order"}]),
        said({"flowErrors": steps}),
        failed(404),
    )
    listing = read(server, "errors")
    (item,) = listing.items
    assert (item.remote_id, item.name) == (SCOPE, "Orders to ledger: Create order")
    assert item.values == {
        "flow": "Orders to ledger",
        "flow_id": FLOW,
        "step": "Create order",
        "step_id": STEP,
        "count": 7,
        "last_error_at": "2026-03-14T04:11:09+00:00",
    }
    # Nothing of what Celigo counts is lost: what cannot be opened is told beside.
    assert [(bad.remote_id, "2 errors" in bad.reason) for bad in listing.bad] == [("gone", True)]
    assert listing.is_whole
    assert [request.target.split("/")[-2:] for request in sent(server)[-2:]] == [[FLOW, "errors"], ["gone", "errors"]]


def test_only_some_hundreds_of_flows_are_asked(hostile: Hostile) -> None:
    counts = [{"_flowId": f"f{number}", "numError": 1} for number in range(305)]
    server = hostile(
        said(counts), said([]), said([]), said([]), said({"flowErrors": [{"_expOrImpId": "s", "numError": 1}]})
    )
    listing = read(server, "errors")
    assert (len(listing.items), listing.is_whole) == (300, False)
    assert listing.items[0].name == "f0: s"


@pytest.mark.parametrize("reply", [said([]), said({}), said({"flowErrors": 7}), PAGE])
def test_a_flows_counts_of_another_shape_are_a_bad_answer(hostile: Hostile, reply: bytes) -> None:
    with pytest.raises(VendorResponseError):
        read(hostile(said([{"_flowId": FLOW, "numError": 7}]), said([]), said([]), said([]), reply), "errors")


# --- dependencies --------------------------------------------------------------------------------------------------

USING = {"id": FLOW, "name": "Orders", "access": True, "dependencyIds": {"integrations": [ID]}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, []),
        ([], []),
        ({"flows": [], "connections": None, "count": 3}, []),
        ({"flows": [USING]}, [("used by", "flow", FLOW)]),
        ({"connections": [{"id": SHOP, "name": "Shop"}]}, [("", "connection", SHOP)]),
        ({"connections": [SHOP, LEDGER]}, [("", "connection", SHOP), ("", "connection", LEDGER)]),
        ({"usedBy": {"flows": [{"_id": FLOW}]}, "uses": {"apis": [{"id": "a"}]}},
         [("used by", "flow", FLOW), ("uses", "api", "a")]),
        ({"flows": {"usedBy": [{"_id": FLOW}], "dependencies": [{"_id": "d"}]}},
         [("used by", "flow", FLOW), ("uses", "flow", "d")]),
        ([{"resourceType": "flows", "id": FLOW, "name": "Orders"}], [("", "flow", FLOW)]),
        ([{"model": "Flow", "_id": FLOW}, {"model": "Flow", "_id": FLOW}], [("", "flow", FLOW)]),
        ({"flows": {FLOW: {"name": "Orders"}}}, [("", "flow", FLOW)]),
        ({"integrations": [{"id": ID, "name": "itself"}]}, []),
    ],
)  # fmt: skip
def test_dependencies_are_found_in_any_shape(hostile: Hostile, body: Any, expected: list[tuple[str, str, str]]) -> None:
    listing = read(hostile(said(body)), "dependencies")
    found = [(item.values["direction"], item.values["model"], item.remote_id) for item in listing.items]
    assert found == expected
    assert all(item.name for item in listing.items)


# --- whatever an answer may hold -----------------------------------------------------------------------------------

NAMES = sorted(
    {
        *("_id", "id", "name", "type", "model", "errorId", "disabled", "offline", "message", "completed", "createdAt"),
        *("sharedWithUser", "integrationAccessLevel", "accessLevel", "email", "byUser", "fieldChanges", "fieldPath"),
        *("flows", "usedBy", "dependencyIds", "pageGenerators", "routers", "branches", "pageProcessors", "templateZip"),
        *("lastModified", "time", "numError", "retryDataKey", "description", "_connectionId", "schedule", "oldValue"),
    }
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from([ID, "2026-03-14T04:11:09Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=15,
)
READERS: tuple[Callable[[Any], Any], ...] = (
    items.flow,
    items.connection,
    items.step_resource,
    items.error_record,
    items.revision,
    items.job,
    lambda document: items.person(document, ID),
    lambda document: list(items.audit_rows(document)),
    lambda document: items.steps([document]),
    lambda document: list(dependencies.read(document, ID)),
)


@unhurried
@given(document=st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=8), has_id=st.booleans())
def test_any_document_is_read_or_refused(document: dict[str, Any], has_id: bool) -> None:
    if has_id:
        document |= {"_id": ID, "errorId": "1"}
    for reader in READERS:
        try:
            found = reader(document)
        except VendorResponseError:
            continue
        for item in found if isinstance(found, list | tuple) else [found]:
            assert isinstance(item.remote_id, str)
            assert item.remote_id
            assert item.name
            json.dumps(item.values)


def test_each_column_is_filled_by_its_kind(hostile: Hostile) -> None:
    """A table that shows the columns finds a value of the right type under each name, or nothing said."""
    types: dict[FieldKind, tuple[type, ...]] = {
        FieldKind.TRUTH: (bool, type(None)),
        FieldKind.NUMBER: (int, type(None)),
        FieldKind.DOCUMENT: (object,),
    }
    bodies: dict[str, list[bytes]] = {
        "error_records": [said({"errors": [{"errorId": "e"}]})],
        "errors": [
            said([{"_flowId": FLOW, "numError": 7}]),
            *(said([]) for _ in range(3)),
            said({"flowErrors": [{"_expOrImpId": STEP, "numError": 7}]}),
        ],
        "dependencies": [said({"flows": [USING]})],
    }
    for slug, kind in KINDS.items():
        (item,) = read(hostile(*bodies.get(slug, [said([{"_id": "x"}])])), slug).items
        for column in kind.columns:
            assert isinstance(item.values[column.name], types.get(column.kind, (str,))), (slug, column.name)


def test_what_opens_another_system_is_secret_in_every_listing() -> None:
    for slug in ("connections", "account_connections", "exports", "imports"):
        assert {"http", "netsuite", "salesforce", "ftp", "rdbms", "settings"} <= set(KINDS[slug].secret_paths)
    for slug in ("install_steps", "uninstall_steps"):
        assert {"form", "sourceConnection.http"} <= set(KINDS[slug].secret_paths)
