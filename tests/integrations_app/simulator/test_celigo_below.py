"""What belongs to an integration at the pretend Celigo: flows, connections, people, jobs; held to the contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.simulator.celigo_account import CeligoAccount, Document, codes, is_plain

LIST = "/v1/integrations"
NOWHERE = "66d1f0000000000000005005"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorServer]:
    with SimulatorServer(data_dir=tmp_path_factory.mktemp("celigo"), seed=7) as running:
        yield running


@pytest.fixture
def account(server: SimulatorServer) -> CeligoAccount:
    server.world.reset()
    made = server.world.add_account(vendor="celigo", name="mine", size=24, seed=3)
    return CeligoAccount(server, made)


def flows(account: CeligoAccount, identifier: str) -> list[Document]:
    found: list[Document] = account.get(f"{LIST}/{identifier}/flows")
    return found


def a_flow(account: CeligoAccount, *, disabled: bool = False) -> Document:
    every = account.get("/v1/flows")
    return next(flow for flow in every if flow["disabled"] == disabled and flow["pageGenerators"])


# --- the numbers agree --------------------------------------------------------------------------------------------


def test_every_list_below_an_integration_holds_what_the_integration_says(account: CeligoAccount) -> None:
    for document in account.listed():
        path = f"{LIST}/{document['_id']}"
        connections = account.get(f"{path}/connections")
        counts = account.get(f"{path}/errors")
        for kind in ("exports", "imports", "ashares", "audit", "dependencies"):
            account.get(f"{path}/{kind}")
        assert [each["_id"] for each in connections] == document.get("_registeredConnectionIds", [])
        assert [each["_flowId"] for each in counts] == [flow["_id"] for flow in flows(account, document["_id"])]
        newest = [each["lastErrorAt"] for each in counts if each["numError"]]
        if "numFlows" in document:
            assert document["numFlows"] == len(counts)
            assert document["numRegisteredConnections"] == len(connections)
            assert document["numOfflineConnections"] == sum(each["offline"] for each in connections)
            assert document["numError"] == sum(each["numError"] for each in counts)
            assert document.get("lastErrorAt") == (max(newest) if newest else None)


def test_the_lists_of_the_account_hold_what_the_integrations_hold(account: CeligoAccount) -> None:
    ids = [document["_id"] for document in account.listed()]
    for kind in ("flows", "exports", "imports"):
        below = [each["_id"] for identifier in ids for each in account.get(f"{LIST}/{identifier}/{kind}")]
        assert [each["_id"] for each in account.get(f"/v1/{kind}")] == below
        assert account.get(f"/v1/{kind}/{below[-1]}")["_id"] == below[-1]
    registered = {each for document in account.listed() for each in document.get("_registeredConnectionIds", [])}
    assert registered <= {each["_id"] for each in account.get("/v1/connections")}


@pytest.mark.parametrize("kind", ["flows", "exports", "imports", "connections", "ashares", "audit"])
def test_lists_come_in_pages_joined_by_links(account: CeligoAccount, kind: str) -> None:
    identifier = account.pick(lambda document: is_plain(document) and document["numFlows"] > 4)
    whole = account.get(f"{LIST}/{identifier}/{kind}")
    found: list[Document] = []
    answer = account.call("GET", f"{LIST}/{identifier}/{kind}/", limit=2)
    while True:
        found += answer.json()
        if "next" not in answer.links:
            break
        assert len(answer.json()) == 2
        answer = account.call("GET", answer.links["next"]["url"])
    assert found == whole


@pytest.mark.parametrize("kind", ["flows", "connections"])
def test_a_page_far_down_a_huge_account_leads_to_the_next(account: CeligoAccount, kind: str) -> None:
    world = account.simulator.world
    huge = CeligoAccount(account.simulator, world.add_account(vendor="celigo", name="huge", size=100_000, seed=3))
    answer = huge.call("GET", f"/v1/{kind}", limit=20, skip=200_000)
    last = huge.call("GET", answer.links["next"]["url"]).json()
    assert len(answer.json()) == len(last) == 20
    assert huge.get(f"/v1/{kind}/{last[-1]['_id']}") == last[-1]


def test_empty_lists_of_flows_and_connections_have_no_content_by_default(account: CeligoAccount) -> None:
    identifier = account.pick(lambda document: document.get("numFlows") == 0)
    for kind in ("flows", "connections", "exports", "imports"):
        assert account.call("GET", f"{LIST}/{identifier}/{kind}").status_code == 204
    account.simulator.world.turn("celigo.empty_child_list_is_204", False)
    assert account.call("GET", f"{LIST}/{identifier}/flows").json() == []


def test_lists_take_include_and_exclude(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    answer = account.raw("GET", f"{LIST}/{identifier}/flows", params={"include": "name"})
    assert {frozenset(flow) for flow in answer.json()} == {frozenset({"_id", "name"})}
    assert account.call("GET", f"{LIST}/{identifier}/flows", include="a", exclude="b").status_code == 400


def test_dependencies_have_two_shapes(account: CeligoAccount) -> None:
    empty = account.pick(lambda document: document.get("numFlows") == 0)
    identifier = account.pick(is_plain)
    assert account.get(f"{LIST}/{empty}/dependencies") == {}
    found = account.get(f"{LIST}/{identifier}/dependencies")
    assert [each["id"] for each in found["flows"]] == [flow["_id"] for flow in flows(account, identifier)]
    assert found["flows"][0]["dependencyIds"] == {"integrations": [identifier]}
    account.simulator.world.turn("celigo.dependencies_shape", "array")
    entries = account.raw("GET", f"{LIST}/{identifier}/dependencies").json()
    assert {entry["resourceType"] for entry in entries} == {"flows", "connections"}


def test_a_share_is_not_its_person_and_the_owner_is_not_listed(account: CeligoAccount) -> None:
    shares = [share for document in account.listed() for share in account.get(f"{LIST}/{document['_id']}/ashares")]
    people = {share["sharedWithUser"]["_id"] for share in shares}
    assert not people & {share["_id"] for share in shares}
    assert account.get("/v1/tokenInfo")["_userId"] not in people
    assert {share.get("accessLevel", "absent") for share in shares} >= {"administrator", "manage", "monitor", "absent"}


def test_a_change_is_told_in_the_audit(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    before = account.get(f"{LIST}/{identifier}/audit")
    old = account.one(identifier)["tag"]
    account.call("PATCH", f"{LIST}/{identifier}", [{"op": "replace", "path": "/tag", "value": "new"}])
    entry, *rest = account.get(f"{LIST}/{identifier}/audit")
    assert rest == before
    assert (entry["event"], entry["source"]) == ("update", "api")
    assert entry["fieldChanges"] == [{"fieldPath": "tag", "oldValue": old, "newValue": "new"}]


# --- registering connections --------------------------------------------------------------------------------------


def test_connections_are_registered_and_taken_off_again(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    path = f"{LIST}/{identifier}/connections"
    before = account.one(identifier)["_registeredConnectionIds"]
    others = [each["_id"] for each in account.get("/v1/connections") if each["_id"] not in before]
    offline = next(each["_id"] for each in account.get("/v1/connections") if each["offline"])

    assert account.call("PUT", f"{path}/register", [others[0], others[1], others[0]]).status_code == 200
    assert account.call("PUT", f"{path}/{offline}/register").status_code == 200

    after = account.one(identifier)
    wanted = list(dict.fromkeys([*before, others[0], others[1], offline]))
    assert after["_registeredConnectionIds"] == wanted == [each["_id"] for each in account.get(path)]
    assert (after["numRegisteredConnections"], after["numOfflineConnections"]) == (len(wanted), 1)
    answer = account.call("DELETE", f"{path}/{offline}/register")
    assert (answer.status_code, answer.text) == (204, "")
    after = account.one(identifier)
    assert (after["numRegisteredConnections"], after["numOfflineConnections"]) == (len(wanted) - 1, 0)
    assert account.get(f"/v1/connections/{offline}")["_id"] == offline
    assert account.operations() == ["register", "register", "unregister"]


def test_an_unknown_connection_is_not_registered_and_nothing_else_is(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    path = f"{LIST}/{identifier}/connections"
    before = account.one(identifier)
    known = account.get("/v1/connections")[-1]["_id"]
    answer = account.call("PUT", f"{path}/register", [NOWHERE, known, "66d1f0000000000000006006"])
    assert (answer.status_code, codes(answer)) == (422, [("invalid_ref", "_connectionId")] * 2)
    assert account.call("PUT", f"{path}/register", {"ids": [known]}).status_code == 422
    assert account.call("PUT", f"{path}/{NOWHERE}/register").status_code == 404
    assert account.call("DELETE", f"{path}/{NOWHERE}/register").status_code == 404
    assert account.one(identifier) == before


@pytest.mark.parametrize("reply", ["empty_array", "ids", "integration", "none"])
def test_what_registering_answers_with_is_open(account: CeligoAccount, reply: str) -> None:
    account.simulator.world.turn("celigo.register_reply", reply)
    identifier = account.pick(is_plain)
    known = account.get("/v1/connections")[-1]["_id"]
    answer = account.raw("PUT", f"{LIST}/{identifier}/connections/{known}/register")
    document = account.one(identifier)
    expected = {"empty_array": [], "ids": document["_registeredConnectionIds"], "integration": document, "none": None}
    assert (answer.json() if answer.content else None) == expected[reply]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_ping_says_whether_the_other_side_answers(account: CeligoAccount, method: str) -> None:
    every = account.get("/v1/connections")
    online, offline = (next(each["_id"] for each in every if each["offline"] is is_off) for is_off in (False, True))
    assert account.call(method, f"/v1/connections/{online}/ping").json() == {"code": 200}
    answer = account.call(method, f"/v1/connections/{offline}/ping")
    assert (answer.status_code, answer.json()["code"]) == (200, 422)
    assert answer.json()["errors"]
    account.simulator.world.turn("celigo.refused_ping_status", 422)
    assert account.raw(method, f"/v1/connections/{offline}/ping").status_code == 422
    assert account.call(method, f"/v1/connections/{NOWHERE}/ping").status_code == 404
    assert account.operations() == []


def test_connections_hide_their_secrets(account: CeligoAccount) -> None:
    for connection in account.get("/v1/connections"):
        inside = connection[connection["type"]]
        secret = inside["tokenSecret"] if connection["type"] == "netsuite" else inside["auth"]["token"]["token"]
        assert secret == "******"


# --- flows and their runs -----------------------------------------------------------------------------------------


def test_a_flow_is_switched_off_and_on(account: CeligoAccount) -> None:
    flow = a_flow(account)
    path = f"/v1/flows/{flow['_id']}"
    for is_off in (True, False):
        answer = account.call("PATCH", path, [{"op": "replace", "path": "/disabled", "value": is_off}])
        assert (answer.status_code, answer.text) == (204, "")
        after = account.get(path)
        assert after["disabled"] is is_off
    assert after["lastModified"] > flow["lastModified"]
    assert after == {**flow, "lastModified": after["lastModified"]}
    listed = flows(account, flow["_integrationId"])
    assert after in listed
    assert account.operations() == ["flow_patch"] * 2


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/_integrationId", "value": NOWHERE},
        {"op": "replace", "path": "/disabled", "value": "yes"},
        {"op": "replace", "path": "/name", "value": ""},
        {"op": "remove", "path": "/name"},
        {"op": "replace", "path": "/pageGenerators/7/schedule", "value": "x"},
        {"op": "replace", "path": "/pageProcessors", "value": []},
    ],
)
def test_what_a_flow_does_not_take_is_refused(account: CeligoAccount, operation: Document) -> None:
    flow = a_flow(account)
    assert account.call("PATCH", f"/v1/flows/{flow['_id']}", [operation]).status_code == 422
    assert account.get(f"/v1/flows/{flow['_id']}") == flow


def test_a_flow_takes_the_other_patches(account: CeligoAccount) -> None:
    flow = next(flow for flow in account.get("/v1/flows") if "routers" in flow)
    operations = [
        {"op": "replace", "path": "/schedule", "value": "? 5 0,12 ? * *"},
        {"op": "replace", "path": "/pageGenerators/0/skipRetries", "value": True},
        {"op": "replace", "path": "/routers/0/branches/1/name", "value": "Others"},
    ]
    account.call("PATCH", f"/v1/flows/{flow['_id']}", operations)
    after = account.get(f"/v1/flows/{flow['_id']}")
    assert after["schedule"] == "? 5 0,12 ? * *"
    assert after["pageGenerators"][0]["skipRetries"] is True
    assert after["routers"][0]["branches"][1]["name"] == "Others"


def test_a_run_is_a_job_that_ends(account: CeligoAccount) -> None:
    world = account.simulator.world
    world.turn("celigo.run_seconds", 30)
    flow = a_flow(account)
    since = world.now().isoformat()
    answer = account.call(
        "POST", f"/v1/flows/{flow['_id']}/run", {"_exportIds": [flow["pageGenerators"][0]["_exportId"]]}
    )
    assert answer.status_code == 201
    job_id = answer.json()["_jobId"]
    (job,) = account.get("/v1/jobs", _flowId=flow["_id"], createdAt_gte=since)
    assert (job["_id"], job["status"], job["numSuccess"]) == (job_id, "running", 0)
    world.move_clock(seconds=31)
    job = account.get(f"/v1/jobs/{job_id}")
    assert (job["status"], job["numError"]) == ("completed", 0)
    assert job["numSuccess"] > 0
    assert account.get(f"/v1/flows/{flow['_id']}/jobs/latest") == [job]
    assert account.get(f"{LIST}/{flow['_integrationId']}/jobs/latest")[0] == job
    assert account.get("/v1/jobs", createdAt_gte=since) == [job]
    assert account.get(f"/v1/flows/{flow['_id']}")["lastExecutedAt"] == job["createdAt"]
    entry = world.ledger(account.account.name)[-1]
    assert (entry["operation"], entry["target"], entry["result"]) == ("run", flow["_id"], job_id)


def test_a_run_answers_in_three_ways(account: CeligoAccount) -> None:
    path = f"/v1/flows/{a_flow(account)['_id']}/run"
    account.simulator.world.turn("celigo.run_reply", "job")
    assert account.raw("POST", path).json()["type"] == "flow"
    account.simulator.world.turn("celigo.run_reply", "none")
    assert account.raw("POST", path).content == b""


def test_the_names_around_a_run_are_open(account: CeligoAccount) -> None:
    path = f"/v1/flows/{a_flow(account)['_id']}"
    account.simulator.world.turn("celigo.run_exports_field", "exportIds")
    assert account.call("POST", f"{path}/run", {"_exportIds": [NOWHERE]}).status_code == 201
    assert account.raw("POST", f"{path}/run", json={"exportIds": [NOWHERE]}).status_code == 422
    (latest,) = account.get(f"{path}/jobs/latest")
    account.simulator.world.turn("celigo.latest_job_reply", "object")
    assert account.raw("GET", f"{path}/jobs/latest").json() == latest


def test_a_disabled_flow_and_a_foreign_export_are_not_run(account: CeligoAccount) -> None:
    off = a_flow(account, disabled=True)
    assert codes(account.call("POST", f"/v1/flows/{off['_id']}/run", {})) == [("invalid_field", "disabled")]
    answer = account.call("POST", f"/v1/flows/{a_flow(account)['_id']}/run", {"_exportIds": [NOWHERE]})
    assert codes(answer) == [("invalid_ref", "_exportIds")]
    assert account.call("POST", f"/v1/flows/{NOWHERE}/run", {}).status_code == 404
    account.simulator.world.turn("celigo.disabled_flows_run", True)
    assert account.call("POST", f"/v1/flows/{off['_id']}/run", {}).status_code == 201


def test_jobs_are_listed_newest_first_within_the_filters(account: CeligoAccount) -> None:
    integration = account.pick(lambda document: bool(document.get("numError")))
    jobs = account.get("/v1/jobs", _integrationId=integration)
    times = [job["createdAt"] for job in jobs]
    assert times == sorted(times, reverse=True)
    assert {job["type"] for job in jobs} == {"flow"}
    middle = times[len(times) // 2]
    older = account.get("/v1/jobs", _integrationId=integration, createdAt_lte=middle)
    assert [job["createdAt"] for job in older] == [at for at in times if at <= middle]
    failed = account.get("/v1/jobs", _integrationId=integration, numError_gte=1, status="completed")
    assert failed == [job for job in jobs if job["numError"]]
    assert account.get("/v1/jobs", _integrationId=integration, status="failed") == []
    job = failed[0]
    assert account.get(f"/v1/jobs/{job['_id']}") == job
    children = account.get("/v1/jobs", _flowJobId=job["_id"])
    assert {child["type"] for child in children} <= {"export", "import"}
    assert {child["_flowJobId"] for child in children} == {job["_id"]}


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"status": "completed"},
        {"type": "import"},
        {"type_in": "export,import", "_flowId": NOWHERE},
        {"createdAt_gte": "yesterday"},
        {"_flowId": NOWHERE, "numError_gte": "many"},
    ],
)
def test_a_query_for_all_jobs_is_refused(account: CeligoAccount, query: dict[str, Any]) -> None:
    answer = account.call("GET", "/v1/jobs", **query)
    assert (answer.status_code, codes(answer)[0][0]) == (400, "invalid_query")


def test_an_unknown_flow_or_job_is_not_found(account: CeligoAccount) -> None:
    for path in ("flows/{}", "flows/{}/errors", "flows/{}/jobs/latest", "jobs/{}", "exports/{}", "connections/{}"):
        assert account.call("GET", f"/v1/{path.format(NOWHERE)}").status_code == 404
