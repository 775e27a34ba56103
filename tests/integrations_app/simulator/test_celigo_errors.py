"""Open errors of flows at the pretend Celigo, what is done about them, and what the ledger says of it all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from integrations_app.simulator.wire import digest_of
from tests.integrations_app.simulator.celigo_account import CeligoAccount, Document, contract, is_plain

LIST = "/v1/integrations"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorServer]:
    with SimulatorServer(data_dir=tmp_path_factory.mktemp("celigo"), seed=7) as running:
        yield running


@pytest.fixture
def account(server: SimulatorServer) -> CeligoAccount:
    server.world.reset()
    made = server.world.add_account(vendor="celigo", name="mine", size=120, seed=3)
    return CeligoAccount(server, made)


class Step:
    """A step with open errors, of an integration that has that many."""

    def __init__(self, account: CeligoAccount, least: int, most: int = 10**6) -> None:
        self.account = account
        self.integration = account.pick(lambda document: least <= document.get("numError", 0) <= most)
        counts = account.get(f"{LIST}/{self.integration}/errors")
        self.flow = next(each["_flowId"] for each in counts if each["numError"])
        summary = account.get(f"/v1/flows/{self.flow}/errors")["flowErrors"]
        self.step = next(each["_expOrImpId"] for each in summary if each["numError"])
        self.path = f"/v1/flows/{self.flow}/{self.step}"

    def records(self, kind: str = "errors", **params: Any) -> list[Document]:
        """All records, page after page."""
        name = "resolved" if kind == "resolved" else "errors"
        page = self.account.get(f"{self.path}/{kind}", **params)
        found: list[Document] = page[name]
        for _ in range(50):
            if "nextPageURL" not in page:
                return found
            page = self.account.get(self.account.simulator.url + page["nextPageURL"])
            found += page[name]
        raise AssertionError("the pages do not end")

    def counted(self) -> list[int]:
        """The same number in three places: the step's own, the flow's, and the integration's."""
        summary = self.account.get(f"/v1/flows/{self.flow}/errors")["flowErrors"]
        counts = self.account.get(f"{LIST}/{self.integration}/errors")
        return [
            next(each["numError"] for each in summary if each["_expOrImpId"] == self.step),
            next(each["numError"] for each in counts if each["_flowId"] == self.flow),
            self.account.one(self.integration)["numError"],
        ]


# --- records ------------------------------------------------------------------------------------------------------


def test_a_crowded_step_is_read_page_by_page(account: CeligoAccount) -> None:
    step = Step(account, 1250)
    records = step.records()
    assert len(records) == len({record["errorId"] for record in records}) == 1250
    assert step.counted() == [1250] * 3
    times = [record["occurredAt"] for record in records]
    assert times == sorted(times, reverse=True)
    assert times[0] == account.one(step.integration)["lastErrorAt"]


def test_a_record_has_every_field_and_all_of_them_are_text(account: CeligoAccount) -> None:
    record = Step(account, 3).records()[0]
    assert {type(value) for value in record.values()} == {str}
    assert contract.fields("StepError") - record.keys() == {"importDataURI", "tagIds", "assignedTo"}
    assert account.get(f"/v1/jobs/{record['_flowJobId']}")["numError"] > 0


def test_records_are_filtered_by_time_and_source(account: CeligoAccount) -> None:
    step = Step(account, 1250)
    records = step.records()
    since, until = records[700]["occurredAt"], records[300]["occurredAt"]
    assert step.records(occurredAt_gte=since, occurredAt_lte=until) == records[300:701]
    assert step.records(source="resource") == [record for record in records if record["source"] == "resource"]
    assert account.call("GET", f"{step.path}/errors", occurredAt_gte="soon").status_code == 400


def test_the_next_page_has_an_address_of_either_kind(account: CeligoAccount) -> None:
    account.simulator.world.turn("celigo.error_page_size", 2)
    step = Step(account, 7)
    relative = account.get(f"{step.path}/errors")["nextPageURL"]
    assert relative.startswith("/celigo/v1/flows/")
    account.simulator.world.turn("celigo.next_page_url", "absolute")
    assert account.get(f"{step.path}/errors")["nextPageURL"] == account.simulator.url + relative


