"""The pretend Membrane over real sockets, held to the contract."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from integrations_app.simulator.faults import Fault
from integrations_app.simulator.membrane import PretendMembrane
from integrations_app.simulator.membrane.documents import APPS, Workspace
from integrations_app.simulator.server import SimulatorServer
from integrations_app.simulator.wire import Account
from tests.integrations_app.simulator.contract import Contract, published

LIST = "/integrations"
ONE = "/integrations/{selector}"
contract = Contract("membrane")
Claims = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorServer]:
    with SimulatorServer(data_dir=tmp_path_factory.mktemp("membrane"), seed=7) as running:
        yield running


@pytest.fixture
def simulator(server: SimulatorServer) -> SimulatorServer:
    server.world.reset()
    return server


def add(simulator: SimulatorServer, size: int, name: str = "added-membrane") -> Account:
    return simulator.world.add_account(vendor="membrane", name=name, size=size, seed=3)


def signed(claims: Claims, secret: str, algorithm: str = "HS512") -> str:
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": algorithm, "typ": "JWT"}, claims)
    ]
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[algorithm]
    signature = hmac.new(secret.encode(), b".".join(parts), digest).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def claims_of(simulator: SimulatorServer, account: Account, **more: Any) -> Claims:
    return {
        "workspaceKey": account.credential["workspace_key"],
        "tenantKey": account.binding["tenant_key"],
        "exp": int(simulator.world.timestamp()) + 7200,
        **more,
    }


def admin_claims(simulator: SimulatorServer, account: Account) -> Claims:
    claims = claims_of(simulator, account, isAdmin=True)
    del claims["tenantKey"]
    return claims


def send(
    simulator: SimulatorServer, path: str, token: str | None, method: str = "GET", **params: Any
) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return requests.request(method, f"{simulator.url}/membrane{path}", headers=headers, params=params, timeout=10)


def call(simulator: SimulatorServer, path: str, account: Account, **params: Any) -> requests.Response:
    token = signed(claims_of(simulator, account), account.credential["workspace_secret"])
    return send(simulator, path, token, **params)


def items(simulator: SimulatorServer, account: Account, **params: Any) -> list[dict[str, Any]]:
    answer = call(simulator, LIST, account, **params)
    assert answer.status_code == 200, answer.text
    contract.check("GET", LIST, 200, answer.json())
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def follow(
    simulator: SimulatorServer, account: Account, cursor: str = "0", **params: Any
) -> list[list[dict[str, Any]]]:
    pages = []
    while cursor:
        answer = call(simulator, LIST, account, cursor=cursor, **params).json()
        contract.check("GET", LIST, 200, answer)
        pages.append(answer["items"])
        assert len(pages) < 100, "the list does not end"
        cursor = answer.get("cursor", "")
    return pages


# --- listing ------------------------------------------------------------------------------------------------------


def test_a_list_that_fits_has_no_cursor(simulator: SimulatorServer) -> None:
    answer = call(simulator, LIST, add(simulator, 20)).json()
    contract.check("GET", LIST, 200, answer)
    assert "cursor" not in answer


@pytest.mark.parametrize("style", ["offset", "opaque"])
def test_pages_follow_each_other_by_cursor_and_hold_every_integration_once(
    simulator: SimulatorServer, style: str
) -> None:
    account = add(simulator, 40)
    simulator.world.turn("membrane.cursor_style", style)
    pages = follow(simulator, account, limit=7, includeArchived="true")
    assert [len(page) for page in pages] == [7, 7, 7, 7, 7, 5]
    assert len({item["id"] for page in pages for item in page}) == 40


def test_cursor_zero_is_the_first_page(simulator: SimulatorServer) -> None:
    account = add(simulator, 20)
    first = call(simulator, LIST, account, limit=1000).json()
    assert call(simulator, LIST, account, limit=1000, cursor="0").json() == first
    assert call(simulator, LIST, account, limit=1000, cursor="").json() == first


@pytest.mark.parametrize("style", ["offset", "opaque"])
@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "bWVtYnJhbmU", "%00"])
def test_a_malformed_cursor_is_refused_or_ignored(simulator: SimulatorServer, style: str, cursor: str) -> None:
    account = add(simulator, 5)
    simulator.world.turn("membrane.cursor_style", style)
    answer = call(simulator, LIST, account, cursor=cursor)
    assert (answer.status_code, answer.json()["type"]) == (400, "bad_request")
    contract.check("GET", LIST, 400, answer.json())
    simulator.world.turn("membrane.bad_cursor", "first_page")
    assert call(simulator, LIST, account, cursor=cursor).status_code == 200


def test_the_last_pages_cursor_can_be_null_or_empty(simulator: SimulatorServer) -> None:
    account = add(simulator, 5)
    for value, cursor in (("null", None), ("empty", "")):
        simulator.world.turn("membrane.last_cursor", value)
        assert call(simulator, LIST, account).json()["cursor"] == cursor


@pytest.mark.parametrize("limit", ["0", "1001", "1.5", "abc", "", "-3", "NaN", "1_0"])
def test_a_limit_out_of_range_is_refused(simulator: SimulatorServer, limit: str) -> None:
    answer = call(simulator, f"{LIST}?limit={limit}", add(simulator, 5))
    assert answer.status_code == 400
    assert answer.json()["data"] == {"parameter": "limit", "received": limit}
    contract.check("GET", LIST, 400, answer.json())


@pytest.mark.parametrize(("limit", "count"), [("1", 1), ("1000", 150), (" 7 ", 7), ("1e2", 100), ("12.0", 12)])
def test_a_limit_in_range_is_read_as_javascript_reads_numbers(
    simulator: SimulatorServer, limit: str, count: int
) -> None:
    assert len(items(simulator, add(simulator, 150), limit=limit, includeArchived=1)) == count


def test_the_default_page_size_is_a_switch(simulator: SimulatorServer) -> None:
    account = add(simulator, 150)
    assert len(items(simulator, account, includeArchived=1)) == 100
    simulator.world.turn("membrane.default_page_size", 25)
    assert len(items(simulator, account, includeArchived=1)) == 25


def test_the_order_is_a_switch(simulator: SimulatorServer) -> None:
    account = add(simulator, 30)
    oldest = [item["id"] for page in follow(simulator, account, limit=8) for item in page]
    simulator.world.turn("membrane.order", "newest")
    assert [item["id"] for page in follow(simulator, account, limit=8) for item in page] == oldest[::-1]


def test_a_looping_list_hands_out_the_same_cursor_again(simulator: SimulatorServer) -> None:
    account = add(simulator, 30)
    simulator.world.set_list_mode(account, "loop")
    assert call(simulator, LIST, account, limit=10, cursor="10").json()["cursor"] == "10"


def test_unknown_query_keys_are_dropped(simulator: SimulatorServer) -> None:
    account = add(simulator, 10)
    assert items(simulator, account, sort="name", page="4") == items(simulator, account)


# --- filters ------------------------------------------------------------------------------------------------------


def test_search_finds_part_of_a_name_or_key_in_any_case(simulator: SimulatorServer) -> None:
    account = add(simulator, 60)
    found = items(simulator, account, search="TUNDRA C")
    assert found
    assert {item["name"].partition(" CRM")[0] for item in found} == {"Tundra"}
    assert items(simulator, account, search="tundra-crm") == found
    assert items(simulator, account, search="no-such-app") == []


def test_search_finds_a_new_name_and_the_key_stays(simulator: SimulatorServer) -> None:
    account = add(simulator, 10)
    before = call(simulator, LIST, account, includeArchived=1).json()["items"][2]
    vendor = PretendMembrane(simulator.world)
    simulator.world.change_item(account, 2, vendor.renamed(account, 2, "Ärzte-Portal"))
    (found,) = items(simulator, account, search="ärzte-P", includeArchived=1)
    assert (found["key"], found["id"]) == (before.get("key"), before["id"])
    assert found.get("revision") != before.get("revision")


def test_connector_id_and_app_uuid_pick_the_integrations_of_one_app(simulator: SimulatorServer) -> None:
    account = add(simulator, 100)
    everything = items(simulator, account, limit=1000)
    workspace = Workspace(account.salt)
    for app in range(len(APPS)):
        same = [item for item in everything if item["connectorId"] == workspace.connector_id(app)]
        assert same
        assert items(simulator, account, connectorId=workspace.connector_id(app)) == same
        assert items(simulator, account, appUuid=workspace.app_uuid(app)) == same
    assert items(simulator, account, connectorId="none") == items(simulator, account, appUuid="none") == []


@pytest.mark.parametrize(
    ("text", "is_included"),
    [
        ("true", True),
        ("TRUE", True),
        ("1", True),
        ("no", True),
        ("null", True),
        ("false", False),
        ("False", False),
        ("0", False),
        ("", False),
    ],
)
def test_include_archived_takes_any_text_but_false_0_and_nothing_for_true(
    simulator: SimulatorServer, text: str, is_included: bool
) -> None:
    found = call(simulator, f"{LIST}?includeArchived={text}", add(simulator, 50)).json()["items"]
    assert any("archivedAt" in item for item in found) is is_included


def test_archived_integrations_are_left_out_of_a_plain_list(simulator: SimulatorServer) -> None:
    account = add(simulator, 50)
    plain, whole = items(simulator, account), items(simulator, account, includeArchived="true")
    assert len(whole) == 50
    assert plain == [item for item in whole if "archivedAt" not in item]
    assert len(plain) < 50


# --- generated candidates -----------------------------------------------------------------------------------------


def candidates(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in found if "id" not in item]


def test_candidates_are_generated_from_the_sources_asked_for_and_lack_id_and_key(simulator: SimulatorServer) -> None:
    account = add(simulator, 30)
    assert candidates(items(simulator, account, search="parcel")) == []
    from_connectors = candidates(items(simulator, account, search="parcel", connectors=1, externalApps=0))
    from_apps = candidates(items(simulator, account, search="parcel", externalApps=1))
    from_web = candidates(items(simulator, account, search="parcel", websearch=1))
    assert from_connectors
    assert all("connectorId" in item for item in from_connectors)
    assert from_apps
    assert all("externalAppId" in item and "connectorId" not in item for item in from_apps)
    assert [set(item) for item in from_web] == [{"name", "appUri"}]
    assert not any("key" in item or "uuid" in item for item in from_connectors + from_apps + from_web)


def test_candidates_follow_the_stored_ones_through_the_pages(simulator: SimulatorServer) -> None:
    account = add(simulator, 5)
    whole = items(simulator, account, connectors=1, externalApps=1, includeArchived=1)
    pages = follow(simulator, account, connectors=1, externalApps=1, includeArchived=1, limit=2)
    assert [item for page in pages for item in page] == whole
    assert ["id" in item for item in whole] == [True] * 5 + [False] * 8


def test_the_web_is_searched_for_something_only(simulator: SimulatorServer) -> None:
    assert candidates(items(simulator, add(simulator, 5), websearch=1)) == []


@pytest.mark.parametrize("name", ["connectors", "externalApps", "websearch", "all"])
def test_an_override_that_is_no_number_is_refused(simulator: SimulatorServer, name: str) -> None:
    answer = call(simulator, LIST, add(simulator, 5), **{name: "yes"})
    assert (answer.status_code, answer.json()["data"]["parameter"]) == (400, name)


def test_what_all_means_is_a_switch(simulator: SimulatorServer) -> None:
    account = add(simulator, 50)
    plain = items(simulator, account)
    assert len(candidates(items(simulator, account, all=1))) == 8
    simulator.world.turn("membrane.all_means", "archived")
    assert len(items(simulator, account, all=1)) == 50
    simulator.world.turn("membrane.all_means", "nothing")
    assert items(simulator, account, all=1) == plain


def test_a_search_can_bring_candidates_by_itself(simulator: SimulatorServer) -> None:
    account = add(simulator, 5)
    simulator.world.turn("membrane.candidates_by_default", "with_search")
    assert candidates(items(simulator, account, search="parcel"))
    assert not candidates(items(simulator, account, search="parcel", connectors=0, externalApps=0, websearch=0))
    assert not candidates(items(simulator, account))


# --- one integration ----------------------------------------------------------------------------------------------


def test_every_listed_integration_can_be_got_by_id_key_and_uuid(simulator: SimulatorServer) -> None:
    account = add(simulator, 60)
    for item in items(simulator, account, includeArchived="true"):
        for selector in (item["id"], item["key"], item["uuid"]):
            answer = call(simulator, f"{LIST}/{selector}", account)
            contract.check("GET", ONE, answer.status_code, answer.json())
            assert answer.json() == item


def test_a_key_given_later_is_found_even_with_a_slash_in_it(simulator: SimulatorServer) -> None:
    account = add(simulator, 10)
    simulator.world.change_item(account, 6, {"key": "team/one"})
    assert call(simulator, f"{LIST}/team%2Fone", account).json()["key"] == "team/one"
    assert call(simulator, f"{LIST}/team/one", account).status_code == 404


def test_an_unknown_or_removed_integration_is_not_found(simulator: SimulatorServer) -> None:
    account = add(simulator, 10)
    removed = items(simulator, account, includeArchived=1)[7]
    simulator.world.remove_item(account, 7)
    stranger = items(simulator, add(simulator, 10, name="other-membrane"))[0]
    for selector in ("nope", removed["id"], removed["key"], removed["uuid"], stranger["id"], "shopify-99", "0" * 24):
        answer = call(simulator, f"{LIST}/{selector}", account)
        assert (answer.status_code, answer.json()["key"]) == (404, "not_found")
        contract.check("GET", ONE, 404, answer.json())


def test_secrets_are_told_only_when_asked_for(simulator: SimulatorServer) -> None:
    account = add(simulator, 10)
    item = next(item for item in items(simulator, account) if item.get("parameters", {}).get("scopes"))
    assert "clientSecret" not in item["parameters"]
    told = call(simulator, f"{LIST}/{item['id']}", account, includeSecrets="true").json()
    assert told["parameters"]["clientSecret"].startswith("fake-")
    simulator.world.turn("membrane.parameters_hold_secrets", True)
    assert call(simulator, f"{LIST}/{item['id']}", account).json() == told


def test_the_same_seed_gives_the_same_world(simulator: SimulatorServer, tmp_path: Path) -> None:
    account = simulator.world.account("nordhavn-membrane")
    assert account is not None
    with SimulatorServer(data_dir=tmp_path, seed=7) as twin:
        assert items(twin, account) == items(simulator, account)


# --- who is let in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
@pytest.mark.parametrize("workspace_claim", ["workspaceKey", "iss"])
@pytest.mark.parametrize("tenant_claim", ["tenantKey", "id"])
def test_every_generation_of_tenant_tokens_opens_the_same_tenant(
    simulator: SimulatorServer, algorithm: str, workspace_claim: str, tenant_claim: str
) -> None:
    account = add(simulator, 10)
    claims = {
        workspace_claim: account.credential["workspace_key"],
        tenant_claim: account.binding["tenant_key"],
        "exp": int(simulator.world.timestamp()) + 60,
    }
    answer = send(simulator, LIST, signed(claims, account.credential["workspace_secret"], algorithm))
    assert answer.json()["items"] == items(simulator, account)


def bad_tokens(simulator: SimulatorServer, account: Account) -> dict[str, str | None]:
    claims, secret = claims_of(simulator, account), account.credential["workspace_secret"]
    good = signed(claims, secret)
    head, payload, signature = good.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    other = base64.urlsafe_b64encode(json.dumps({**claims, "tenantKey": "other"}).encode()).rstrip(b"=").decode()
    return {
        "no header at all": None,
        "nothing": "",
        "no token": "nonsense",
        "other secret": signed(claims, "wrong secret"),
        "other workspace": signed({**claims, "workspaceKey": "unknown"}, secret),
        "no workspace": signed({"tenantKey": claims["tenantKey"]}, secret),
        "expired": signed({**claims, "exp": int(simulator.world.timestamp()) - 1}, secret),
        "expiry in words": signed({**claims, "exp": "tomorrow"}, secret),
        "unaccepted algorithm": signed(claims, secret, "HS384"),
        "no algorithm": f"{none}.{payload}.",
        "changed payload": f"{head}.{other}.{signature}",
        "cut signature": f"{head}.{payload}.{signature[:-4]}",
        "personal token of nobody": "pat-simulated-unknown",
        "tenant is no text": signed({**claims, "tenantKey": 7}, secret),
    }


def test_without_a_good_token_nothing_is_told(simulator: SimulatorServer) -> None:
    account = add(simulator, 5)
    for name, token in bad_tokens(simulator, account).items():
        for path in (LIST, f"{LIST}/brightdesk"):
            answer = send(simulator, path, token)
            assert (answer.status_code, answer.json()["key"]) == (401, "not_authenticated"), name
            contract.check("GET", ONE if path != LIST else LIST, 401, answer.json())


def test_a_token_expires_by_the_worlds_clock(simulator: SimulatorServer) -> None:
    account = add(simulator, 5)
    token = signed(claims_of(simulator, account), account.credential["workspace_secret"])
    assert send(simulator, LIST, token).status_code == 200
    simulator.world.move_clock(seconds=7201)
    assert send(simulator, LIST, token).status_code == 401


def test_a_token_without_expiry_does_not_expire(simulator: SimulatorServer) -> None:
    account = add(simulator, 5)
    claims = claims_of(simulator, account)
    del claims["exp"]
    simulator.world.move_clock(seconds=10**8)
    assert send(simulator, LIST, signed(claims, account.credential["workspace_secret"])).status_code == 200


def test_one_workspace_secret_opens_every_tenant_but_shows_each_its_own(simulator: SimulatorServer) -> None:
    one, other = simulator.world.account("kestrel-membrane"), simulator.world.account("nordhavn-membrane")
    assert one is not None
    assert other is not None
    assert one.credential == other.credential
    assert {item["id"] for item in items(simulator, one)}.isdisjoint(item["id"] for item in items(simulator, other))


def test_a_token_of_the_workspace_sees_no_connections(simulator: SimulatorServer) -> None:
    account = add(simulator, 5)
    secret = account.credential["workspace_secret"]
    personal = f"pat-simulated-{account.credential['workspace_key']}"
    for token in (signed(admin_claims(simulator, account), secret), personal):
        found = send(simulator, LIST, token).json()["items"]
        assert found
        assert not any("connection" in item or "isConnected" in item for item in found)


def test_a_tenant_never_seen_is_new_and_connected_to_nothing_or_refused(simulator: SimulatorServer) -> None:
    account = add(simulator, 5)
    token = signed(claims_of(simulator, account, tenantKey="brand-new"), account.credential["workspace_secret"])
    found = send(simulator, LIST, token).json()["items"]
    assert found
    assert not any("connection" in item for item in found)
    simulator.world.turn("membrane.unknown_tenant", "refused")
    assert send(simulator, LIST, token).status_code == 401


@pytest.mark.parametrize(("is_admin", "status"), [(True, 200), ("true", 200), (False, 403), ("false", 403), (1, 403)])
def test_reads_can_need_an_admin_token(simulator: SimulatorServer, is_admin: Any, status: int) -> None:
    account = add(simulator, 5)
    simulator.world.turn("membrane.reads_need_admin", True)
    token = signed(claims_of(simulator, account, isAdmin=is_admin), account.credential["workspace_secret"])
    answer = send(simulator, LIST, token)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["key"] == "access_denied"
    contract.check("GET", LIST, status, answer.json())


# --- limits and faults --------------------------------------------------------------------------------------------


def test_a_rolling_minute_answers_429_without_retry_after(simulator: SimulatorServer) -> None:
    account = add(simulator, 5)
    simulator.world.turn("membrane.requests_per_minute", 2)
    # Whatever other tests asked of the workspace lies more than a minute back.
    simulator.world.move_clock(seconds=3600)
    assert [call(simulator, LIST, account).status_code for _ in range(2)] == [200, 200]
    answer = call(simulator, LIST, account)
    assert (answer.status_code, answer.json()["key"]) == (429, "rate_limit_exceeded")
    assert "Retry-After" not in answer.headers
    contract.check("GET", LIST, 429, answer.json())
    simulator.world.turn("membrane.retry_after_is_sent", True)
    wait = int(call(simulator, LIST, account).headers["Retry-After"])
    simulator.world.move_clock(seconds=wait)
    assert call(simulator, LIST, account).status_code == 200


def test_a_fault_can_answer_with_an_internal_error(simulator: SimulatorServer) -> None:
    account = add(simulator, 5)
    body = {"type": "internal", "message": "Unexpected error", "data": {"errorId": "err_4f2a90"}}
    simulator.world.add_fault(
        Fault("broken", "status", account=account.name, times=1, status=500, body=json.dumps(body))
    )
    answer = call(simulator, LIST, account)
    assert answer.status_code == 500
    contract.check("GET", LIST, 500, answer.json())
    assert call(simulator, LIST, account).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/unknown"), ("DELETE", LIST), ("GET", "/integrations/a/b")])
def test_an_unknown_operation_is_not_found(simulator: SimulatorServer, method: str, path: str) -> None:
    account = add(simulator, 5)
    token = signed(claims_of(simulator, account), account.credential["workspace_secret"])
    answer = send(simulator, path, token, method=method)
    assert (answer.status_code, answer.json()["key"]) == (404, "not_found")


# --- what is served -----------------------------------------------------------------------------------------------


def filled_in(sample: Any, served: Any, where: str = "") -> None:
    """Fail unless `served` has every field of the sample, its values kept where they are no placeholders."""
    if isinstance(sample, dict):
        assert set(sample) <= set(served), where
        for name, value in sample.items():
            filled_in(value, served[name], f"{where}.{name}")
    elif isinstance(sample, list):
        assert len(sample) == len(served), where
        for expected, item in zip(sample, served, strict=True):
            filled_in(expected, item, where)
    elif sample == "<string>":
        assert isinstance(served, str), where
        assert not served.startswith("<"), where
    elif sample != "<unknown>":
        assert served == sample, where


def test_the_published_sample_is_served_with_its_placeholders_filled_in(simulator: SimulatorServer) -> None:
    account = add(simulator, 10)
    (sample,) = published("membrane GET /integrations (every field, placeholders)")["items"]
    served = next(
        item for item in items(simulator, account, includeArchived=1) if set(sample) <= set(item) and item["isTest"]
    )
    filled_in(sample, served)
    assert set(served) - set(sample) == {"isConnected"}
    assert set(served["connection"]) == set(sample["connection"])


def test_an_account_shows_every_field_of_item_and_connection(simulator: SimulatorServer) -> None:
    found = items(simulator, add(simulator, 60), includeArchived=1)
    connections = [item["connection"] for item in found if "connection" in item]
    assert contract.fields("IntegrationListItem") - {name for item in found for name in item} == set()
    assert contract.fields("ConnectionSummary") - {name for each in connections for name in each} == set()
    actions = [each["clientAction"] for each in connections if "clientAction" in each]
    assert contract.fields("ConnectionClientAction") - {name for action in actions for name in action} == set()


def test_newer_and_larger_fields_can_be_left_out(simulator: SimulatorServer) -> None:
    account = add(simulator, 10)
    simulator.world.turn("membrane.is_connected_is_sent", False)
    simulator.world.turn("membrane.spec", "absent")
    assert not any({"isConnected", "spec"} & set(item) for item in items(simulator, account))


def test_an_account_of_thirty_shows_every_interesting_state_of_an_integration(simulator: SimulatorServer) -> None:
    found = items(simulator, add(simulator, 30), includeArchived=1)
    states = {item.get("state") for item in found}
    assert states == {
        "READY", "BUILDING", "SETUP_FAILED", "CONFIGURATION_ERROR", "CLIENT_ACTION_REQUIRED", "DISCONNECTING", None,
    }  # fmt: skip
    assert any(item.get("hasMissingParameters") and item["state"] == "READY" for item in found)
    assert any(item.get("hasMissingParameters") and item["state"] == "CONFIGURATION_ERROR" for item in found)
    assert all(item["errors"] for item in found if item.get("state") in ("SETUP_FAILED", "CONFIGURATION_ERROR"))
    for mark in ("isDeactivated", "isReadOnly", "isTest", "archivedAt", "isConnected"):
        assert any(item.get(mark) for item in found), mark


def test_connections_show_every_way_of_failing(simulator: SimulatorServer) -> None:
    found = [item["connection"] for item in items(simulator, add(simulator, 60)) if "connection" in item]
    assert any(each["isDefunct"] and "nextRetryTimestamp" not in each for each in found)
    assert any(each["isDefunct"] and "nextRetryTimestamp" in each for each in found)
    assert any(not each["isDefunct"] and each["retryAttempts"] and "nextRetryTimestamp" in each for each in found)
    assert {each["clientAction"]["type"] for each in found if "clientAction" in each} == {"connect", "provide-input"}
    assert all(("clientAction" in each) == (each["state"] == "CLIENT_ACTION_REQUIRED") for each in found)
    assert any(each["state"] == "BUILDING" and each["buildingAgentSessionId"] for each in found)
    assert any(each["state"] == "SETUP_FAILED" and each["errors"] for each in found)
    assert any(each.get("requestError", {}).get("key") == "rate_limit_exceeded" for each in found)
    assert all(each["connected"] is not each["disconnected"] for each in found)
    assert all(each["connected"] is False for each in found if each["isDefunct"])
