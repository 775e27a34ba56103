"""Celigo's client against the simulator over sockets, against scripted answers, and its reading of any document."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from integrations_app.simulator.wire import Account
from integrations_app.vendors.base import (
    LOOPBACK_NETWORKS,
    Connection,
    FieldKind,
    FindingCode,
    Lifecycle,
    PartKind,
    Region,
    RemoteIntegration,
    SupportsLiveSearch,
    SupportsLookup,
)
from integrations_app.vendors.celigo import CeligoClient
from integrations_app.vendors.celigo.calls import read_reasons
from integrations_app.vendors.errors import (
    VendorAddressError,
    VendorAuthError,
    VendorForbiddenError,
    VendorNotFoundError,
    VendorRateLimitError,
    VendorRejectedError,
    VendorResponseError,
    VendorUnavailableError,
)
from tests.integrations_app.vendors.hostile import HostileServer, answer
from tests.integrations_app.vendors.strategies import documents, unhurried

US, EU = CeligoClient.regions
ID = "66d1f0000000000000001001"
OTHER_ID = "66d1f0000000000000002002"

Connect = Callable[..., Connection]
Hostile = Callable[..., HostileServer]


def read(**fields: Any) -> RemoteIntegration:
    return CeligoClient.read_integration({"_id": ID, "name": "Orders", "mode": "settings", **fields}, US)


def codes(integration: RemoteIntegration) -> list[FindingCode]:
    return [finding.code for finding in integration.findings]


def everything(client: CeligoClient) -> list[RemoteIntegration]:
    return [integration for page in client.list_integrations() for integration in page.items]


def added(simulator: SimulatorServer, size: int, region: str = "simulator") -> Account:
    return simulator.world.add_account(vendor="celigo", name="added-celigo", size=size, seed=3, region=region)


def scripted(server: HostileServer, token: str = "fake-token-of-a-test") -> CeligoClient:
    region = Region("scripted", "Scripted", {"api": f"{server.url}/v1"})
    return CeligoClient(Connection(region, {"api_token": token}, allowed_networks=LOOPBACK_NETWORKS))


def listed(*documents: Any, **headers: str) -> bytes:
    return answer(json.dumps(documents).encode(), Content_Type="application/json", **headers)


# --- listing and getting over sockets ------------------------------------------------------------------------------


def test_list_integrations_reads_every_page(simulator: SimulatorServer, connect: Connect) -> None:
    account = added(simulator, 450)
    pages = list(CeligoClient(connect(account.name)).list_integrations())
    ids = [integration.remote_id for page in pages for integration in page.items]
    assert [len(page.items) for page in pages] == [200, 200, 50]
    assert len(set(ids)) == 450


def test_pages_are_followed_as_given_also_with_an_opaque_place(simulator: SimulatorServer, connect: Connect) -> None:
    simulator.world.turn("celigo.link_style", "after")
    account = added(simulator, 201)
    assert len(everything(CeligoClient(connect(account.name)))) == 201
    assert any("after=" in hit["target"] for hit in simulator.world.hits(account.name)["requests"])


@pytest.mark.parametrize("is_204", [True, False])
def test_an_empty_account_is_one_empty_page(simulator: SimulatorServer, connect: Connect, is_204: bool) -> None:
    simulator.world.turn("celigo.empty_list_is_204", is_204)
    account = added(simulator, 0)
    pages = list(CeligoClient(connect(account.name)).list_integrations())
    assert [page.items for page in pages] == [()]


def test_get_integration_reads_the_same_as_the_list(connect: Connect) -> None:
    client = CeligoClient(connect("larkspur-celigo"))
    for integration in everything(client)[:5]:
        assert client.get_integration(integration.remote_id) == integration


def test_get_integration_says_not_found_for_an_unknown_id(connect: Connect) -> None:
    with pytest.raises(VendorNotFoundError):
        CeligoClient(connect("larkspur-celigo")).get_integration("0" * 24)


@pytest.mark.parametrize("hostile_id", ["../tokenInfo", "a/b", "?limit=1", "%2e%2e", "é\u202e", "x" * 300])
def test_an_id_never_leaves_its_place_in_the_path(connect: Connect, hostile_id: str) -> None:
    with pytest.raises(VendorNotFoundError):
        CeligoClient(connect("larkspur-celigo")).get_integration(hostile_id)


@pytest.mark.parametrize("kind", ["types", "null", "text", "no_id"])
def test_a_broken_item_is_set_aside_with_a_reason(simulator: SimulatorServer, connect: Connect, kind: str) -> None:
    account = added(simulator, 10)
    simulator.world.break_item(account, 4, kind)
    (page,) = CeligoClient(connect(account.name)).list_integrations()
    assert len(page.items) == 9
    assert len(page.bad) == 1
    assert page.bad[0].reason


def test_an_unknown_field_stays_in_the_raw_document(simulator: SimulatorServer, connect: Connect) -> None:
    account = added(simulator, 3)
    simulator.world.break_item(account, 1, "unknown_field")
    (page,) = CeligoClient(connect(account.name)).list_integrations()
    assert not page.bad
    assert sum("simulatedNewField" in integration.raw for integration in page.items) == 1


def test_a_list_that_leads_back_to_itself_is_ended(simulator: SimulatorServer, connect: Connect) -> None:
    account = added(simulator, 450)
    simulator.world.set_list_mode(account, "loop")
    with pytest.raises(VendorResponseError):
        everything(CeligoClient(connect(account.name)))


# --- the vendor's refusals -----------------------------------------------------------------------------------------


def test_a_wrong_token_is_refused(connect: Connect) -> None:
    client = CeligoClient(connect("larkspur-celigo", credential={"api_token": "fake-token-nobody-has"}))
    with pytest.raises(VendorAuthError) as refused:
        everything(client)
    assert refused.value.status == 401


def test_a_token_of_one_region_is_none_in_the_other(simulator: SimulatorServer, connect: Connect) -> None:
    european = added(simulator, 3, region="simulator-eu")
    assert len(everything(CeligoClient(connect(european.name)))) == 3
    american = CeligoClient.simulator_region(simulator.url)[0]
    with pytest.raises(VendorAuthError):
        everything(CeligoClient(Connection(american, european.credential, allowed_networks=LOOPBACK_NETWORKS)))


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"errors": [{"code": "invalid_query_params", "message": "limit"}]}, VendorRejectedError),
        (401, {"message": "Unauthorized"}, VendorAuthError),
        (403, {"message": "Forbidden"}, VendorForbiddenError),
        (404, {"errors": [{"code": "not_found", "message": "no such"}]}, VendorNotFoundError),
        (422, {"errors": [{"code": "invalid_ref", "message": "no such flow"}]}, VendorRejectedError),
        (503, "<html>gateway</html>", VendorUnavailableError),
    ],
)
def test_every_documented_status_becomes_its_error(
    simulator: SimulatorServer, connect: Connect, status: int, body: Any, expected: type[Exception]
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    simulator.world.add_fault(Fault("refusal", "status", account="larkspur-celigo", status=status, body=text))
    with pytest.raises(expected) as refused:
        CeligoClient(connect("larkspur-celigo")).get_integration(ID)
    assert type(refused.value) is expected


def test_too_many_calls_say_how_long_to_wait(simulator: SimulatorServer, connect: Connect) -> None:
    body = json.dumps({"errors": [{"code": "rate_limited", "message": "Throttled"}]})
    fault = Fault("busy", "status", account="larkspur-celigo", status=429, body=body, headers={"Retry-After": "17"})
    simulator.world.add_fault(fault)
    with pytest.raises(VendorRateLimitError) as refused:
        CeligoClient(connect("larkspur-celigo")).get_integration(ID)
    assert refused.value.retry_after_seconds == 17


def test_several_errors_of_one_refusal_are_all_told(simulator: SimulatorServer, connect: Connect) -> None:
    errors = [
        {"code": "invalid_field", "field": "name", "message": "too long"},
        {"code": "invalid_ref", "field": "_flowId", "message": "no such flow"},
    ]
    body = json.dumps({"errors": errors})
    simulator.world.add_fault(Fault("refusal", "status", account="larkspur-celigo", status=422, body=body))
    with pytest.raises(VendorRejectedError) as refused:
        CeligoClient(connect("larkspur-celigo")).get_integration(ID)
    assert refused.value.reasons == (("invalid_field", "name", "too long"), ("invalid_ref", "_flowId", "no such flow"))


def test_both_shapes_of_error_are_read() -> None:
    assert list(read_reasons(401, {"message": "Unauthorized"})) == [("", "", "Unauthorized")]
    both = {"message": "Two problems", "errors": [{"code": "invalid_field", "message": "name"}]}
    assert list(read_reasons(422, both)) == [("invalid_field", "", "name")]
    assert list(read_reasons(502, None)) == []


# --- scripted answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["</v1/integrations?limit=200>", "<?limit=200>"])
def test_a_next_page_that_is_this_page_is_refused_without_asking_again(hostile: Hostile, link: str) -> None:
    server = hostile(listed({"_id": ID, "name": "Orders"}, Link=f'{link}; rel="next"'))
    pages = scripted(server).list_integrations()
    assert len(next(pages).items) == 1
    with pytest.raises(VendorResponseError):
        next(pages)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "link",
    [
        "<http://169.254.169.254/v1/integrations>",
        "</v2/integrations>",
        "<//example.com/v1>",
        "<http://[bad/v1/integrations>",
    ],
)
def test_a_next_page_elsewhere_is_not_followed(hostile: Hostile, link: str) -> None:
    server = hostile(listed({"_id": ID, "name": "Orders"}, Link=f'{link}; rel="next"'))
    with pytest.raises(VendorAddressError):
        everything(scripted(server))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "link", ['</v1/integrations?skip=0>; rel="prev"', "not a link", "<>; rel=next", ";;;=,<", "<x"]
)
def test_a_link_header_without_a_next_page_ends_the_list(hostile: Hostile, link: str) -> None:
    server = hostile(listed({"_id": ID, "name": "Orders"}, Link=link))
    assert len(everything(scripted(server))) == 1


def test_the_next_page_is_found_beside_others(hostile: Hostile) -> None:
    link = '</v1/integrations?skip=0>; rel="prev", </v1/integrations?skip=2&limit=2>; rel="next"'
    server = hostile(listed({"_id": ID, "name": "A"}, Link=link), listed({"_id": OTHER_ID, "name": "B"}))
    assert [integration.name for integration in everything(scripted(server))] == ["A", "B"]
    assert server.requests[1].startswith(b"GET /v1/integrations?skip=2&limit=2 ")


@pytest.mark.parametrize("body", [b'{"items": []}', b'"text"', b"17", b"null"])
def test_a_list_that_is_no_list_is_a_bad_answer(hostile: Hostile, body: bytes) -> None:
    with pytest.raises(VendorResponseError):
        everything(scripted(hostile(answer(body))))


@pytest.mark.parametrize("document", [[], "text", {"name": "no id"}, {"_id": OTHER_ID, "name": "another one"}])
def test_get_integration_takes_only_the_integration_it_asked_for(hostile: Hostile, document: Any) -> None:
    server = hostile(answer(json.dumps(document).encode()))
    with pytest.raises(VendorResponseError):
        scripted(server).get_integration(ID)


@pytest.mark.parametrize("token", ["", "******", "two\r\nlines", "clé"])
def test_a_token_that_can_be_none_is_never_sent(hostile: Hostile, token: str) -> None:
    server = hostile(listed())
    with pytest.raises(VendorAuthError):
        everything(scripted(server, token))
    assert server.requests == []


# --- the account test ----------------------------------------------------------------------------------------------


def test_the_account_test_says_who_the_token_is_and_what_works(connect: Connect) -> None:
    report = CeligoClient(connect("larkspur-celigo")).test_account()
    assert [(probe.name, probe.ok) for probe in report.probes] == [
        ("who am I", True),
        ("list integrations", True),
        ("read one integration", True),
    ]
    assert report.probes[1].answer == "Yes, 36"
    assert len(report.identity) == 24
    assert "@" not in report.identity


def test_the_account_test_tells_a_refused_question_from_a_refused_token(connect: Connect) -> None:
    partial = CeligoClient(connect("kestrel-celigo")).test_account()
    assert [(probe.ok, probe.answer) for probe in partial.probes[:2]] == [(False, "Refused (403)"), (True, "Yes, 16")]
    failing = CeligoClient(connect("osmond-celigo")).test_account()
    assert [(probe.ok, probe.answer) for probe in failing.probes] == [(False, "Refused (401)")]


def test_the_account_test_takes_an_answer_without_a_user_for_a_bad_one(hostile: Hostile) -> None:
    server = hostile(answer(b'{"email": "someone@example.com"}'), listed())
    report = scripted(server).test_account()
    assert [probe.ok for probe in report.probes] == [False, True]
    assert report.identity == ""


def test_the_account_test_raises_while_the_vendor_is_away(simulator: SimulatorServer, connect: Connect) -> None:
    simulator.world.add_fault(Fault("down", "status", account="larkspur-celigo", status=503))
    with pytest.raises(VendorUnavailableError):
        CeligoClient(connect("larkspur-celigo")).test_account()


# --- what a document means -----------------------------------------------------------------------------------------


def test_the_simulated_accounts_show_every_finding_and_lifecycle(connect: Connect) -> None:
    integrations = everything(CeligoClient(connect("larkspur-celigo")))
    assert {integration.lifecycle for integration in integrations} == {
        Lifecycle.ACTIVE,
        Lifecycle.BUILDING,
        Lifecycle.INACTIVE,
    }
    assert {code for integration in integrations for code in codes(integration)} == {
        FindingCode.ERRORS,
        FindingCode.CONNECTION_OFFLINE,
        FindingCode.HALF_INSTALLED,
        FindingCode.UPDATE_IN_PROGRESS,
    }


def test_counters_become_findings() -> None:
    integration = read(numError=7, lastErrorAt="2026-03-14T04:11:09.000Z", numOfflineConnections=2)
    offline, errors = integration.findings
    assert (offline.code, offline.count) == (FindingCode.CONNECTION_OFFLINE, 2)
    assert (errors.code, errors.count, errors.detail) == (FindingCode.ERRORS, 7, "last error 2026-03-14 04:11 UTC")
    assert integration.vendor_words == "mode: settings · numError: 7 · numOfflineConnections: 2"


@pytest.mark.parametrize("value", [None, "many", -3, True, [7], {"count": 7}, 1.5])
def test_a_counter_that_is_none_claims_nothing(value: Any) -> None:
    assert read(numError=value, numOfflineConnections=value).findings == ()


def test_a_half_done_installation_names_its_next_step() -> None:
    steps = [{"name": "Connect", "completed": True}, {"name": "Choose warehouse", "completed": False}, {"name": "Copy"}]
    integration = read(mode="install", installSteps=steps)
    (finding,) = integration.findings
    assert (finding.code, finding.count, finding.detail) == (
        FindingCode.HALF_INSTALLED,
        2,
        "next step: Choose warehouse",
    )
    assert integration.lifecycle is Lifecycle.BUILDING


def test_steps_of_older_apps_and_steps_without_a_mode_count_too() -> None:
    open_step = {"name": "Store", "completed": False}
    assert codes(read(mode="install", installSteps=[], install=[open_step])) == [FindingCode.HALF_INSTALLED]
    modeless = {"_id": ID, "name": "Orders", "installSteps": [open_step]}
    assert codes(CeligoClient.read_integration(modeless, US)) == [FindingCode.HALF_INSTALLED]
    # The vendor says it is installed: what an old step says does not matter then.
    assert codes(read(mode="settings", installSteps=[open_step])) == []


def test_without_mode_and_counters_it_is_an_active_integration_with_nothing_claimed() -> None:
    integration = CeligoClient.read_integration({"_id": ID, "name": "Orders"}, US)
    assert (integration.lifecycle, integration.findings, integration.vendor_words) == (Lifecycle.ACTIVE, (), "")
    assert integration.remote_updated_at is None


def test_an_update_in_progress_is_a_finding_only_when_it_is_true() -> None:
    assert codes(read(updateInProgress=True)) == [FindingCode.UPDATE_IN_PROGRESS]
    assert codes(read(updateInProgress="yes")) == []


def test_the_app_is_guessed_from_the_installer() -> None:
    def step(**connection: Any) -> dict[str, Any]:
        return {"name": "Connect", "completed": True, "sourceConnection": connection}

    assert read(installSteps=[step(type="http", assistant="shopify")]).app == "shopify"
    assert read(installSteps=[step(type="http"), step(type="netsuite")]).app == "NetSuite"
    assert read(installSteps=[step(type="http")]).app == ""
    assert read().app == ""


def test_registered_connections_are_parts_with_the_best_name_there_is() -> None:
    integration = read(
        _registeredConnectionIds=["c1", "c2", "c3", "c3", 17],
        aliases=[{"alias": "shop", "_connectionId": "c1"}, {"alias": "******", "_connectionId": "c3"}],
        installSteps=[{"name": "Finance", "_connectionId": "c2", "sourceConnection": {"name": "Ledger"}}],
    )
    assert [(part.kind, part.remote_id, part.name) for part in integration.parts] == [
        (PartKind.CONNECTION, "c1", "shop"),
        (PartKind.CONNECTION, "c2", "Ledger"),
        (PartKind.CONNECTION, "c3", "c3"),
    ]


def test_what_a_person_may_paste_is_an_alias_and_a_mask_is_not() -> None:
    integration = read(
        _registeredConnectionIds=["c1"],
        aliases=[{"alias": "shop", "_flowId": "f1"}, {"alias": "******"}],
        flowGroupings=[{"_id": "g1", "name": "Inbound"}],
        _sourceId=OTHER_ID,
        version="******",
    )
    assert integration.aliases == ("c1", "shop", "f1", "g1")
    assert integration.version == ""


def test_the_integration_opens_at_the_vendor_in_its_own_region() -> None:
    document = {"_id": ID, "name": "Orders"}
    assert CeligoClient.read_integration(document, US).remote_url == f"https://integrator.io/integrations/{ID}/flows"
    assert CeligoClient.read_integration(document, EU).remote_url.startswith("https://eu.integrator.io/integrations/")
    simulated = CeligoClient.simulator_region("http://127.0.0.1:8100/")[0]
    assert CeligoClient.read_integration(document, simulated).remote_url == ""
    hostile = CeligoClient.read_integration({"_id": "../x?y#z", "name": "Orders"}, US)
    assert hostile.remote_url == "https://integrator.io/integrations/..%2Fx%3Fy%23z/flows"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"_id": ID},
        {"name": "Orders"},
        {"_id": 17, "name": "Orders"},
        {"_id": "", "name": "Orders"},
        {"_id": "x" * 201, "name": "Orders"},
        {"_id": "a\x00b", "name": "Orders"},
        {"_id": ID, "name": ["Orders"]},
        {"_id": ID, "name": "Orders", "installSteps": {"0": "step"}},
        {"_id": ID, "name": "Orders", "install": "step"},
    ],
)
def test_a_document_that_is_no_integration_is_refused_with_a_reason(document: dict[str, Any]) -> None:
    with pytest.raises(VendorResponseError) as refused:
        CeligoClient.read_integration(document, US)
    assert refused.value.message


def test_a_name_that_shows_as_nothing_is_replaced_by_the_id() -> None:
    assert read(name="\u202e\u200b").name == ID


# --- every field, and any document ---------------------------------------------------------------------------------


def test_no_field_is_shown_twice() -> None:
    paths = [field.path for field in CeligoClient.document_fields]
    assert len(set(paths)) == len(paths)


def test_what_may_hold_a_secret_is_declared_secret() -> None:
    secret = {field.path for field in CeligoClient.document_fields if field.is_secret}
    assert {"settings", "settingsForm", "flowGroupings[].settings", "apiGroupings[].settings"} <= secret
    assert {"installSteps[].form", "installSteps[].sourceConnection.http"} <= secret


def test_capabilities_are_the_methods_it_has_and_the_rest_is_explained() -> None:
    assert not issubclass(CeligoClient, SupportsLiveSearch | SupportsLookup)
    assert set(CeligoClient.unsupported_reasons) == {"SupportsLiveSearch", "SupportsLookup"}
    assert [field.kind for field in CeligoClient.document_fields if field.path == "_id"] == [FieldKind.CODE]


@unhurried
@given(
    document=documents(CeligoClient.document_fields, "install", "uninstall", "******", "2026-03-14T04:11:09Z"),
    has_id=st.booleans(),
)
def test_any_document_is_read_or_refused(document: dict[str, Any], has_id: bool) -> None:
    if has_id:
        document |= {"_id": ID, "name": "Orders"}
    try:
        integration = CeligoClient.read_integration(document, US)
    except VendorResponseError:
        return
    assert integration.remote_id
    assert integration.name
    assert integration.raw == document
    assert all(0 <= finding.count < 2**31 for finding in integration.findings)
    assert all(len(words) <= 300 for words in (integration.name, integration.vendor_words, integration.version))