def test_a_step_of_another_flow_is_not_found(account: CeligoAccount) -> None:
    step = Step(account, 3)
    other = account.get("/v1/imports")[-1]["_id"]
    assert account.call("GET", f"/v1/flows/{step.flow}/{other}/errors").status_code == 404


# --- resolving and retrying ---------------------------------------------------------------------------------------


def test_resolved_errors_leave_the_list_and_every_count(account: CeligoAccount) -> None:
    step = Step(account, 42, 42)
    records, before = step.records(), step.counted()
    gone = [records[0]["errorId"], records[2]["errorId"], "no such id"]
    answer = account.call("PUT", f"{step.path}/resolved", {"errors": gone})
    assert (answer.status_code, answer.text) == (204, "")
    assert step.records() == [records[1], *records[3:]]
    assert step.records("resolved") == [records[0], records[2]]
    assert step.counted() == [count - 2 for count in before]
    assert account.one(step.integration)["lastErrorAt"] >= records[1]["occurredAt"]
    assert account.call("DELETE", f"{step.path}/resolved").status_code == 204
    assert step.records("resolved") == []
    assert step.records() == [records[1], *records[3:]]
    assert account.operations() == ["resolve", "purge_resolved"]


@pytest.mark.parametrize("kind", ["retryDataKeys", "errorIds"])
def test_retried_errors_leave_the_list_and_are_a_job(account: CeligoAccount, kind: str) -> None:
    step = Step(account, 42, 42)
    records, before = step.records(), step.counted()
    field = "retryDataKey" if kind == "retryDataKeys" else "errorId"
    retried = [record for record in records[:20] if "retryDataKey" in record]
    answer = account.call("POST", f"{step.path}/retry", {kind: [record[field] for record in retried]})
    assert answer.status_code == 200
    assert (answer.json()["type"], answer.json()["numSuccess"]) == ("retry", len(retried))
    assert account.get("/v1/jobs", _flowId=step.flow, type="retry") == [answer.json()]
    assert step.records() == [record for record in records if record not in retried]
    assert step.counted() == [count - len(retried) for count in before]
    assert step.records("resolved") == retried


def test_a_retry_can_be_answered_with_created(account: CeligoAccount) -> None:
    account.simulator.world.turn("celigo.retry_status", 201)
    step = Step(account, 3)
    body = {"errorIds": [step.records()[0]["errorId"]]}
    assert account.call("POST", f"{step.path}/retry", body).status_code == 201


def test_an_error_without_data_is_not_retried(account: CeligoAccount) -> None:
    step = Step(account, 42, 42)
    lost = next(record for record in step.records() if "retryDataKey" not in record)
    account.call("POST", f"{step.path}/retry", {"errorIds": [lost["errorId"]]})
    assert lost in step.records()


def test_when_all_is_resolved_no_count_and_no_time_is_left(account: CeligoAccount) -> None:
    step = Step(account, 1, 3)
    before = account.one(step.integration)
    account.call("PUT", f"{step.path}/resolved", {"errors": [record["errorId"] for record in step.records()]})
    after = account.one(step.integration)
    assert after["numError"] == 0
    assert "lastErrorAt" not in after
    assert after["lastModified"] == before["lastModified"]


def test_resolved_errors_may_stay_listed(account: CeligoAccount) -> None:
    account.simulator.world.turn("celigo.resolved_errors_stay", True)
    step = Step(account, 7, 7)
    records = step.records()
    account.call("PUT", f"{step.path}/resolved", {"errors": [record["errorId"] for record in records]})
    assert step.records() == [record for record in records if "retryDataKey" in record]


@pytest.mark.parametrize("body", [{}, {"errors": []}, {"errors": "all"}, {"retryDataKeys": [5]}])
def test_nothing_to_resolve_or_retry_is_refused(account: CeligoAccount, body: Document) -> None:
    step = Step(account, 3)
    assert account.call("PUT", f"{step.path}/resolved", body).status_code == 422
    assert account.call("POST", f"{step.path}/retry", body).status_code == 422
    assert account.operations() == []


# --- the ledger ---------------------------------------------------------------------------------------------------


