"""Clones, revisions, installing and uninstalling at the pretend Celigo, held to the contract."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.simulator.celigo_account import CeligoAccount, Document, codes, is_half_installed, is_plain

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


# --- clones -------------------------------------------------------------------------------------------------------


def connection_map(account: CeligoAccount, identifier: str) -> dict[str, str]:
    """Every connection a clone needs, mapped to itself."""
    objects = account.get(f"{LIST}/{identifier}/clone/preview")["objects"]
    return {each["doc"]["_id"]: each["doc"]["_id"] for each in objects if each["model"] == "Connection"}


def test_a_preview_names_all_that_a_clone_would_make(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    objects = account.get(f"{LIST}/{identifier}/clone/preview")["objects"]
    for kind in ("flow", "export", "import"):
        below = [each["_id"] for each in account.get(f"{LIST}/{identifier}/{kind}s")]
        assert [each["doc"]["_id"] for each in objects if each["model"] == kind.capitalize()] == below
    assert objects[0]["model"] == "Integration"
    assert account.operations() == []


def test_a_clone_is_an_integration_of_its_own(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    source, mapping = account.one(identifier), connection_map(account, identifier)
    other = account.pick(lambda document: is_plain(document) and document["_id"] != identifier)
    target = account.one(other)["_registeredConnectionIds"][0]
    first = source["_registeredConnectionIds"][0]

    answer = account.call(
        "POST", f"{LIST}/{identifier}/clone", {"name": "Twin", "connectionMap": {**mapping, first: target}}
    )

    assert answer.status_code == 201
    clone = account.one(answer.json()["_id"])
    assert (clone["name"], clone["_sourceId"], clone["settings"]) == ("Twin", identifier, source["settings"])
    assert clone["_registeredConnectionIds"][0] == target
    assert account.listed()[-1]["_id"] == clone["_id"]
    assert clone["numFlows"] == source["numFlows"]
    for kind in ("flows", "exports", "imports"):
        theirs, ours = (account.get(f"{LIST}/{each}/{kind}") for each in (identifier, clone["_id"]))
        assert [each["name"] for each in ours] == [each["name"] for each in theirs]
        assert not {each["_id"] for each in ours} & {each["_id"] for each in theirs}
        assert {each["_integrationId"] for each in ours} == {clone["_id"]}
    steps = {each["_id"] for kind in ("exports", "imports") for each in account.get(f"{LIST}/{clone['_id']}/{kind}")}
    assert account.get(f"{LIST}/{clone['_id']}/flows")[0]["pageGenerators"][0]["_exportId"] in steps
    assert first not in json.dumps(account.get(f"{LIST}/{clone['_id']}/exports"))
    assert account.one(identifier) == source


def test_a_clone_can_be_answered_with_a_manifest(account: CeligoAccount) -> None:
    account.simulator.world.turn("celigo.clone_reply", "manifest")
    identifier = account.pick(is_plain)
    body = {"connectionMap": connection_map(account, identifier)}
    made = account.call("POST", f"{LIST}/{identifier}/clone", body).json()
    assert made[0]["model"] == "Integration"
    assert made[0]["name"].startswith("Clone - ")
    assert account.one(made[0]["_id"])["name"] == made[0]["name"]
    assert {each["model"] for each in made} == {"Integration", "Flow", "Export", "Import"}
    flow = next(each["_id"] for each in made if each["model"] == "Flow")
    assert account.get(f"/v1/flows/{flow}")["_integrationId"] == made[0]["_id"]


@pytest.mark.parametrize("wrong", [None, {}, "partial", {"target": "66d1f0000000000000005005"}, []])
def test_a_map_that_leaves_a_connection_out_is_refused(account: CeligoAccount, wrong: Any) -> None:
    identifier = account.pick(is_plain)
    mapping: Any = connection_map(account, identifier)
    if wrong == "partial":
        mapping.popitem()
    elif isinstance(wrong, dict) and wrong:
        mapping[next(iter(mapping))] = wrong["target"]
    else:
        mapping = wrong
    body = {"name": "Twin"} | ({} if mapping is None else {"connectionMap": mapping})
    answer = account.call("POST", f"{LIST}/{identifier}/clone", body)
    assert (answer.status_code, codes(answer)) == (400, [("invalid_connectionMap", "connectionMap")])
    assert len(account.listed()) == 24


def test_a_clone_may_do_without_a_map(account: CeligoAccount) -> None:
    account.simulator.world.turn("celigo.clone_needs_map", False)
    identifier = account.pick(is_plain)
    clone = account.call("POST", f"{LIST}/{identifier}/clone", {"name": "Twin", "sandbox": True}).json()
    assert clone["_registeredConnectionIds"] == account.one(identifier)["_registeredConnectionIds"]
    assert clone["sandbox"] is True


def test_the_environment_of_a_clone_has_a_name_that_can_change(account: CeligoAccount) -> None:
    identifier, place = account.pick(is_plain), "66d1f0000000000000013013"
    body = {"connectionMap": connection_map(account, identifier), "_environmentId": place}
    assert account.call("POST", f"{LIST}/{identifier}/clone", body).json()["_environmentId"] == place
    account.simulator.world.turn("celigo.clone_environment_field", "environmentId")
    assert "_environmentId" not in account.call("POST", f"{LIST}/{identifier}/clone", body).json()


# --- revisions ----------------------------------------------------------------------------------------------------


def test_a_revision_is_made_unless_nothing_has_changed(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    path = f"{LIST}/{identifier}/revisions/create"
    first = account.call("POST", path, {"description": "before the holidays"})
    assert (first.status_code, first.json()["description"]) == (201, "before the holidays")
    assert account.call("POST", path).status_code == 201
    assert account.call("POST", path, {}, ignoreIfNoChanges="false").status_code == 201
    unchanged = account.call("POST", path, {}, ignoreIfNoChanges="true")
    assert (unchanged.status_code, unchanged.text) == (204, "")
    account.call("PATCH", f"{LIST}/{identifier}", [{"op": "replace", "path": "/tag", "value": "new"}])
    assert account.call("POST", path, {}, ignoreIfNoChanges="true").status_code == 201
    flow = account.get(f"{LIST}/{identifier}/flows")[0]
    patch = [{"op": "replace", "path": "/disabled", "value": not flow["disabled"]}]
    account.call("PATCH", f"/v1/flows/{flow['_id']}", patch)
    assert account.call("POST", path, {}, ignoreIfNoChanges="true").status_code == 201
    assert account.call("POST", path, {}, ignoreIfNoChanges="true").status_code == 204
    assert account.operations().count("revision") == 5


def test_the_first_revision_is_made_even_if_only_changes_are_wanted(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    answer = account.call("POST", f"{LIST}/{identifier}/revisions/create", {}, ignoreIfNoChanges="true")
    assert answer.status_code == 201


def test_revisions_are_listed_newest_first_and_read_one_by_one(account: CeligoAccount) -> None:
    for identifier in [document["_id"] for document in account.listed()][:9]:
        made = account.call("POST", f"{LIST}/{identifier}/revisions/create", {}).json()
        revisions = account.get(f"{LIST}/{identifier}/revisions")
        assert revisions[0] == made
        assert [each["createdAt"] for each in revisions] == sorted((e["createdAt"] for e in revisions), reverse=True)
        for each in revisions:
            one = f"{LIST}/{identifier}/revisions/{each['_id']}"
            assert account.get(one) == each
            assert account.get(f"{one}/errors") == []
            assert account.call("GET", f"{one}/diff").status_code == (404 if each["type"] == "snapshot" else 200)
    assert account.call("GET", f"{LIST}/{identifier}/revisions/66d1f000000000000000d00d").status_code == 404


def test_what_a_pull_changed_has_two_sides(account: CeligoAccount) -> None:
    revisions = [(document["_id"], each["_id"]) for document in account.listed()
                 for each in account.get(f"{LIST}/{document['_id']}/revisions") if each["type"] == "pull"]  # fmt: skip
    path = "{}/{}/revisions/{}/diff".format(LIST, *revisions[0])
    assert account.get(path).keys() == {"numConflicts", "before", "after"}
    account.simulator.world.turn("celigo.revision_diff", "current_merged")
    assert account.get(path).keys() == {"numConflicts", "current", "merged"}


def test_a_revision_can_take_its_time_and_hold_the_next_one_back(account: CeligoAccount) -> None:
    world = account.simulator.world
    world.turn("celigo.revision_seconds", 60)
    world.turn("celigo.one_revision_at_a_time", True)
    identifier = account.pick(is_plain)
    path = f"{LIST}/{identifier}/revisions"
    made = account.call("POST", f"{path}/create", {}).json()
    assert made["status"] == "inprogress"
    assert account.call("POST", f"{path}/create", {}).status_code == 422
    world.turn("celigo.in_progress_spelling", "in_progress")
    assert account.raw("GET", f"{path}/{made['_id']}").json()["status"] == "in_progress"
    world.turn("celigo.in_progress_spelling", "inprogress")
    world.move_clock(seconds=61)
    assert account.get(f"{path}/{made['_id']}")["status"] == "completed"
    assert account.call("POST", f"{path}/create", {}).status_code == 201


def test_a_revision_with_a_wrong_query_or_description_is_refused(account: CeligoAccount) -> None:
    path = f"{LIST}/{account.pick(is_plain)}/revisions/create"
    assert account.call("POST", path, {}, ignoreIfNoChanges="perhaps").status_code == 400
    assert account.call("POST", path, {"description": 5}).status_code == 422
    assert account.operations() == []


def test_clones_of_the_api_are_without_revisions(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    body = {"connectionMap": connection_map(account, identifier)}
    clone = account.call("POST", f"{LIST}/{identifier}/clone", body).json()["_id"]
    assert account.call("POST", f"{LIST}/{clone}/revisions/create", {}).status_code == 422
    assert account.call("POST", f"{LIST}/{identifier}/revisions/create", {}).status_code == 201
    account.simulator.world.turn("celigo.standalone_clones_refuse_revisions", False)
    assert account.call("POST", f"{LIST}/{clone}/revisions/create", {}).status_code == 201


# --- installing ---------------------------------------------------------------------------------------------------


def answer_to(account: CeligoAccount, step: Document) -> Document:
    """What a person would answer to a step."""
    if step["type"] == "connection":
        return {"_connectionId": account.get("/v1/connections")[0]["_id"]}
    return {"warehouse": "EAST"} if step["type"] == "form" else {}


def test_an_app_is_installed_step_by_step(account: CeligoAccount) -> None:
    identifier = account.pick(is_half_installed)
    path = f"{LIST}/{identifier}/installSteps"
    answer = account.call("GET", path)
    assert answer.status_code == 201
    steps = answer.json()
    assert account.call("GET", f"{LIST}/{identifier}/flows").status_code == 204
    left = [place for place, step in enumerate(steps) if not step["completed"]]
    for place in left:
        assert account.one(identifier)["mode"] == "install"
        answer = account.call("POST", path, answer_to(account, steps[place]))
        assert answer.status_code == 200
        steps = answer.json()
        assert [step["completed"] for step in steps] == [each <= place for each in range(len(steps))]
    after = account.one(identifier)
    assert after["mode"] == "settings"
    assert after["numFlows"] == len(account.get(f"{LIST}/{identifier}/flows")) > 0
    refused = account.call("POST", path, {})
    assert (refused.status_code, refused.json()["steps"]) == (422, steps)
    assert account.operations() == ["install_step"] * len(left)


def half_installed_with_a_connection_to_choose(account: CeligoAccount) -> str:
    """An app of which every step is still to be done."""
    identifier = account.pick(is_half_installed)
    world = account.simulator.world
    steps = [{**step, "completed": False} for step in account.one(identifier)["installSteps"]]
    number = next(n for n, document in enumerate(account.listed()) if document["_id"] == identifier)
    world.change_item(account.account, number, {"installSteps": steps, "_registeredConnectionIds": []})
    return identifier


def test_a_connection_is_chosen_or_made_on_the_way(account: CeligoAccount) -> None:
    identifier = half_installed_with_a_connection_to_choose(account)
    path = f"{LIST}/{identifier}/installSteps"
    chosen = account.get("/v1/connections")[3]["_id"]
    steps = account.call("POST", path, {"_connectionId": chosen}).json()
    assert steps[0]["_connectionId"] == chosen
    sent = {"type": "http", "name": "Ledger", "http": {"auth": {"token": {"token": "fake-key", "location": "header"}}}}
    steps = account.call("POST", path, {"connection": sent}).json()
    made = account.get(f"/v1/connections/{steps[1]['_connectionId']}")
    assert made["http"]["auth"]["token"] == {"token": "******", "location": "header"}
    assert account.one(identifier)["_registeredConnectionIds"] == [chosen, made["_id"]]
    assert made["_id"] in [each["_id"] for each in account.get("/v1/connections")]
    assert account.simulator.world.ledger(account.account.name)[-1]["result"] == made["_id"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("missing_required_field", "_connectionId")]),
        ({"warehouse": "EAST"}, [("missing_required_field", "_connectionId")]),
        ({"_connectionId": "66d1f0000000000000005005"}, [("invalid_ref", "_connectionId")]),
        (
            {"connection": {}},
            [("missing_required_field", "connection.name"), ("invalid_field", "connection.type")],
        ),
    ],
)
def test_a_wrong_answer_to_a_step_says_so_beside_the_steps(
    account: CeligoAccount, body: Document, expected: list[tuple[str, str]]
) -> None:
    identifier = half_installed_with_a_connection_to_choose(account)
    path = f"{LIST}/{identifier}/installSteps"
    answer = account.call("POST", path, body)
    assert (answer.status_code, codes(answer)) == (422, expected)
    assert answer.json()["steps"] == account.get(path)
    account.simulator.world.turn("celigo.failed_steps_are_sent", False)
    assert "steps" not in account.call("POST", path, body).json()
    assert not any(step["completed"] for step in account.get(path))


def test_a_step_may_ask_for_a_stack(account: CeligoAccount) -> None:
    identifier = half_installed_with_a_connection_to_choose(account)
    number = next(n for n, document in enumerate(account.listed()) if document["_id"] == identifier)
    steps = [{"name": "Stack", "type": "stack", "completed": False}]
    account.simulator.world.change_item(account.account, number, {"installSteps": steps})
    path, stack = f"{LIST}/{identifier}/installSteps", "66d1f0000000000000014014"
    assert account.call("POST", path, {"form": 1}).status_code == 422
    assert account.call("POST", path, {"_stackId": stack}).json()[0]["_stackId"] == stack


def test_steps_can_come_with_other_statuses_and_wrapped(account: CeligoAccount) -> None:
    world = account.simulator.world
    world.turn("celigo.install_steps_status", 200)
    world.turn("celigo.steps_reply", "object")
    identifier = half_installed_with_a_connection_to_choose(account)
    answer = account.call("GET", f"{LIST}/{identifier}/installSteps")
    assert answer.status_code == 200
    body = answer_to(account, answer.json()[0])
    assert set(account.call("POST", f"{LIST}/{identifier}/installSteps", body).json()) == {"steps", "warnings"}


# --- uninstalling -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [201, 204])
def test_an_app_is_uninstalled_step_by_step_and_then_gone(account: CeligoAccount, status: int) -> None:
    account.simulator.world.turn("celigo.uninstalled_status", status)
    identifier = account.pick(lambda d: "_connectorId" in d and d["mode"] == "settings" and not d["updateInProgress"])
    path = f"{LIST}/{identifier}/uninstallSteps"
    answer = account.call("GET", path)
    assert answer.status_code == 200
    for _ in answer.json():
        answer = account.call("POST", path, {"confirm": True})
        assert answer.status_code == 201
    assert all(step["completed"] for step in answer.json())
    assert account.one(identifier)["mode"] == "uninstall"
    last = account.call("POST", path, {})
    assert (last.status_code, last.text) == (status, "")
    assert account.call("GET", f"{LIST}/{identifier}").status_code == 404
    assert account.call("POST", path, {}).status_code == 404
    assert identifier not in [document["_id"] for document in account.listed()]
    assert set(account.operations()) == {"uninstall_step"}


def test_what_was_not_installed_is_not_uninstalled(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    assert account.call("POST", f"{LIST}/{identifier}/uninstallSteps", {}).status_code == 422
    assert account.one(identifier)


# --- template archives --------------------------------------------------------------------------------------------


def archive(account: CeligoAccount, identifier: str) -> dict[str, Any]:
    address = account.get(f"{LIST}/{identifier}/template")["signedURL"]
    with zipfile.ZipFile(io.BytesIO(requests.get(address, timeout=10).content)) as opened:
        return {name: json.loads(opened.read(name)) for name in opened.namelist()}


def test_an_archive_holds_everything_of_the_integration_without_secrets(account: CeligoAccount) -> None:
    identifier = account.pick(is_plain)
    account.call("PATCH", f"{LIST}/{identifier}", [{"op": "replace", "path": "/settings", "value": {"token": "fake"}}])
    files = archive(account, identifier)
    for kind in ("flows", "exports", "imports", "connections"):
        inside = {name.partition("/")[2] for name in files if name.startswith(f"{kind}/")}
        assert inside >= {f"{each['_id']}.json" for each in account.get(f"{LIST}/{identifier}/{kind}")}
    assert files[f"integrations/{identifier}.json"]["settings"] == {"token": "******"}
    account.simulator.world.turn("celigo.archive_layout", "manifest")
    objects = archive(account, identifier)["manifest.json"]["objects"]
    assert len(objects) == len(files)
    assert objects[0]["model"] == "Integration"


@pytest.mark.parametrize(("served", "other"), [("get", "post"), ("post", "get")])
def test_a_template_may_be_asked_for_in_one_way_only(account: CeligoAccount, served: str, other: str) -> None:
    account.simulator.world.turn("celigo.template_method", served)
    path = f"{LIST}/{account.pick(is_plain)}/template"
    assert account.call(served.upper(), path).status_code == 200
    assert account.call(other.upper(), path).status_code == 404
