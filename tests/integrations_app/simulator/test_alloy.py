"""The pretend Alloy over its socket: both generations, both selectors, each documented error."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.integrations_app.simulator.conftest import Caller
from tests.integrations_app.simulator.contract import Contract, published

contract = Contract("alloy")
ACCOUNT = "brightwater-alloy"


def test_list_in_the_current_generation_agrees_with_the_contract(caller: Caller) -> None:
    caller.control("switches", {"alloy.omit_active": False})

    answer = caller.alloy(ACCOUNT)

    assert answer.status_code == 200
    contract.check("GET", "/integrations", 200, answer.json())
    items = answer.json()["data"]
    assert len(items) == caller.accounts()[ACCOUNT]["integrations"]
    assert all("connectors" in workflow for item in items for workflow in item["workflows"])


@pytest.mark.parametrize("version", ["2023-01", "2023-06", "2023-12", "2024-03"])
def test_list_in_every_legacy_version_has_blocks(caller: Caller, version: str) -> None:
    caller.control("switches", {"alloy.omit_active": False})

    answer = caller.alloy(ACCOUNT, version=version)

    contract.check("GET", "/integrations", 200, answer.json())
    for item in answer.json()["data"]:
        assert item.keys() == {"integrationId", "app", "installed", "icon", "workflows"}
        assert all("blocks" in workflow and "connectors" not in workflow for workflow in item["workflows"])


def test_both_generations_tell_of_the_same_integrations(caller: Caller) -> None:
    current = caller.alloy(ACCOUNT).json()["data"]
    legacy = caller.alloy(ACCOUNT, version="2024-03").json()["data"]

    assert [each["integrationId"] for each in current] == [each["integrationId"] for each in legacy]


def test_end_users_of_one_key_share_the_catalogue_but_not_the_install_state(caller: Caller) -> None:
    one = caller.alloy("brightwater-alloy", version="2024-03").json()["data"][:12]
    other = caller.alloy("tamarind-alloy", version="2024-03").json()["data"][:12]

    assert [each["integrationId"] for each in one] == [each["integrationId"] for each in other]
    assert [each["workflows"] for each in one] != [each["workflows"] for each in other]


def test_published_samples_are_served_to_the_letter(caller: Caller) -> None:
    legacy = caller.alloy(ACCOUNT, version="2024-03").json()["data"]
    for sample in published("alloy GET /integrations (blocks)")["data"]:
        assert sample in legacy

    sample = published("alloy GET /integrations/{integrationId} (connectors)")
    assert caller.alloy(ACCOUNT, f"/{sample['data']['integrationId']}").json() == sample


def test_every_interesting_state_is_there(caller: Caller) -> None:
    workflows = [each for item in caller.alloy(ACCOUNT).json()["data"] for each in item["workflows"]]

    assert any(each["installed"] and each["installedVersion"] < each["version"] for each in workflows)
    assert any(each["installed"] and each.get("active") is False for each in workflows)
    assert sum("active" not in each for each in workflows) == 1
    assert all("installedVersion" not in each for each in workflows if not each["installed"])
    assert any(not item["workflows"] for item in caller.alloy(ACCOUNT).json()["data"])


@pytest.mark.parametrize("version", ["", "2024-03"])
def test_get_by_id_and_by_percent_encoded_name(caller: Caller, version: str) -> None:
    listed = caller.alloy(ACCOUNT, version="2024-03").json()["data"]
    for item in (listed[3], listed[11]):
        by_id = caller.alloy(ACCOUNT, f"/{item['integrationId']}", version)
        by_name = caller.alloy(ACCOUNT, f"/{quote(item['app'], safe='')}", version)

        contract.check("GET", "/integrations/{integrationId}", 200, by_id.json())
        assert by_id.json() == by_name.json()
        assert by_id.json()["data"]["app"] == item["app"]
        assert ("credentials" in by_id.json()["data"]) == (version == "")


def test_a_name_with_a_slash_in_it_is_one_segment(caller: Caller) -> None:
    caller.control(f"accounts/{ACCOUNT}/rename", {"item": 4, "name": "Orders / Returns 100%"})

    found = caller.alloy(ACCOUNT, "/Orders%20%2F%20Returns%20100%25").json()["data"]

    assert found["app"] == "Orders / Returns 100%"


def test_user_may_be_named_by_username(caller: Caller) -> None:
    by_name = caller.alloy(ACCOUNT, params={"userId": f"{ACCOUNT}@brightwater.example"})

    assert by_name.json() == caller.alloy(ACCOUNT).json()


def test_trailing_slash_and_any_case_of_the_scheme_are_accepted(caller: Caller) -> None:
    known = caller.accounts()[ACCOUNT]
    for scheme in ("bearer", "Bearer", "BEARER"):
        answer = caller.get(
            "/alloy/integrations/",
            headers={"Authorization": f"{scheme} {known['credential']['api_key']}", "x-api-version": "2025-09"},
            params={"userId": known["binding"]["end_user_id"]},
        )
        assert answer.status_code == 200


@pytest.mark.parametrize("authorization", ["", "bearer wrong", "Basic {key}", "{key}", "bearer"])
def test_a_wrong_key_is_401(caller: Caller, authorization: str) -> None:
    key = caller.accounts()[ACCOUNT]["credential"]["api_key"]

    answer = caller.get(
        "/alloy/integrations?userId=x",
        headers={"Authorization": authorization.format(key=key), "x-api-version": "2025-09"},
    )

    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
    contract.check("GET", "/integrations", 401, answer.json())


def test_a_bare_key_is_let_in_when_the_switch_says_so(caller: Caller) -> None:
    caller.control("switches", {"alloy.bare_key": True})
    known = caller.accounts()[ACCOUNT]

    answer = caller.get(
        "/alloy/2024-03/integrations",
        headers={"Authorization": known["credential"]["api_key"]},
        params={"userId": known["binding"]["end_user_id"]},
    )

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "text"),
    [("object", "{}"), ("string", '"{}"'), ("message", '{"message": "userId is required"}'), ("none", "")],
)
def test_missing_user_is_400_with_the_body_of_the_switch(caller: Caller, body: str, text: str) -> None:
    caller.control("switches", {"alloy.bad_request_body": body})

    answer = caller.alloy(ACCOUNT, params={"userId": ""})

    assert (answer.status_code, answer.text) == (400, text)


@pytest.mark.parametrize("status", [400, 404])
def test_unknown_user_and_integration_answer_as_the_switch_says(caller: Caller, status: int) -> None:
    caller.control("switches", {"alloy.unknown_status": status})

    assert caller.alloy(ACCOUNT, params={"userId": "nobody"}).status_code == status
    assert caller.alloy(ACCOUNT, "/ffffffffffffffffffffffff").status_code == status


@pytest.mark.parametrize(("switch", "status"), [("refuse", 400), ("legacy", 200)])
def test_a_missing_version_header_is_refused_or_read_as_legacy(caller: Caller, switch: str, status: int) -> None:
    caller.control("switches", {"alloy.missing_version": switch})
    known = caller.accounts()[ACCOUNT]

    answer = caller.get(
        "/alloy/integrations",
        headers={"Authorization": f"bearer {known['credential']['api_key']}"},
        params={"userId": known["binding"]["end_user_id"]},
    )

    assert answer.status_code == status
    assert ('"blocks"' in answer.text) == (status == 200)


@pytest.mark.parametrize(("switch", "with_app"), [("always", {True}), ("never", {False}), ("mixed", {True, False})])
def test_list_items_with_and_without_app(caller: Caller, switch: str, with_app: set[bool]) -> None:
    caller.control("switches", {"alloy.list_app": switch})

    assert {"app" in item for item in caller.alloy(ACCOUNT).json()["data"]} == with_app


def test_installed_version_may_be_sent_always(caller: Caller) -> None:
    caller.control("switches", {"alloy.installed_version": "always"})

    workflows = [each for item in caller.alloy(ACCOUNT).json()["data"] for each in item["workflows"]]

    assert all("installedVersion" in each for each in workflows)


def test_scripted_account_is_down(caller: Caller) -> None:
    assert caller.accounts()["pallas-alloy"]["script"] == "down"
    assert caller.alloy("pallas-alloy", version="2024-03").status_code == 503


def test_unknown_paths_and_writes_are_404(caller: Caller) -> None:
    known = caller.accounts()[ACCOUNT]
    headers = {"Authorization": f"bearer {known['credential']['api_key']}", "x-api-version": "2025-09"}

    assert caller.get("/alloy/nothing", headers=headers).status_code == 404
    assert caller.request("POST", "/alloy/integrations", headers=headers).status_code == 404
    assert caller.get("/alloy/2022-01/integrations", headers=headers).status_code == 404


def test_a_list_without_end_streams_until_the_client_hangs_up(caller: Caller) -> None:
    caller.control(f"accounts/{ACCOUNT}/list", {"mode": "endless"})

    with caller.alloy(ACCOUNT, stream=True) as answer:
        received = sum(len(part) for _, part in zip(range(40), answer.iter_content(65536), strict=False))

    assert received > 1_000_000