def test_the_ledger_tells_what_was_done_to_what_and_with_what(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    body = [{"op": "replace", "path": "/tag", "value": "new"}]
    account.call("PATCH", f"{LIST}/{identifier}", body)
    made = account.call("POST", LIST, {"name": "Fresh"}).json()["_id"]
    address = f"{account.simulator.url}/_control/ledger?account={account.account.name}"
    patch, create = requests.get(address, timeout=10).json()["entries"]
    assert (patch["operation"], patch["target"], patch["digest"]) == ("patch", identifier, digest_of(body))
    assert (create["operation"], create["target"], create["result"]) == ("create", "", made)
    assert create["seq"] == patch["seq"] + 1
    assert requests.delete(address, timeout=10).json() == {"total": 0, "entries": []}


@pytest.mark.parametrize(
    ("kind", "is_applied"),
    [
        ("status", False),
        ("reset", False),
        ("status_after", True),
        ("reset_after", True),
        ("truncate", True),
        ("content", True),
        ("drip", True),
        ("length", True),
    ],
)
def test_only_what_a_fault_let_through_is_carried_out(account: CeligoAccount, kind: str, is_applied: bool) -> None:
    identifier = account.pick(is_plain)
    account.simulator.world.turn("celigo.patch_answer", "document")
    fault = Fault("lost", kind, account=account.account.name, method="PATCH", status=502, body="", seconds=0.0)
    account.simulator.world.add_fault(fault)
    try:
        answer = account.raw("PATCH", f"{LIST}/{identifier}", json=[{"op": "add", "path": "/tag", "value": "lost"}])
    except requests.RequestException:
        pass
    else:
        assert answer.status_code == (502 if kind.startswith("status") else 200)
    assert (account.one(identifier)["tag"] == "lost") is is_applied
    assert account.operations() == ["patch"] * is_applied


def test_changes_at_the_same_time_are_all_kept(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)

    def change(number: int) -> int:
        patch = [{"op": "add", "path": f"/settings/at{number}", "value": number}]
        return account.call("PATCH", f"{LIST}/{identifier}", patch).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(change, range(24))) == {204}
    assert account.one(identifier)["settings"].items() >= {f"at{number}": number for number in range(24)}.items()
    entries = account.simulator.world.ledger(account.account.name)
    assert [entry["seq"] for entry in entries] == list(range(entries[0]["seq"], entries[0]["seq"] + 24))


def test_a_status_after_the_work_may_carry_a_body(account: CeligoAccount) -> None:
    body = json.dumps({"errors": [{"code": "version_error", "message": "Changed meanwhile"}]})
    fault = Fault("late", "status_after", account=account.account.name, method="POST", status=409, body=body)
    account.simulator.world.add_fault(fault)
    answer = account.call("POST", LIST, {"name": "Fresh"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "version_error")
    assert account.listed()[-1]["name"] == "Fresh"


def test_every_change_survives_a_restart_and_none_a_reset(tmp_path: Path) -> None:
    with SimulatorServer(data_dir=tmp_path, seed=7) as first:
        mine = first.world.account("larkspur-celigo")
        assert mine is not None
        account = CeligoAccount(first, mine)
        identifier = account.pick(is_plain)
        clean = account.listed()
        account.simulator.world.turn("celigo.clone_needs_map", False)
        clone = account.call("POST", f"{LIST}/{identifier}/clone", {"name": "Twin"}).json()["_id"]
        account.call("POST", f"{LIST}/{identifier}/revisions/create", {})
        account.call("DELETE", f"{LIST}/{clean[-1]['_id']}")
        paths = [LIST, *(f"{LIST}/{clone}/{kind}" for kind in ("flows", "exports", "audit")),
                 f"{LIST}/{identifier}/revisions"]  # fmt: skip
        known = [account.get(path) for path in paths]
    with SimulatorServer(data_dir=tmp_path, seed=7) as second:
        account = CeligoAccount(second, mine)
        assert [account.get(path) for path in paths] == known
        assert account.operations() == ["clone", "revision", "delete"]
        second.world.reset()
        assert account.listed() == clean
        assert account.operations() == []
