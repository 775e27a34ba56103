"""The pretend Celigo over real sockets, held to the contract."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from integrations_app.simulator.celigo import PretendCeligo
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from integrations_app.simulator.wire import Account
from tests.integrations_app.simulator.contract import Contract, published

LIST = "/v1/integrations"
ONE = "/v1/integrations/{_id}"
contract = Contract("celigo")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorServer]:
    with SimulatorServer(data_dir=tmp_path_factory.mktemp("celigo"), seed=7) as running:
        yield running


@pytest.fixture
def simulator(server: SimulatorServer) -> SimulatorServer:
    server.world.reset()
    return server


def add(
    simulator: SimulatorServer, size: int, name: str = "added-celigo", region: str = "", script: str = "ok"
) -> Account:
    return simulator.world.add_account(vendor="celigo", name=name, size=size, seed=3, region=region, script=script)


def call(
    simulator: SimulatorServer,
    path: str,
    account: Account | None,
    *,
    suffix: str = "",
    method: str = "GET",
    **params: Any,
) -> requests.Response:
    headers = {"Authorization": f"Bearer {account.credential['api_token']}{suffix}"} if account else {}
    address = path if path.startswith("http") else f"{simulator.url}/celigo{path}"
    return requests.request(method, address, headers=headers, params=params, timeout=10)


def follow(simulator: SimulatorServer, account: Account, **params: Any) -> list[list[dict[str, Any]]]:
    pages = []
    answer = call(simulator, LIST, account, **params)
    while True:
        contract.check("GET", LIST, answer.status_code, answer.json())
        pages.append(answer.json())
        assert len(pages) < 100, "the list does not end"
        if "next" not in answer.links:
            return pages
        answer = call(simulator, answer.links["next"]["url"], account)


# --- listing ------------------------------------------------------------------------------------------------------


def test_a_list_that_fits_has_no_link_header(simulator: SimulatorServer) -> None:
    account = add(simulator, 30)
    answer = call(simulator, LIST, account)
    assert answer.status_code == 200
    assert "Link" not in answer.headers
    assert len(answer.json()) == 30
    contract.check("GET", LIST, 200, answer.json())


def test_pages_follow_each_other_by_link_and_hold_every_integration_once(simulator: SimulatorServer) -> None:
    account = add(simulator, 30)
    pages = follow(simulator, account, limit=7)
    assert [len(page) for page in pages] == [7, 7, 7, 7, 2]
    assert len({document["_id"] for page in pages for document in page}) == 30


def test_links_are_absolute_and_keep_the_other_parameters(simulator: SimulatorServer) -> None:
    account = add(simulator, 30)
    answer = call(simulator, f"{LIST}/", account, limit=10, skip=10, exclude="readme")
    for rel, skip in (("next", "20"), ("prev", "0")):
        url = answer.links[rel]["url"]
        assert url.startswith(f"{simulator.url}/celigo/v1/integrations?")
        assert parse_qs(urlsplit(url).query) == {"exclude": ["readme"], "skip": [skip], "limit": ["10"]}


def test_links_can_carry_an_opaque_place(simulator: SimulatorServer) -> None:
    account = add(simulator, 25)
    simulator.world.turn("celigo.link_style", "after")
    answer = call(simulator, LIST, account, limit=10)
    assert "skip=" not in answer.links["next"]["url"]
    assert sum(map(len, follow(simulator, account, limit=10))) == 25


def test_the_default_page_size_is_a_switch(simulator: SimulatorServer) -> None:
    account = add(simulator, 120)
    assert len(call(simulator, LIST, account).json()) == 120
    simulator.world.turn("celigo.default_page_size", 100)
    assert len(call(simulator, LIST, account).json()) == 100


@pytest.mark.parametrize(("is_204", "status"), [(False, 200), (True, 204)])
def test_an_empty_list_is_an_empty_array_or_no_content(simulator: SimulatorServer, is_204: bool, status: int) -> None:
    account = add(simulator, 0)
    simulator.world.turn("celigo.empty_list_is_204", is_204)
    answer = call(simulator, LIST, account)
    assert (answer.status_code, answer.text) == (status, "" if is_204 else "[]")


def test_a_looping_list_hands_out_a_next_link_to_itself(simulator: SimulatorServer) -> None:
    account = add(simulator, 30)
    simulator.world.set_list_mode(account, "loop")
    answer = call(simulator, LIST, account, limit=10, skip=10)
    assert parse_qs(urlsplit(answer.links["next"]["url"]).query)["skip"] == ["10"]


@pytest.mark.parametrize("limit", ["0", "1001", "ten", "-1", "1.5"])
def test_a_limit_out_of_range_is_refused(simulator: SimulatorServer, limit: str) -> None:
    answer = call(simulator, LIST, add(simulator, 5), limit=limit)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "invalid_query_params"
    contract.check("GET", LIST, 400, answer.json())


def test_a_made_up_place_is_refused(simulator: SimulatorServer) -> None:
    assert call(simulator, LIST, add(simulator, 5), after="nonsense!").status_code == 400


def test_sandbox_tells_the_two_kinds_apart(simulator: SimulatorServer) -> None:
    account = add(simulator, 72)
    inside = call(simulator, LIST, account, sandbox="true").json()
    outside = call(simulator, LIST, account, sandbox="false").json()
    assert inside
    assert all(document["sandbox"] is True for document in inside)
    assert len(inside) + len(outside) == 72
    assert call(simulator, LIST, account, sandbox="maybe").status_code == 400


# --- projection ---------------------------------------------------------------------------------------------------


def test_include_keeps_what_is_named_and_the_id(simulator: SimulatorServer) -> None:
    documents = call(simulator, LIST, add(simulator, 30), include="name,settings.warehouse").json()
    assert all(set(document) <= {"_id", "name", "settings"} for document in documents)
    assert {tuple(document["settings"]) for document in documents if document.get("settings")} == {("warehouse",)}


def test_include_reaches_into_lists(simulator: SimulatorServer) -> None:
    documents = call(simulator, LIST, add(simulator, 30), include="aliases.alias").json()
    aliases = [alias for document in documents for alias in document.get("aliases", [])]
    assert aliases
    assert all(set(alias) == {"alias"} for alias in aliases)


def test_exclude_leaves_out_what_is_named_but_never_the_id(simulator: SimulatorServer) -> None:
    account = add(simulator, 30)
    whole, cut = (
        call(simulator, LIST, account).json(),
        call(simulator, LIST, account, exclude="_id,readme,settings.warehouse").json(),
    )
    assert any("readme" in document for document in whole)
    assert not any("readme" in document for document in cut)
    assert [document["_id"] for document in cut] == [document["_id"] for document in whole]
    assert all("warehouse" not in document.get("settings", {}) for document in cut)
    assert any("batchSize" in document.get("settings", {}) for document in cut)


@pytest.mark.parametrize(
    "params",
    [{"include": "name", "exclude": "readme"}, {"include": "na me"}, {"exclude": "settings[0]"}, {"include": "ä"}],
)
def test_a_bad_projection_is_refused(simulator: SimulatorServer, params: dict[str, str]) -> None:
    answer = call(simulator, LIST, add(simulator, 5), **params)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "invalid_query_params")


def test_an_empty_projection_is_ignored(simulator: SimulatorServer) -> None:
    account = add(simulator, 5)
    assert call(simulator, LIST, account, include="", exclude="readme").status_code == 200


def test_brackets_can_be_too_much_for_it(simulator: SimulatorServer) -> None:
    account = add(simulator, 5)
    simulator.world.turn("celigo.include_brackets_fail", True)
    answer = call(simulator, LIST, account, **{"include[]": ""})
    assert answer.status_code == 500
    contract.check_schema("ErrorEnvelope", answer.json())


# --- one integration ----------------------------------------------------------------------------------------------


def test_every_listed_integration_can_be_got_by_its_id(simulator: SimulatorServer) -> None:
    account = add(simulator, 30)
    for document in call(simulator, LIST, account).json():
        answer = call(simulator, f"{LIST}/{document['_id']}", account, include="name")
        contract.check("GET", ONE, 200, answer.json())
        assert answer.json() == document


def test_a_single_answer_can_lack_the_counters_of_the_list(simulator: SimulatorServer) -> None:
    account = add(simulator, 30)
    simulator.world.turn("celigo.single_has_counters", False)
    listed = next(document for document in call(simulator, LIST, account).json() if "numError" in document)
    assert "numError" not in call(simulator, f"{LIST}/{listed['_id']}/", account).json()


@pytest.mark.parametrize("identifier", ["66d1f0000000000000001001", "nonsense", "%2e%2e"])
def test_an_unknown_id_is_not_found(simulator: SimulatorServer, identifier: str) -> None:
    answer = call(simulator, f"{LIST}/{identifier}", add(simulator, 5))
    assert answer.status_code == 404
    contract.check("GET", ONE, 404, answer.json())


def test_another_accounts_integration_is_not_found(simulator: SimulatorServer) -> None:
    mine, theirs = add(simulator, 5), add(simulator, 5, name="other-celigo")
    identifier = call(simulator, LIST, theirs).json()[0]["_id"]
    assert call(simulator, f"{LIST}/{identifier}", mine).status_code == 404


def test_a_renamed_integration_is_served_under_its_new_name(simulator: SimulatorServer) -> None:
    account = add(simulator, 5)
    vendor = PretendCeligo(simulator.world)
    simulator.world.change_item(account, 2, vendor.renamed(account, 2, "Renamed"))
    document = call(simulator, LIST, account).json()[2]
    assert document["name"] == "Renamed"
    assert call(simulator, f"{LIST}/{document['_id']}", account).json()["name"] == "Renamed"


def test_the_same_seed_gives_the_same_world(simulator: SimulatorServer, tmp_path: Path) -> None:
    account = simulator.world.account("larkspur-celigo")
    assert account is not None
    with SimulatorServer(data_dir=tmp_path, seed=7) as twin:
        assert call(twin, LIST, account).json() == call(simulator, LIST, account).json()


# --- who is let in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer ", "Basic Zm9v", "Bearer -scoped"])
@pytest.mark.parametrize("path", [LIST, f"{LIST}/66d1f0000000000000001001", "/v1/tokenInfo"])
def test_without_a_good_token_nothing_is_told(simulator: SimulatorServer, header: str | None, path: str) -> None:
    headers = {"Authorization": header} if header else {}
    answer = requests.get(f"{simulator.url}/celigo{path}", headers=headers, timeout=10)
    assert answer.status_code == 401
    assert set(answer.json()) == {"message"}
    contract.check_schema("AuthError", answer.json())


def test_a_token_of_one_region_fails_in_the_other(simulator: SimulatorServer) -> None:
    american, european = add(simulator, 3), add(simulator, 4, name="eu-celigo", region="simulator-eu")
    assert call(simulator, LIST, american).status_code == 200
    assert call(simulator, f"/eu{LIST}", american).status_code == 401
    assert call(simulator, LIST, european).status_code == 401
    answer = call(simulator, f"/eu{LIST}", european, limit=3)
    assert answer.status_code == 200
    assert len(call(simulator, answer.links["next"]["url"], european).json()) == 1


def test_token_info_names_the_user_by_id_only(simulator: SimulatorServer) -> None:
    account = add(simulator, 3)
    answer = call(simulator, "/v1/tokenInfo", account)
    assert set(answer.json()) == {"_userId"}
    contract.check("GET", "/v1/tokenInfo", 200, answer.json())
    simulator.world.turn("celigo.token_info_has_scope", True)
    assert set(call(simulator, "/v1/tokenInfo", account).json()) == {"_userId", "scope"}


def test_a_scoped_token_sees_less_and_is_not_refused(simulator: SimulatorServer) -> None:
    account = add(simulator, 40)
    everything = {document["_id"] for document in call(simulator, LIST, account).json()}
    answer = call(simulator, LIST, account, suffix="-scoped")
    seen = {document["_id"] for document in answer.json()}
    assert answer.status_code == 200
    assert set() < seen < everything
    hidden = (everything - seen).pop()
    assert call(simulator, f"{LIST}/{hidden}", account, suffix="-scoped").status_code == 404
    assert call(simulator, f"{LIST}/{seen.pop()}", account, suffix="-scoped").status_code == 200


def test_a_failing_account_has_an_expired_token(simulator: SimulatorServer) -> None:
    account = simulator.world.account("osmond-celigo")
    assert [call(simulator, path, account).status_code for path in (LIST, "/v1/tokenInfo")] == [401, 401]


def test_a_partial_account_may_list_but_not_ask_whose_token_it_is(simulator: SimulatorServer) -> None:
    account = simulator.world.account("kestrel-celigo")
    refused = call(simulator, "/v1/tokenInfo", account)
    assert (refused.status_code, set(refused.json())) == (403, {"message"})
    contract.check("GET", "/v1/tokenInfo", 403, refused.json())
    assert call(simulator, LIST, account).status_code == 200


# --- limits and faults --------------------------------------------------------------------------------------------


def test_an_emptied_bucket_answers_429_until_time_has_passed(simulator: SimulatorServer) -> None:
    account, other = add(simulator, 3, name="limited-celigo"), add(simulator, 3, name="unlimited-celigo")
    simulator.world.turn("celigo.bucket_size", 2)
    simulator.world.turn("celigo.bucket_refill_per_second", 0.01)
    assert [call(simulator, LIST, account).status_code for _ in range(2)] == [200, 200]
    answer = call(simulator, LIST, account)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (429, "rate_limited")
    assert re.fullmatch(r"[1-9]\d*", answer.headers["Retry-After"])
    contract.check("GET", LIST, 429, answer.json())
    assert call(simulator, LIST, other).status_code == 200
    simulator.world.move_clock(seconds=int(answer.headers["Retry-After"]))
    assert call(simulator, LIST, account).status_code == 200


def test_retry_after_can_be_missing(simulator: SimulatorServer) -> None:
    account = add(simulator, 3, name="silent-celigo")
    simulator.world.turn("celigo.bucket_size", 0)
    simulator.world.turn("celigo.retry_after_is_sent", False)
    answer = call(simulator, LIST, account)
    assert answer.status_code == 429
    assert "Retry-After" not in answer.headers


def test_a_fault_can_answer_in_its_place(simulator: SimulatorServer) -> None:
    account = add(simulator, 3)
    body = json.dumps({"errors": [{"code": "rate_limited", "message": "Throttled; wait 2 s."}]})
    fault = Fault(
        "slow down", "status", account=account.name, times=1, status=429, body=body, headers={"Retry-After": "2"}
    )
    simulator.world.add_fault(fault)
    answer = call(simulator, LIST, account)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    assert call(simulator, LIST, account).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/unknown"), ("GET", "/v2/integrations"), ("PUT", LIST)])
def test_an_unknown_operation_is_not_found(simulator: SimulatorServer, method: str, path: str) -> None:
    answer = call(simulator, path, add(simulator, 3), method=method)
    assert answer.status_code == 404
    contract.check_schema("ErrorEnvelope", answer.json())


# --- what is served -----------------------------------------------------------------------------------------------


def test_an_account_shows_every_field_of_the_contract(simulator: SimulatorServer) -> None:
    documents = call(simulator, LIST, add(simulator, 48)).json()
    assert contract.fields("Integration") - {name for document in documents for name in document} == set()


def test_an_account_shows_every_step_field_the_contract_documents_for_installing(simulator: SimulatorServer) -> None:
    documents = call(simulator, LIST, add(simulator, 48)).json()
    lists = ("install", "installSteps", "uninstallSteps", "changeEditionSteps")
    seen = {name for document in documents for steps in lists for step in document.get(steps, []) for name in step}
    assert seen >= contract.fields("InstallStep") - {"url", "function"}


def test_an_account_of_two_dozen_shows_every_interesting_state(simulator: SimulatorServer) -> None:
    documents = call(simulator, LIST, add(simulator, 24)).json()
    half = [d for d in documents if d.get("mode") == "install" and any(not s["completed"] for s in d["installSteps"])]
    assert half
    assert all("_connectorId" in d and "numError" not in d for d in half)
    assert any(d.get("numError") and "lastErrorAt" in d and not d["numOfflineConnections"] for d in documents)
    assert any(d.get("numOfflineConnections") for d in documents)
    assert any(d.get("updateInProgress") for d in documents)
    assert any(d.get("mode") == "uninstall" for d in documents)
    assert any("_sourceId" in d for d in documents)
    assert any("mode" not in d for d in documents)
    assert any(d.get("numFlows") == 0 for d in documents)
    assert any(d.get("flowGroupings") and d.get("aliases") and d.get("settings") for d in documents)


# --- template archives --------------------------------------------------------------------------------------------


def plain(simulator: SimulatorServer, account: Account) -> dict[str, Any]:
    documents: list[dict[str, Any]] = call(simulator, LIST, account).json()
    return next(document for document in documents if "_connectorId" not in document)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_published_template_answer_is_served_with_its_placeholders_filled_in(
    simulator: SimulatorServer, method: str
) -> None:
    account = add(simulator, 10)
    identifier = plain(simulator, account)["_id"]
    answer = call(simulator, f"{LIST}/{identifier}/template", account, method=method)
    sample = published("celigo /integrations/{_id}/template")
    contract.check("GET", f"{ONE}/template", answer.status_code, answer.json())
    assert answer.json().keys() == sample.keys()
    assert answer.json()["key"] == sample["key"].replace("<integrationId>", identifier)
    asked = [parse_qs(urlsplit(body["signedURL"]).query).keys() for body in (answer.json(), sample)]
    assert asked[0] == asked[1]


def test_an_archive_is_a_zip_of_the_integration_without_its_counters(simulator: SimulatorServer) -> None:
    account = add(simulator, 10)
    document = plain(simulator, account)
    address = call(simulator, f"{LIST}/{document['_id']}/template", account).json()["signedURL"]
    with zipfile.ZipFile(io.BytesIO(requests.get(address, timeout=10).content)) as archive:
        content = json.loads(archive.read(f"integrations/{document['_id']}.json"))
    assert content["name"] == document["name"]
    assert "numFlows" not in content


def test_an_archives_address_is_signed_short_lived_and_takes_no_token(simulator: SimulatorServer) -> None:
    account = add(simulator, 10)
    address = call(simulator, f"{LIST}/{plain(simulator, account)['_id']}/template", account).json()["signedURL"]
    assert requests.get(address, timeout=10).status_code == 200
    assert requests.get(address[:-1] + ("0" if address[-1] != "0" else "1"), timeout=10).status_code == 403
    assert call(simulator, address, account).status_code == 400
    simulator.world.move_clock(seconds=301)
    assert requests.get(address, timeout=10).status_code == 403


def test_an_integration_app_cannot_be_downloaded(simulator: SimulatorServer) -> None:
    account = add(simulator, 24)
    app = next(document for document in call(simulator, LIST, account).json() if "_connectorId" in document)
    answer = call(simulator, f"{LIST}/{app['_id']}/template", account)
    assert answer.status_code == 422
    contract.check_schema("ErrorEnvelope", answer.json())
