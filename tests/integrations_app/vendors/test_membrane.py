"""Membrane's client against the simulator over sockets, against scripted answers, and its reading of any document."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from integrations_app.simulator.wire import Account
from integrations_app.vendors.base import (
    LOOPBACK_NETWORKS,
    Connection,
    Finding,
    FindingCode,
    Lifecycle,
    PartKind,
    Region,
    RemoteIntegration,
    SupportsLiveSearch,
    SupportsLookup,
)
from integrations_app.vendors.errors import (
    VendorAuthError,
    VendorForbiddenError,
    VendorNotFoundError,
    VendorRateLimitError,
    VendorRejectedError,
    VendorResponseError,
    VendorUnavailableError,
)
from integrations_app.vendors.membrane import MembraneClient, search
from integrations_app.vendors.membrane.client import read_reasons
from integrations_app.vendors.membrane.tokens import LIFETIME_SECONDS, sign_tenant_token
from tests.integrations_app.simulator.contract import published
from tests.integrations_app.vendors.hostile import HostileServer, answer
from tests.integrations_app.vendors.strategies import documents, unhurried

CURRENT, OLDER = MembraneClient.regions
ID = "66f1c0de0000000000000001"
CREDENTIAL = {"workspace_key": "fake-workspace-key", "workspace_secret": "fake-workspace-secret-of-a-test"}

Connect = Callable[..., Connection]
Hostile = Callable[..., HostileServer]


def read(**fields: Any) -> RemoteIntegration:
    return MembraneClient.read_integration({"id": ID, "name": "Brightdesk", "state": "READY", **fields}, CURRENT)


def connected(**fields: Any) -> dict[str, Any]:
    return {"id": "c1", "name": "Brightdesk of Larkspur", "userId": "u1", "state": "READY", "connected": True, **fields}


def findings(**connection: Any) -> list[tuple[FindingCode, str, int, str]]:
    integration = read(connection=connected(**connection))
    return [(finding.code, finding.subject, finding.count, finding.detail) for finding in integration.findings]


def codes(integration: RemoteIntegration) -> list[FindingCode]:
    return [finding.code for finding in integration.findings]


def everything(client: MembraneClient) -> list[RemoteIntegration]:
    return [integration for page in client.list_integrations() for integration in page.items]


def added(simulator: SimulatorServer, size: int) -> Account:
    return simulator.world.add_account(vendor="membrane", name="added-membrane", size=size, seed=3)


def scripted(server: HostileServer, **binding: str) -> MembraneClient:
    region = Region("scripted", "Scripted", {"api": server.url})
    binding = binding or {"tenant_key": "tenant-1"}
    return MembraneClient(Connection(region, CREDENTIAL, binding, allowed_networks=LOOPBACK_NETWORKS))


def page(*items: Any, **rest: Any) -> bytes:
    return answer(json.dumps({"items": items, **rest}).encode(), Content_Type="application/json")


def query_of(request: bytes) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.split(b" ")[1].decode()).query)


# --- the token -----------------------------------------------------------------------------------------------------


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_the_token_names_workspace_and_tenant_and_lives_shortly(hostile: Hostile) -> None:
    server = hostile(page())
    before = int(time.time())
    everything(scripted(server))
    (line,) = (line for line in server.requests[0].split(b"\r\n") if line.lower().startswith(b"authorization:"))
    header, claims, signature = line.decode().partition("Bearer ")[2].split(".")
    secret = CREDENTIAL["workspace_secret"].encode()
    assert json.loads(_decoded(header)) == {"alg": "HS256", "typ": "JWT"}
    said = json.loads(_decoded(claims))
    assert set(said) == {"workspaceKey", "tenantKey", "exp"}
    assert (said["workspaceKey"], said["tenantKey"]) == ("fake-workspace-key", "tenant-1")
    assert before + LIFETIME_SECONDS <= said["exp"] <= time.time() + LIFETIME_SECONDS
    assert _decoded(signature) == hmac.new(secret, f"{header}.{claims}".encode(), hashlib.sha256).digest()


def test_a_token_signs_any_text() -> None:
    token = sign_tenant_token(workspace_key='k"', workspace_secret="geheim-ü", tenant_key="tenant/ü", now=1.9)
    assert json.loads(_decoded(token.split(".")[1])) == {"workspaceKey": 'k"', "tenantKey": "tenant/ü", "exp": 901}


def test_without_a_tenant_nothing_is_sent(hostile: Hostile) -> None:
    server = hostile(page())
    with pytest.raises(VendorAuthError):
        everything(scripted(server, tenant_key=""))
    assert server.requests == []


@pytest.mark.parametrize(
    "wrong", [{"workspace_secret": "fake-secret-of-somebody-else"}, {"workspace_key": "fake-unknown-workspace"}]
)
def test_a_wrong_key_or_secret_is_refused(connect: Connect, wrong: dict[str, str]) -> None:
    with pytest.raises(VendorAuthError) as refused:
        everything(MembraneClient(connect("kestrel-membrane", credential=wrong)))
    assert refused.value.status == 401


def test_an_expired_token_is_refused(simulator: SimulatorServer, connect: Connect) -> None:
    simulator.world.move_clock(seconds=LIFETIME_SECONDS + 60)
    with pytest.raises(VendorAuthError):
        everything(MembraneClient(connect("kestrel-membrane")))


# --- listing and getting over sockets ------------------------------------------------------------------------------


def test_list_integrations_reads_every_page_once(simulator: SimulatorServer, connect: Connect) -> None:
    account = added(simulator, 2100)
    pages = list(MembraneClient(connect(account.name)).list_integrations())
    assert [len(page.items) for page in pages] == [1000, 1000, 100]
    assert len({integration.remote_id for page in pages for integration in page.items}) == 2100


@pytest.mark.parametrize("last", ["absent", "null", "empty"])
@pytest.mark.parametrize("style", ["offset", "opaque"])
def test_any_falsy_cursor_ends_the_list(simulator: SimulatorServer, connect: Connect, last: str, style: str) -> None:
    simulator.world.turn("membrane.last_cursor", last)
    simulator.world.turn("membrane.cursor_style", style)
    account = added(simulator, 1001)
    assert len(everything(MembraneClient(connect(account.name)))) == 1001


def test_the_mirror_has_the_archived_ones_and_no_candidates(simulator: SimulatorServer, connect: Connect) -> None:
    simulator.world.turn("membrane.candidates_by_default", "with_search")
    integrations = everything(MembraneClient(connect("kestrel-membrane")))
    assert len(integrations) == 20
    assert any(integration.lifecycle is Lifecycle.ARCHIVED for integration in integrations)


def test_an_empty_account_is_one_empty_page(connect: Connect) -> None:
    assert [page.items for page in MembraneClient(connect("quill-membrane")).list_integrations()] == [()]


def test_get_integration_reads_the_same_as_the_list(connect: Connect) -> None:
    client = MembraneClient(connect("kestrel-membrane"))
    for integration in everything(client):
        assert client.get_integration(integration.remote_id) == integration


def test_find_integration_takes_id_key_and_uuid(connect: Connect) -> None:
    client = MembraneClient(connect("kestrel-membrane"))
    wanted = everything(client)[1]
    for reference in (wanted.remote_id, wanted.raw["key"], wanted.raw["uuid"]):
        assert client.find_integration(reference).remote_id == wanted.remote_id


def test_get_integration_takes_an_id_only(connect: Connect) -> None:
    client = MembraneClient(connect("kestrel-membrane"))
    with pytest.raises(VendorResponseError):
        client.get_integration(everything(client)[1].raw["key"])


@pytest.mark.parametrize("reference", ["no-such", "../connections", "a/b", "?x=1", "é\u202e", "x" * 300])
def test_a_reference_never_leaves_its_place_in_the_path(connect: Connect, reference: str) -> None:
    with pytest.raises(VendorNotFoundError):
        MembraneClient(connect("kestrel-membrane")).find_integration(reference)


@pytest.mark.parametrize("kind", ["types", "null", "text", "no_id"])
def test_a_broken_item_is_set_aside_with_a_reason(simulator: SimulatorServer, connect: Connect, kind: str) -> None:
    account = added(simulator, 10)
    simulator.world.break_item(account, 4, kind)
    (page,) = MembraneClient(connect(account.name)).list_integrations()
    assert len(page.items) == 9
    assert len(page.bad) == 1
    assert page.bad[0].reason


def test_an_unknown_field_stays_in_the_raw_document(simulator: SimulatorServer, connect: Connect) -> None:
    account = added(simulator, 3)
    simulator.world.break_item(account, 1, "unknown_field")
    (page,) = MembraneClient(connect(account.name)).list_integrations()
    assert not page.bad
    assert sum("simulatedNewField" in integration.raw for integration in page.items) == 1


def test_a_cursor_that_leads_back_ends_the_list_with_an_error(simulator: SimulatorServer, connect: Connect) -> None:
    account = added(simulator, 2500)
    simulator.world.set_list_mode(account, "loop")
    with pytest.raises(VendorResponseError):
        everything(MembraneClient(connect(account.name)))


# --- the vendor's refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "key", "expected"),
    [
        (400, "already_exists", VendorRejectedError),
        (401, "not_authenticated", VendorAuthError),
        (403, "access_denied", VendorForbiddenError),
        (404, "not_found", VendorNotFoundError),
        (429, "rate_limit_exceeded", VendorRateLimitError),
        (500, "internal", VendorUnavailableError),
    ],
)
def test_every_documented_status_becomes_its_error(
    simulator: SimulatorServer, connect: Connect, status: int, key: str, expected: type[Exception]
) -> None:
    body = json.dumps({"type": "bad_request", "key": key, "message": "No"})
    headers = {"Retry-After": "60"} if status == 429 else {}
    simulator.world.add_fault(
        Fault("refusal", "status", account="kestrel-membrane", status=status, body=body, headers=headers)
    )
    with pytest.raises(expected) as refused:
        MembraneClient(connect("kestrel-membrane")).get_integration(ID)
    assert type(refused.value) is expected


def test_a_token_too_weak_for_the_call_is_forbidden_not_refused(simulator: SimulatorServer, connect: Connect) -> None:
    simulator.world.turn("membrane.reads_need_admin", True)
    with pytest.raises(VendorForbiddenError):
        everything(MembraneClient(connect("kestrel-membrane")))


def test_reasons_tell_the_causes_too_and_stop_somewhere() -> None:
    body: dict[str, Any] = {"type": "connection", "key": "connection_is_defunct", "message": "Could not be refreshed"}
    body["causedByError"] = {"type": "configuration", "message": "No", "data": {"missingField": "clientId"}}
    assert list(read_reasons(400, body)) == [
        ("connection_is_defunct", "", "Could not be refreshed"),
        ("configuration", "clientId", "No"),
    ]
    body["causedByError"] = body
    assert len(list(read_reasons(400, body))) == 5
    assert list(read_reasons(500, None)) == []


# --- scripted answers ----------------------------------------------------------------------------------------------


def test_the_mirror_asks_for_everything_stored_and_nothing_generated(hostile: Hostile) -> None:
    server = hostile(page({"id": "1", "name": "A"}, cursor="next place"), page({"id": "2", "name": "B"}))
    assert len(everything(scripted(server))) == 2
    asked = {"includeArchived": ["true"], "connectors": ["0"], "externalApps": ["0"], "websearch": ["0"]}
    assert query_of(server.requests[0]) == asked | {"limit": ["1000"]}
    assert query_of(server.requests[1]) == asked | {"limit": ["1000"], "cursor": ["next place"]}


def test_a_candidate_that_comes_all_the_same_is_left_out_and_a_lost_id_is_not(hostile: Hostile) -> None:
    candidate = {"name": "Parcelfinch", "connectorId": "c1", "authType": "oauth2"}
    lost = {"name": "Brightdesk", "key": "brightdesk", "state": "READY"}
    (only,) = scripted(hostile(page(candidate, lost, {"id": ID, "name": "Kept"}))).list_integrations()
    assert [integration.name for integration in only.items] == ["Kept"]
    assert [(bad.reason, bad.raw) for bad in only.bad] == [("The integration has no usable id.", lost)]


def test_a_number_is_a_cursor_too(hostile: Hostile) -> None:
    server = hostile(page({"id": "1", "name": "A"}, cursor=1), page({"id": "2", "name": "B"}, cursor=0))
    assert len(everything(scripted(server))) == 2


@pytest.mark.parametrize(
    "document", [[], None, {"data": []}, {"items": {}}, {"items": [], "cursor": ["x"]}, {"items": [], "cursor": True}]
)
def test_a_list_that_is_no_list_is_a_bad_answer(hostile: Hostile, document: Any) -> None:
    with pytest.raises(VendorResponseError):
        everything(scripted(hostile(answer(json.dumps(document).encode()))))


# --- live search ---------------------------------------------------------------------------------------------------


def test_search_asks_the_vendor_and_tells_candidates_from_what_is_stored(connect: Connect) -> None:
    client = MembraneClient(connect("kestrel-membrane"))
    stored = client.search_integrations({"search": "zend"})
    assert [(hit.name, hit.is_candidate) for hit in stored.hits] == [("Zendesk", False)]
    assert stored.hits[0].remote_id
    offered = client.search_integrations({"search": "parcel", "connectors": "1", "externalApps": "1", "websearch": "1"})
    assert len(offered.hits) == 4
    assert all(hit.is_candidate and not hit.remote_id for hit in offered.hits)


def test_search_filters_by_connector_and_app(simulator: SimulatorServer, connect: Connect) -> None:
    client = MembraneClient(connect("kestrel-membrane"))
    wanted = everything(client)[1]
    found = client.search_integrations({"connectorId": wanted.raw["connectorId"]})
    assert wanted.remote_id in [hit.remote_id for hit in found.hits]
    assert len(found.hits) < 20
    assert client.search_integrations({"appUuid": "no-such-app"}).hits == ()


def test_search_leaves_archived_ones_out_unless_asked(connect: Connect) -> None:
    client = MembraneClient(connect("kestrel-membrane"))
    without = client.search_integrations({"limit": "1000"})
    with_archived = client.search_integrations({"limit": "1000", "includeArchived": "on"})
    assert len(without.hits) < len(with_archived.hits) == 20


def test_search_goes_on_from_its_cursor(connect: Connect) -> None:
    client = MembraneClient(connect("kestrel-membrane"))
    seen, cursor = [], ""
    while True:
        found = client.search_integrations({"limit": "7", "includeArchived": "true"}, cursor)
        seen += [hit.remote_id for hit in found.hits]
        if not found.next_cursor:
            break
        cursor = found.next_cursor
    assert len(seen) == len(set(seen)) == 20


def test_search_sends_every_documented_parameter_in_its_type(hostile: Hostile) -> None:
    server = hostile(page())
    filters = {
        "search": " parcel post ",
        "connectorId": "c1",
        "appUuid": "u1",
        "includeArchived": "off",
        "connectors": "1",
        "externalApps": "0",
        "websearch": "yes",
        "limit": "025",
    }
    assert set(filters) == {field.name for field in MembraneClient.search_fields}
    scripted(server).search_integrations(filters, "place")
    assert query_of(server.requests[0]) == {
        "search": ["parcel post"],
        "connectorId": ["c1"],
        "appUuid": ["u1"],
        "includeArchived": ["false"],
        "connectors": ["1"],
        "externalApps": ["0"],
        "websearch": ["1"],
        "limit": ["25"],
        "cursor": ["place"],
    }


def test_search_sends_nothing_that_was_left_empty() -> None:
    assert search.params({"search": " ", "connectors": "", "limit": ""}) == {"limit": "50"}


@pytest.mark.parametrize(
    "filters",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "1.5"},
        {"limit": "²"},
        {"includeArchived": "perhaps"},
        {"connectors": "2"},
        {"colour": "red"},
    ],
)
def test_search_refuses_what_is_no_filter_before_asking(hostile: Hostile, filters: dict[str, str]) -> None:
    server = hostile(page())
    with pytest.raises(VendorRejectedError) as refused:
        scripted(server).search_integrations(filters)
    assert refused.value.reasons[0][1] in filters
    assert server.requests == []


def test_search_sets_broken_items_aside_and_does_not_go_round(hostile: Hostile) -> None:
    server = hostile(page({"id": ID, "name": "Kept"}, None, {"id": 17, "name": "x"}, {"name": 1}, cursor="same"))
    found = scripted(server).search_integrations({}, "same")
    assert [hit.name for hit in found.hits] == ["Kept"]
    assert len(found.bad) == 3
    assert found.next_cursor == ""


# --- the account test ----------------------------------------------------------------------------------------------


def test_the_account_test_lists_and_reads_one(connect: Connect) -> None:
    report = MembraneClient(connect("kestrel-membrane")).test_account()
    assert [(probe.name, probe.ok) for probe in report.probes] == [
        ("list integrations", True),
        ("read one integration", True),
    ]
    assert report.probes[0].answer == "Yes, 20"


def test_the_account_test_of_an_empty_workspace_is_good(connect: Connect) -> None:
    assert [probe.answer for probe in MembraneClient(connect("quill-membrane")).test_account().probes] == ["Yes, 0"]


def test_the_account_test_says_that_there_are_more(simulator: SimulatorServer, connect: Connect) -> None:
    account = added(simulator, 150)
    assert MembraneClient(connect(account.name)).test_account().probes[0].answer == "Yes, more than 100"


def test_a_refused_secret_is_an_answer_of_the_account_test(connect: Connect) -> None:
    wrong = connect("kestrel-membrane", credential={"workspace_secret": "fake-secret-of-somebody-else"})
    assert [(probe.ok, probe.answer) for probe in MembraneClient(wrong).test_account().probes] == [
        (False, "Refused (401)")
    ]


def test_the_account_test_raises_while_the_vendor_is_away(simulator: SimulatorServer, connect: Connect) -> None:
    simulator.world.add_fault(Fault("down", "status", account="kestrel-membrane", status=503))
    with pytest.raises(VendorUnavailableError):
        MembraneClient(connect("kestrel-membrane")).test_account()


# --- what a document means -----------------------------------------------------------------------------------------


def test_the_simulated_accounts_show_every_finding_and_lifecycle(simulator: SimulatorServer, connect: Connect) -> None:
    integrations = everything(MembraneClient(connect(added(simulator, 500).name)))
    assert {integration.lifecycle for integration in integrations} == set(Lifecycle)
    assert {code for integration in integrations for code in codes(integration)} == {
        FindingCode.ACTION_REQUIRED,
        FindingCode.CONFIGURATION_ERROR,
        FindingCode.CONNECTION_DEFUNCT,
        FindingCode.CONNECTION_MISSING,
        FindingCode.CONNECTION_RETRYING,
        FindingCode.ERRORS,
        FindingCode.MISSING_PARAMETERS,
        FindingCode.SETUP_FAILED,
    }


def test_the_published_sample_with_its_placeholders_is_read() -> None:
    (item,) = published("membrane GET /integrations (every field, placeholders)")["items"]
    integration = MembraneClient.read_integration(item, CURRENT)
    assert integration.lifecycle is Lifecycle.ARCHIVED
    assert codes(integration) == [FindingCode.MISSING_PARAMETERS, FindingCode.ERRORS]
    assert integration.remote_created_at is None


@pytest.mark.parametrize(
    ("fields", "lifecycle"),
    [
        ({}, Lifecycle.ACTIVE),
        ({"state": "BUILDING"}, Lifecycle.BUILDING),
        ({"state": "DISCONNECTING"}, Lifecycle.INACTIVE),
        ({"isDeactivated": True}, Lifecycle.INACTIVE),
        ({"archivedAt": "2026-07-19T16:20:00.000Z", "isDeactivated": True}, Lifecycle.ARCHIVED),
        ({"archivedAt": None, "isDeactivated": None}, Lifecycle.ACTIVE),
        ({"isDeactivated": "true"}, Lifecycle.ACTIVE),
        ({"state": "SOMETHING_NEW"}, Lifecycle.ACTIVE),
    ],
)
def test_lifecycle_follows_what_is_said_and_nothing_else(fields: dict[str, Any], lifecycle: Lifecycle) -> None:
    assert read(**fields).lifecycle is lifecycle


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("CONFIGURATION_ERROR", FindingCode.CONFIGURATION_ERROR),
        ("SETUP_FAILED", FindingCode.SETUP_FAILED),
        ("CLIENT_ACTION_REQUIRED", FindingCode.ACTION_REQUIRED),
    ],
)
def test_a_state_that_needs_somebody_carries_the_vendors_message(state: str, code: FindingCode) -> None:
    errors = [
        {"message": "Connector method could not be loaded", "causedByError": {"message": "Unexpected token"}},
        {"message": "A data collection does not exist"},
    ]
    assert read(state=state, errors=errors).findings == (
        Finding(
            code,
            detail="Connector method could not be loaded, because: Unexpected token; A data collection does not exist",
        ),
    )


def test_missing_parameters_and_state_are_told_apart() -> None:
    connection = connected()
    assert codes(read(hasMissingParameters=True, connection=connection)) == [FindingCode.MISSING_PARAMETERS]
    both = read(hasMissingParameters=True, state="CONFIGURATION_ERROR")
    assert codes(both) == [FindingCode.MISSING_PARAMETERS, FindingCode.CONFIGURATION_ERROR]
    assert codes(read(hasMissingParameters="true", connection=connection)) == []


def test_a_connection_that_works_is_no_finding() -> None:
    assert findings() == []
    assert findings(connected=None, disconnected=False) == []


def test_a_defunct_connection_is_for_the_tenant_even_with_a_retry_planned() -> None:
    refused = {"message": "Credentials rejected", "causedByError": {"message": "invalid_grant"}}
    trouble = {"isDefunct": True, "connected": False, "retryAttempts": 3, "nextRetryTimestamp": "2026-09-20T19:04:00Z"}
    assert findings(requestError=refused, **trouble) == [
        (
            FindingCode.CONNECTION_DEFUNCT,
            "Brightdesk of Larkspur",
            0,
            "Credentials rejected, because: invalid_grant",
        )
    ]


def test_a_connection_the_vendor_retries_says_how_often() -> None:
    assert findings(retryAttempts=2, nextRetryTimestamp="2026-09-20T19:04:00Z", error={"message": "Failed"}) == [
        (FindingCode.CONNECTION_RETRYING, "Brightdesk of Larkspur", 2, "Failed")
    ]


def test_a_connection_that_waits_for_the_tenant_says_what_for() -> None:
    action = {"type": "connect", "description": "Sign in to Brightdesk", "uiUrl": "https://ui.example/connect/1"}
    assert findings(state="CLIENT_ACTION_REQUIRED", connected=False, clientAction=action) == [
        (FindingCode.ACTION_REQUIRED, "Brightdesk of Larkspur", 0, "Sign in to Brightdesk")
    ]


def test_a_connection_whose_set_up_failed_says_why() -> None:
    assert findings(state="SETUP_FAILED", connected=False, errors=[{"message": "The test threw"}]) == [
        (FindingCode.SETUP_FAILED, "Brightdesk of Larkspur", 0, "The test threw")
    ]


def test_a_call_the_app_refused_is_an_error_of_the_connection() -> None:
    assert findings(requestError={"message": "The external app answered 429"}) == [
        (FindingCode.ERRORS, "Brightdesk of Larkspur", 1, "The external app answered 429")
    ]


@pytest.mark.parametrize(
    "fields", [{"connected": False}, {"disconnected": True, "connected": None}, {"archivedAt": "x"}]
)
def test_a_connection_that_is_cut_is_missing_while_the_integration_is_on(fields: dict[str, Any]) -> None:
    assert [code for code, *_ in findings(**fields)] == [FindingCode.CONNECTION_MISSING]
    assert codes(read(isDeactivated=True, connection=connected(**fields))) == []


@pytest.mark.parametrize("state", ["BUILDING", "DISCONNECTING"])
def test_a_connection_on_its_way_is_no_finding(state: str) -> None:
    assert findings(state=state, connected=False) == []


def test_never_connected_is_told_only_where_somebody_could_connect() -> None:
    missing = Finding(FindingCode.CONNECTION_MISSING, subject="Brightdesk")
    assert read().findings == (missing,)
    assert read(state=None, isConnected=False).findings == (missing,)
    assert read(state=None).findings == ()
    assert read(isConnected=True).findings == ()
    assert codes(read(state="SETUP_FAILED", isConnected=False)) == [FindingCode.SETUP_FAILED]
    assert read(state="BUILDING", isConnected=False).findings == ()
    assert read(isDeactivated=True).findings == ()


def test_errors_of_a_ready_integration_are_counted() -> None:
    integration = read(errors=[{"message": "One"}, {"message": "Two"}], connection=connected())
    assert integration.findings == (Finding(FindingCode.ERRORS, count=2, detail="One; Two"),)


def test_the_vendors_message_is_plain_short_and_without_secrets() -> None:
    error: dict[str, Any] = {"message": "Bearer abcdef1234567890 was\u202e refused\x00 by <b>it</b>\n" + "x" * 900}
    error["causedByError"] = error
    (finding,) = read(state="SETUP_FAILED", errors=[error] * 50).findings
    assert len(finding.detail) <= 300
    assert "abcdef1234567890" not in finding.detail
    assert finding.detail.isprintable()


def test_the_connection_is_a_part_in_the_vendors_words() -> None:
    document = connected(retryAttempts=2, nextRetryTimestamp="2026-09-20T19:04:00Z", connectorVersion="1.4.0")
    integration = read(connection=document)
    (part,) = integration.parts
    assert (part.kind, part.remote_id, part.name) == (PartKind.CONNECTION, "c1", "Brightdesk of Larkspur")
    assert (part.is_active, part.version) == (True, "1.4.0")
    assert part.words == "READY, connected, retryAttempts 2, next try 2026-09-20 19:04 UTC"
    assert integration.vendor_words == f"READY · connection {part.words}"
    assert read(connection={"id": "c1"}).parts[0].is_active is None
    assert read(connection=connected(isDefunct=True)).parts[0].is_active is False


def test_what_a_person_may_paste_is_an_alias() -> None:
    integration = read(key="brightdesk", uuid="7b1f0c52", connection=connected(key="brightdesk-main", tenantId="u1"))
    assert integration.aliases == ("brightdesk", "7b1f0c52", "c1", "brightdesk-main", "u1")


def test_the_integration_opens_in_the_console_of_its_region() -> None:
    assert read().remote_url == f"https://console.getmembrane.com/w/0/external-apps/integrations/{ID}"
    document = {"id": "../x?y", "name": "Brightdesk"}
    older = MembraneClient.read_integration(document, OLDER).remote_url
    assert older == "https://console.integration.app/w/0/external-apps/integrations/..%2Fx%3Fy"
    (simulated,) = MembraneClient.simulator_region("http://127.0.0.1:8100")
    assert MembraneClient.read_integration(document, simulated).remote_url == ""


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"id": ID},
        {"name": "Brightdesk"},
        {"id": 17, "name": "Brightdesk"},
        {"id": "x" * 201, "name": "Brightdesk"},
        {"id": ID, "name": None},
        {"id": ID, "name": "Brightdesk", "connection": "c1"},
        {"id": ID, "name": "Brightdesk", "connection": []},
        {"id": ID, "name": "Brightdesk", "errors": {"message": "x"}},
    ],
)
def test_a_document_that_is_no_integration_is_refused_with_a_reason(document: dict[str, Any]) -> None:
    with pytest.raises(VendorResponseError) as refused:
        MembraneClient.read_integration(document, CURRENT)
    assert refused.value.message


# --- every field, and any document ---------------------------------------------------------------------------------


def test_every_field_of_the_published_sample_is_shown_by_itself() -> None:
    (item,) = published("membrane GET /integrations (every field, placeholders)")["items"]
    shown = {field.path.split("[]")[0] for field in MembraneClient.document_fields}
    tops = {path.split(".")[0] for path in shown}
    of_connection = {path.split(".")[1] for path in shown if path.startswith("connection.")}
    assert set(item) <= tops
    assert set(item["connection"]) <= of_connection
    assert (len(item), len(item["connection"])) == (36, 31)


def test_no_field_is_shown_twice() -> None:
    paths = [field.path for field in MembraneClient.document_fields]
    assert len(set(paths)) == len(paths)


def test_what_may_hold_a_secret_is_declared_secret() -> None:
    secret = {field.path for field in MembraneClient.document_fields if field.is_secret}
    assert {"parameters", "meta", "optionsConfig", "spec", "authOptions"} <= secret
    assert {"connection.meta", "connection.credentials", "connection.clientAction.uiUrl"} <= secret
    assert {"errors[].logs", "connection.requestError.causedByError.logs"} <= secret


def test_capabilities_are_the_methods_it_has() -> None:
    assert issubclass(MembraneClient, SupportsLookup)
    assert issubclass(MembraneClient, SupportsLiveSearch)
    # What Membrane could do, and this console does not offer yet, is no fault of the vendor's.
    assert set(MembraneClient.unsupported_reasons) == {"SupportsRevisions", "SupportsRegistration", "SupportsSteps"}


_STATES = ("READY", "BUILDING", "SETUP_FAILED", "CLIENT_ACTION_REQUIRED", "2026-09-20T19:04:00Z")


@unhurried
@given(document=documents(MembraneClient.document_fields, *_STATES), has_id=st.booleans())
def test_any_document_is_read_or_refused(document: dict[str, Any], has_id: bool) -> None:
    if has_id:
        document |= {"id": ID, "name": "Brightdesk"}
    try:
        integration = MembraneClient.read_integration(document, CURRENT)
    except VendorResponseError:
        return
    assert integration.remote_id
    assert integration.name
    assert integration.raw == document
    assert all(0 <= finding.count < 2**31 and len(finding.detail) <= 300 for finding in integration.findings)
    assert len(integration.vendor_words) <= 200


@unhurried
@given(item=documents(MembraneClient.document_fields, *_STATES) | st.none() | st.text() | st.lists(st.integers()))
def test_any_item_of_a_search_is_a_hit_or_set_aside(item: Any) -> None:
    region = Region("nowhere", "Nowhere", {"api": "http://127.0.0.1:9"})
    client = MembraneClient(Connection(region, CREDENTIAL, {"tenant_key": "t"}, allowed_networks=LOOPBACK_NETWORKS))
    try:
        hit = client._hit(item)
    except VendorResponseError:
        return
    assert hit.name
    assert hit.is_candidate is (hit.remote_id == "")
