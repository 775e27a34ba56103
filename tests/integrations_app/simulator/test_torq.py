"""The pretend Torq over its socket: token, list, filter, expiry, webhooks, each documented error."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests

from tests.integrations_app.simulator.conftest import Caller
from tests.integrations_app.simulator.contract import Contract, published

contract = Contract("torq")
ACCOUNT = "kestrel-torq"
LIST = "/v1alpha/integrations"


def token_of(caller: Caller, account: str = ACCOUNT) -> str:
    token: str = caller.torq_token(account).json()["access_token"]
    return token


@pytest.fixture
def token(caller: Caller) -> str:
    return token_of(caller)


def pages(caller: Caller, token: str) -> Iterator[dict[str, object]]:
    answer = caller.torq(token).json()
    yield answer
    while answer.get("next_page_token"):
        answer = caller.torq(token, page_token=answer["next_page_token"]).json()
        yield answer


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_a_token_is_given_for_basic_credentials(caller: Caller) -> None:
    answer = caller.torq_token(ACCOUNT)

    assert answer.status_code == 200
    contract.check("POST", "/v1/auth/token", 200, answer.json())
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.json()["access_token"])
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"


@pytest.mark.parametrize(("grant", "error"), [("password", "unsupported_grant_type"), ("", "invalid_request")])
def test_another_grant_is_refused(caller: Caller, grant: str, error: str) -> None:
    answer = caller.torq_token(ACCOUNT, grant)

    contract.check("POST", "/v1/auth/token", 400, answer.json())
    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize("authorization", ["", "Basic !!", "Basic eDp5", "Bearer x"])
def test_wrong_credentials_are_refused(caller: Caller, authorization: str) -> None:
    answer = caller.request(
        "POST",
        "/torq/auth/v1/auth/token",
        headers={"Authorization": authorization},
        data={"grant_type": "client_credentials"},
    )

    contract.check("POST", "/v1/auth/token", 401, answer.json())
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_scripted_account_has_its_secret_refused(caller: Caller) -> None:
    assert caller.accounts()["pallas-torq"]["script"] == "failing"
    assert caller.torq_token("pallas-torq").json()["error"] == "invalid_client"


def test_a_token_ends_after_an_hour_of_the_movable_clock(caller: Caller, token: str) -> None:
    caller.control("clock", {"advance_seconds": 3590})
    assert caller.torq(token).status_code == 200

    caller.control("clock", {"advance_seconds": 20})
    answer = caller.torq(token)

    assert answer.status_code == 401
    contract.check("GET", LIST, 401, answer.json())
    assert answer.json() == {"code": 16, "message": "invalid bearer token", "details": []}
    assert caller.torq(token_of(caller)).status_code == 200


@pytest.mark.parametrize(("switch", "status"), [(False, 200), (True, 401)])
def test_a_new_token_ends_the_old_when_the_switch_says_so(
    caller: Caller, token: str, switch: bool, status: int
) -> None:
    caller.control("switches", {"torq.new_token_ends_old": switch})
    token_of(caller)

    assert caller.torq(token).status_code == status


def test_a_made_up_token_is_401(caller: Caller) -> None:
    assert caller.torq("8a3a6f0e-0000-4000-8000-000000000000").status_code == 401
    assert caller.torq("").status_code == 401


def test_a_token_opens_its_own_workspace_only(caller: Caller, token: str) -> None:
    mine = {each["id"] for each in caller.torq(token).json()["integrations"]}
    other = {each["id"] for each in caller.torq(token_of(caller, "tamarind-torq")).json()["integrations"]}

    assert len(mine) == 28
    assert mine.isdisjoint(other)


# --- the list --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("account", ["kestrel-torq", "nordhavn-torq", "nordhavn-torq-subsidiary", "tamarind-torq"])
def test_list_agrees_with_the_contract(caller: Caller, account: str) -> None:
    answer = caller.torq(token_of(caller, account))

    assert answer.status_code == 200
    contract.check("GET", LIST, 200, answer.json())
    assert len(answer.json()["integrations"]) == caller.accounts()[account]["integrations"]


def test_both_prefixes_answer_alike(caller: Caller, token: str) -> None:
    assert caller.torq(token, "/v1alpha").json() == caller.torq(token, "/public/v1alpha").json()


@pytest.mark.parametrize(("switch", "documented", "public"), [("documented", 200, 404), ("public", 404, 200)])
def test_a_prefix_can_be_switched_off(caller: Caller, token: str, switch: str, documented: int, public: int) -> None:
    caller.control("switches", {"torq.prefix": switch})

    assert caller.torq(token, "/v1alpha").status_code == documented
    assert caller.torq(token, "/public/v1alpha").status_code == public


def test_type_id_keeps_only_that_type(caller: Caller, token: str) -> None:
    everything = caller.torq(token).json()["integrations"]

    kept = caller.torq(token, type_id="webhook").json()["integrations"]

    assert kept
    assert kept == [each for each in everything if each["type_id"] == "webhook"]
    assert caller.torq(token, type_id="unheard_of").json() == {"integrations": []}


def test_only_triggers_have_a_webhook_and_it_leads_here(caller: Caller, token: str) -> None:
    for each in caller.torq(token).json()["integrations"]:
        url = each.get("details", {}).get("trigger", {}).get("webhook_url")
        assert (url is not None) == (each["type_id"] == "webhook")
        if url:
            assert url == f"{caller.server.url}/torq/hooks/v1/webhooks/{each['id']}"


def test_some_were_never_used_some_long_ago_some_to_the_nanosecond(caller: Caller, token: str) -> None:
    used = [each.get("last_used_at") for each in caller.torq(token).json()["integrations"]]

    assert None in used
    assert sum(at is not None and at < "2026-05-10" for at in used) >= 10
    assert any(at and re.search(r"\.\d{9}Z$", at) and not at.endswith("000Z") for at in used)
    assert any(at and re.search(r":\d\dZ$", at) for at in used)


def test_unset_fields_are_omitted_or_null_as_the_switch_says(caller: Caller, token: str) -> None:
    omitted = caller.torq(token).json()["integrations"]
    assert any("last_used_at" not in each for each in omitted)
    assert any("sharing_data" not in each and "details" not in each for each in omitted)
    assert all(each["sharing_data"].get("workspace_ids", True) for each in omitted if "sharing_data" in each)

    caller.control("switches", {"torq.omit_defaults": False})
    whole = caller.torq(token).json()["integrations"]
    assert any(each["last_used_at"] is None for each in whole)
    assert all(each["sharing_data"]["workspace_ids"] == [] for each in whole
               if each["sharing_data"]["direction"] == "not_shared")  # fmt: skip


def test_names_follow_the_rule_of_the_switch(caller: Caller, token: str) -> None:
    caller.control(f"accounts/{ACCOUNT}/rename", {"item": 0, "name": "EDR (Inbound) Öst!"})

    assert caller.torq(token).json()["integrations"][0]["name"] == "edr__inbound___st_"
    caller.control("switches", {"torq.name_rule": "runs"})
    assert caller.torq(token).json()["integrations"][0]["name"] == "edr_inbound_st_"


def test_published_sample_is_served_to_the_letter(caller: Caller) -> None:
    sample = published("torq GET /v1alpha/integrations (field examples put together)")

    assert caller.torq(token_of(caller, "nordhavn-torq")).json()["integrations"][:1] == sample["integrations"]


def test_two_workspaces_agree_on_what_one_shares_with_the_other(caller: Caller) -> None:
    given = caller.torq(token_of(caller, "nordhavn-torq")).json()["integrations"]
    taken = caller.torq(token_of(caller, "nordhavn-torq-subsidiary")).json()["integrations"]

    shared = [(mine, theirs) for mine in given for theirs in taken if mine["id"] == theirs["id"]]

    assert len(shared) == 1
    mine, theirs = shared[0]
    assert mine["sharing_data"]["direction"] == "outgoing"
    assert theirs["sharing_data"]["direction"] == "incoming"
    assert mine["display_name"] == theirs["display_name"]
    assert len(mine["sharing_data"]["workspace_ids"]) == len(theirs["sharing_data"]["workspace_ids"]) == 1


def test_the_list_comes_whole_unless_paging_is_switched_on(caller: Caller, token: str) -> None:
    whole = caller.torq(token).json()
    assert "next_page_token" not in whole

    caller.control("switches", {"torq.page_size": 10})
    parts = list(pages(caller, token))

    assert [len(part["integrations"]) for part in parts] == [10, 10, 8]  # type: ignore[arg-type]
    assert [each for part in parts for each in part["integrations"]] == whole["integrations"]  # type: ignore[attr-defined]
    assert "next_page_token" not in parts[-1]


@pytest.mark.parametrize("size", [0, 10])
def test_the_last_page_may_carry_an_empty_token(caller: Caller, token: str, size: int) -> None:
    caller.control("switches", {"torq.last_page_token": "empty", "torq.page_size": size})

    assert list(pages(caller, token))[-1]["next_page_token"] == ""


def test_a_page_token_of_nobody_is_a_bad_argument(caller: Caller, token: str) -> None:
    caller.control("switches", {"torq.page_size": 10})

    answer = caller.torq(token, page_token="nonsense")

    contract.check_schema("Status", answer.json())
    assert (answer.status_code, answer.json()["code"]) == (400, 3)


def test_a_looping_list_repeats_its_token(caller: Caller, token: str) -> None:
    caller.control("switches", {"torq.page_size": 10})
    caller.control(f"accounts/{ACCOUNT}/list", {"mode": "loop"})

    first = caller.torq(token).json()
    second = caller.torq(token, page_token=first["next_page_token"]).json()

    assert first == second


def test_an_endless_list_always_has_a_next_page(caller: Caller, token: str) -> None:
    caller.control(f"accounts/{ACCOUNT}/list", {"mode": "endless"})
    seen: set[str] = set()

    for number, page in enumerate(pages(caller, token)):
        seen |= {each["id"] for each in page["integrations"]}  # type: ignore[attr-defined]
        if number == 5:
            break

    assert len(seen) == 600


# --- refusals and limits ---------------------------------------------------------------------------------------------


def test_a_key_without_permission_is_403(caller: Caller) -> None:
    caller.control(
        "accounts", {"vendor": "torq", "name": "limited", "integrations": 10, "seed": 1, "script": "forbidden"}
    )

    answer = caller.torq(token_of(caller, "limited"))

    contract.check("GET", LIST, 403, answer.json())
    assert (answer.status_code, answer.json()["code"]) == (403, 7)


def test_too_many_calls_in_a_second_are_429(caller: Caller, token: str) -> None:
    caller.control("switches", {"torq.requests_per_second": 1})

    answers = [caller.torq(token, type_id="none") for _ in range(6)]

    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    contract.check_schema("Status", refused[0].json())
    assert refused[0].json()["code"] == 8
    assert refused[0].headers["Retry-After"] == "1"


def test_there_is_no_call_for_one_integration(caller: Caller, token: str) -> None:
    one = caller.torq(token).json()["integrations"][0]["id"]

    answer = caller.get(f"/torq/v1alpha/integrations/{one}", headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, answer.json()["code"]) == (404, 5)


# --- webhooks --------------------------------------------------------------------------------------------------------


def post(url: str) -> requests.Response:
    return requests.post(url, json={"severity": "high"}, timeout=30)


def test_a_webhook_takes_its_trigger(caller: Caller, token: str) -> None:
    url = caller.torq(token, type_id="webhook").json()["integrations"][0]["details"]["trigger"]["webhook_url"]

    assert post(url).status_code == 200
    contract.check("POST", "/v1/webhooks/{integration_id}/workflows/{workflow_id}", 200,
                   post(f"{url}/workflows/9b1d0021-5e2a-4c77-8f10-3a6c5d7e0021").json())  # fmt: skip
    assert post(f"{url}/workflows/w1/sync").status_code == 200
    assert post(f"{url}/elsewhere").status_code == 404


def test_only_trigger_integrations_have_a_webhook(caller: Caller, token: str) -> None:
    other = next(each for each in caller.torq(token).json()["integrations"] if each["type_id"] != "webhook")

    assert post(f"{caller.server.url}/torq/hooks/v1/webhooks/{other['id']}").status_code == 404
