"""Creating, replacing, patching and deleting integrations at the pretend Celigo, held to the contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.simulator.celigo_account import HEX, CeligoAccount, Document, codes, is_plain

LIST = "/v1/integrations"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorServer]:
    with SimulatorServer(data_dir=tmp_path_factory.mktemp("celigo"), seed=7) as running:
        yield running


@pytest.fixture
def account(server: SimulatorServer) -> CeligoAccount:
    server.world.reset()
    made = server.world.add_account(vendor="celigo", name="mine", size=24, seed=3)
    return CeligoAccount(server, made)


def replace(path: str, value: Any) -> Document:
    return {"op": "replace", "path": path, "value": value}


# --- create -------------------------------------------------------------------------------------------------------


def test_a_name_is_all_that_a_new_integration_needs(account: CeligoAccount) -> None:
    answer = account.call("POST", f"{LIST}/", {"name": "Fresh"})
    assert answer.status_code == 201
    made = answer.json()
    assert made["name"] == "Fresh"
    assert HEX.fullmatch(made["_id"])
    assert account.one(made["_id"]) == made
    assert account.listed()[-1]["_id"] == made["_id"]
    assert account.call("GET", f"{LIST}/{made['_id']}/flows").status_code == 204
    assert account.call("GET", f"{LIST}/{made['_id']}/connections").status_code == 204


def test_a_new_integration_keeps_what_was_sent_and_drops_what_nobody_knows(account: CeligoAccount) -> None:
    body = {
        "name": "Fresh",
        "settings": {"deep": [1, {"a": None}]},
        "flowGroupings": [{"name": "Inbound"}],
        "aliases": [{"alias": "shop"}],
        "misplaced": True,
        "numError": 9,
        "_id": "66d1f0000000000000001001",
    }
    made = account.call("POST", LIST, body).json()
    assert (made["settings"], made["aliases"]) == (body["settings"], body["aliases"])
    assert HEX.fullmatch(made["flowGroupings"][0]["_id"])
    assert "misplaced" not in made
    assert made["numError"] == 0
    assert made["_id"] != body["_id"]


def test_everything_wrong_is_said_at_once_and_nothing_is_made(account: CeligoAccount) -> None:
    before = account.listed()
    body = {"mode": "sideways", "description": "x" * 5121, "updateInProgress": "yes", "flowGroupings": [{}]}
    answer = account.call("POST", LIST, body)
    assert answer.status_code == 422
    assert codes(answer) == [
        ("missing_required_field", "name"),
        ("invalid_field", "mode"),
        ("invalid_field", "description"),
        ("invalid_field", "updateInProgress"),
        ("missing_required_field", "flowGroupings.0.name"),
    ]
    assert account.listed() == before
    assert account.operations() == []


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"name": "x" * 101}, "invalid_field", "name"),
        ({"name": 7}, "invalid_field", "name"),
        ({"settingsForm": []}, "invalid_field", "settingsForm"),
        ({"aliases": {}}, "invalid_field", "aliases"),
        ({"aliases": [{}]}, "missing_required_field", "aliases.0.alias"),
        ({"aliases": [{"alias": "66d1f0000000000000001001"}]}, "invalid_field", "aliases.0.alias"),
        ({"_parentId": "short"}, "invalid_ref", "_parentId"),
    ],
)
def test_a_field_that_is_wrong_is_named(account: CeligoAccount, fields: Document, code: str, field: str) -> None:
    assert codes(account.call("POST", LIST, {"name": "Fresh", **fields})) == [(code, field)]


@pytest.mark.parametrize(
    ("content_type", "text"), [("application/json", "{"), ("text/plain", '{"name": "x"}'), ("application/json", "[]")]
)
def test_a_body_that_is_no_json_object_is_a_bad_request(account: CeligoAccount, content_type: str, text: str) -> None:
    answer = account.raw("POST", LIST, data=text, headers={"Content-Type": content_type})
    assert answer.status_code == 400
    assert account.operations() == []


# --- put ----------------------------------------------------------------------------------------------------------


def test_put_erases_what_is_not_sent_and_keeps_what_the_server_owns(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    before = account.one(identifier)
    answer = account.call("PUT", f"{LIST}/{identifier}", {"name": "Bare", "numFlows": 99, "createdAt": "never"})
    assert answer.status_code == 200
    after = account.one(identifier)
    assert answer.json() == after
    assert after["name"] == "Bare"
    assert not {"description", "settings", "flowGroupings", "aliases", "mode", "version"} & after.keys()
    for name in ("_id", "createdAt", "_registeredConnectionIds", "numFlows", "numError"):
        assert after[name] == before[name]
    assert after["lastModified"] > before["lastModified"]


def test_put_needs_a_name(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    before = account.one(identifier)
    assert codes(account.call("PUT", f"{LIST}/{identifier}", {"tag": 5})) == [
        ("missing_required_field", "name"),
        ("invalid_field", "tag"),
    ]
    assert account.one(identifier) == before


def test_the_mask_written_back_is_what_is_stored(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    account.call("PUT", f"{LIST}/{identifier}", {"name": "Masked", "settings": {"apiKey": "******"}})
    assert account.one(identifier)["settings"] == {"apiKey": "******"}


def test_a_put_twice_shows_the_second(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    for fields in ({"tag": "one", "version": "1"}, {"readme": "two"}):
        account.call("PUT", f"{LIST}/{identifier}", {"name": "Twice", **fields})
    after = account.one(identifier)
    assert after["readme"] == "two"
    assert not {"tag", "version"} & after.keys()


# --- patch --------------------------------------------------------------------------------------------------------


def test_patch_changes_the_six_places_and_answers_without_a_body(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    before = account.one(identifier)
    operations = [
        replace("/settings", {"warehouse": "EAST"}),
        replace("/version", "2.0.0"),
        replace("/tag", "pilot"),
        replace("/aliases", [{"alias": "shop"}]),
        replace("/flowGroupings/0/settings", {"batch": 100}),
        replace("/updateInProgress", True),
    ]
    answer = account.call("PATCH", f"{LIST}/{identifier}", operations)
    assert (answer.status_code, answer.text) == (204, "")
    after = account.one(identifier)
    assert [after[name] for name in ("settings", "version", "tag", "aliases", "updateInProgress")] == [
        {"warehouse": "EAST"},
        "2.0.0",
        "pilot",
        [{"alias": "shop"}],
        True,
    ]
    assert after["flowGroupings"][0]["settings"] == {"batch": 100}
    assert after["lastModified"] > before["lastModified"]
    assert after["name"] == before["name"]


def test_patch_adds_removes_and_tests_inside_settings(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    account.call("PATCH", f"{LIST}/{identifier}", [replace("/settings", {"list": [1, 3], "a/b": 1})])
    operations = [
        {"op": "add", "path": "/settings/list/1", "value": 2},
        {"op": "add", "path": "/settings/list/-", "value": 4},
        {"op": "test", "path": "/settings/list/0", "value": 1},
        {"op": "remove", "path": "/settings/a~1b"},
        {"op": "remove", "path": "/tag"},
    ]
    assert account.call("PATCH", f"{LIST}/{identifier}", operations).status_code == 204
    after = account.one(identifier)
    assert after["settings"] == {"list": [1, 2, 3, 4]}
    assert "tag" not in after


def test_refused_paths_are_all_named_and_none_of_the_operations_is_done(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    before = account.one(identifier)
    operations = [replace("/tag", "new"), replace("/name", "x"), replace("/flowGroupings/0/name", "x")]
    answer = account.call("PATCH", f"{LIST}/{identifier}", operations)
    assert answer.status_code == 422
    assert codes(answer) == [("invalid_field", "/name"), ("invalid_field", "/flowGroupings/0/name")]
    assert account.one(identifier) == before


@pytest.mark.parametrize(
    "operations",
    [
        [],
        {"op": "replace"},
        ["text"],
        [{"op": "move", "from": "/tag", "path": "/version"}],
        [{"op": "replace", "path": "/version"}],
        [replace("/version", 2)],
        [replace("/updateInProgress", "no")],
        [replace("/flowGroupings/99/settings", {})],
        [replace("/settings/none/deep", 1)],
        [{"op": "test", "path": "/tag", "value": "something else"}],
        [replace("/settingsForm", {})],
        [replace("/flowGroupings/-/settings", {})],
    ],
)
def test_a_patch_that_cannot_be_done_is_refused(account: CeligoAccount, operations: Any) -> None:
    identifier = account.pick(is_plain)
    answer = account.call("PATCH", f"{LIST}/{identifier}", operations)
    assert answer.status_code == 422
    assert {code for code, _ in codes(answer)} == {"invalid_field"}
    assert account.operations() == []


def test_patch_can_answer_with_the_document(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    account.simulator.world.turn("celigo.patch_answer", "document")
    answer = account.call("PATCH", f"{LIST}/{identifier}", [replace("/tag", "new")])
    assert (answer.status_code, answer.json()["tag"]) == (200, "new")


def test_an_update_in_progress_closes_the_settings(account: CeligoAccount) -> None:
    identifier = account.pick(lambda document: bool(document.get("updateInProgress")))
    document = account.one(identifier)
    path = f"{LIST}/{identifier}"
    assert codes(account.call("PATCH", path, [replace("/settings", {})])) == [("invalid_field", "/settings")]
    body = {"name": "x", "updateInProgress": True, "settings": {}}
    assert codes(account.call("PUT", path, body)) == [("invalid_field", "settings")]
    assert account.one(identifier) == document
    reopened = [replace("/updateInProgress", False), replace("/settings", {"open": True})]
    assert account.call("PATCH", path, reopened).status_code == 204
    account.call("PATCH", path, [replace("/updateInProgress", True)])
    account.simulator.world.turn("celigo.updating_blocks_settings", False)
    assert account.call("PATCH", path, [replace("/settings", {})]).status_code == 204


# --- delete -------------------------------------------------------------------------------------------------------


def test_a_deleted_integration_is_gone_with_its_flows(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    flow = account.get(f"{LIST}/{identifier}/flows")[0]["_id"]
    answer = account.call("DELETE", f"{LIST}/{identifier}")
    assert (answer.status_code, answer.text) == (204, "")
    assert account.call("GET", f"{LIST}/{identifier}").status_code == 404
    assert account.call("DELETE", f"{LIST}/{identifier}").status_code == 404
    assert identifier not in [document["_id"] for document in account.listed()]
    assert account.call("GET", f"/v1/flows/{flow}").status_code == 404
    assert account.operations() == ["delete"]


def test_flows_can_be_left_behind(account: CeligoAccount) -> None:
    account.simulator.world.turn("celigo.delete_with_flows", "left_behind")
    identifier = account.pick(is_plain)
    flow = account.get(f"{LIST}/{identifier}/flows")[0]["_id"]
    account.call("DELETE", f"{LIST}/{identifier}")
    assert account.get(f"/v1/flows/{flow}")["_id"] == flow
    assert account.call("GET", f"/v1/flows/{flow}/errors").status_code == 404
    patch = [{"op": "replace", "path": "/disabled", "value": True}]
    assert account.call("PATCH", f"/v1/flows/{flow}", patch).status_code == 204
    assert account.call("DELETE", f"/v1/flows/{flow}").status_code == 204
    assert account.call("GET", f"/v1/flows/{flow}").status_code == 404


def test_flows_can_hold_a_deletion_back(account: CeligoAccount) -> None:
    account.simulator.world.turn("celigo.delete_with_flows", "refused")
    identifier = account.pick(is_plain)
    assert account.call("DELETE", f"{LIST}/{identifier}").status_code == 422
    for flow in account.get(f"{LIST}/{identifier}/flows"):
        assert account.call("DELETE", f"/v1/flows/{flow['_id']}").status_code == 204
    assert account.one(identifier)["numFlows"] == 0
    assert account.call("DELETE", f"{LIST}/{identifier}").status_code == 204


# --- what is not there --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "", None),
        ("PUT", "", {"name": "x"}),
        ("PATCH", "", [{"op": "replace", "path": "/tag", "value": "x"}]),
        ("DELETE", "", None),
        ("POST", "/clone", {}),
        ("GET", "/clone/preview", None),
        ("GET", "/flows", None),
        ("GET", "/connections", None),
        ("GET", "/exports", None),
        ("GET", "/imports", None),
        ("GET", "/ashares", None),
        ("PUT", "/connections/register", ["66d1f0000000000000005005"]),
        ("PUT", "/connections/66d1f0000000000000005005/register", None),
        ("DELETE", "/connections/66d1f0000000000000005005/register", None),
        ("POST", "/revisions/create", {}),
        ("GET", "/revisions", None),
        ("GET", "/installSteps", None),
        ("POST", "/installSteps", {}),
        ("GET", "/uninstallSteps", None),
        ("POST", "/uninstallSteps", {}),
        ("GET", "/audit", None),
        ("GET", "/template", None),
        ("GET", "/dependencies", None),
        ("GET", "/errors", None),
        ("GET", "/jobs/latest", None),
    ],
)
def test_an_unknown_integration_is_not_found(account: CeligoAccount, method: str, rest: str, body: Any) -> None:
    answer = account.call(method, f"{LIST}/66d1f0000000000000001001{rest}", body)
    assert answer.status_code == 404
    assert codes(answer) == [("not_found", "")]
    assert account.operations() == []


def test_a_scoped_token_reaches_nothing_of_what_it_cannot_see(account: CeligoAccount) -> None:
    scoped = CeligoAccount(account.simulator, account.account, "-scoped")
    seen = {document["_id"] for document in scoped.listed()}
    hidden = account.pick(lambda document: is_plain(document) and document["_id"] not in seen)
    flow = account.get(f"{LIST}/{hidden}/flows")[0]["_id"]
    assert scoped.call("GET", f"{LIST}/{hidden}/flows").status_code == 404
    assert scoped.call("GET", f"/v1/flows/{flow}").status_code == 404
    assert scoped.call("DELETE", f"{LIST}/{hidden}").status_code == 404
    assert flow not in [each["_id"] for each in scoped.get("/v1/flows")]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_wrong_token_changes_nothing(account: CeligoAccount, method: str) -> None:
    identifier = account.pick(is_plain)
    answer = account.raw(method, f"{LIST}/{identifier}", json={}, headers={"Authorization": "Bearer wrong"})
    assert (answer.status_code, set(answer.json())) == (401, {"message"})
    assert account.one(identifier)
    assert account.operations() == []
