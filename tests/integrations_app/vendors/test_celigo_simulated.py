"""Celigo's client against the simulator: what it does happens there, once, however the open questions turn out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from integrations_app.vendors.base import Connection, RemoteIntegration
from integrations_app.vendors.capabilities import CloneRequest, RemoteItem, SignedFile
from integrations_app.vendors.celigo import CeligoClient
from integrations_app.vendors.errors import (
    VendorAddressError,
    VendorForbiddenError,
    VendorNotFoundError,
    VendorOutcomeUnknownError,
    VendorRejectedError,
    VendorResponseError,
)

Connect = Callable[..., Connection]

ACCOUNT = "larkspur-celigo"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def client(connect: Connect) -> CeligoClient:
    return CeligoClient(connect(ACCOUNT))


def everything(client: CeligoClient) -> list[RemoteIntegration]:
    return [integration for page in client.list_integrations() for integration in page.items]


def plain(client: CeligoClient) -> RemoteIntegration:
    """An integration with flows, connections and a flow group, made by a person."""
    return next(
        each
        for each in everything(client)
        if each.raw["numFlows"] > 1
        and each.raw["_registeredConnectionIds"]
        and each.raw.get("flowGroupings")
        and "_connectorId" not in each.raw
        and not each.raw.get("updateInProgress")
    )


def with_errors(client: CeligoClient) -> tuple[RemoteIntegration, RemoteItem]:
    """An integration that has open errors, and the step with most of them."""
    found = next(each for each in everything(client) if each.raw.get("numError"))
    steps = client.read_listing("errors", found.remote_id).items
    return found, max(steps, key=lambda step: int(step.values["count"]))


def half_installed(client: CeligoClient) -> RemoteIntegration:
    return next(each for each in everything(client) if each.raw.get("mode") == "install" and each.raw["installSteps"])


def applied(simulator: SimulatorServer) -> list[str]:
    """The operations that the simulator really carried out, in order."""
    return [entry["operation"] for entry in simulator.world.ledger(ACCOUNT)]


# --- writing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", ["nothing", "document"])
def test_edits_arrive_and_nothing_else_changes(simulator: SimulatorServer, client: CeligoClient, reply: str) -> None:
    simulator.world.turn("celigo.patch_answer", reply)
    before = plain(client)
    group = before.raw["flowGroupings"][0]["_id"]
    client.edit_integration(before, {"tag": "beta", f"flowGroupings/{group}/settings": {"batch": 77}})
    patched = client.get_integration(before.remote_id)
    assert (patched.raw["tag"], patched.raw["flowGroupings"][0]["settings"]) == ("beta", {"batch": 77})
    client.edit_integration(patched, {"name": "Renamed", "readme": "Read me"})
    after = client.get_integration(before.remote_id)
    differing = {name for name in before.raw if before.raw[name] != after.raw.get(name)}
    assert differing <= {"name", "readme", "tag", "flowGroupings", "lastModified"}
    assert set(before.raw) <= set(after.raw)
    assert (after.name, after.raw["readme"]) == ("Renamed", "Read me")
    assert applied(simulator) == ["patch", "put"]


def test_what_is_made_is_listed_and_what_is_deleted_is_gone(simulator: SimulatorServer, client: CeligoClient) -> None:
    made = client.create_integration({"name": "Returns", "description": "Labels"})
    assert client.get_integration(made).name == "Returns"
    assert made in {each.remote_id for each in everything(client)}
    client.delete_integration(made)
    with pytest.raises(VendorNotFoundError):
        client.get_integration(made)
    with pytest.raises(VendorNotFoundError):
        client.delete_integration(made)
    assert applied(simulator) == ["create", "delete"]


def test_what_celigo_refuses_is_told_field_by_field(simulator: SimulatorServer, client: CeligoClient) -> None:
    with pytest.raises(VendorRejectedError) as refused:
        client.create_integration({"name": "x" * 101, "aliases": "none", "description": 17})
    assert refused.value.status == 422
    assert len(refused.value.reasons) >= 2
    simulator.world.turn("celigo.delete_with_flows", "refused")
    with pytest.raises(VendorRejectedError):
        client.delete_integration(plain(client).remote_id)
    assert applied(simulator) == []


def test_a_moved_group_and_a_mask_leave_the_simulator_as_it_was(
    simulator: SimulatorServer, client: CeligoClient
) -> None:
    before = plain(client)
    groups = before.raw["flowGroupings"]
    client.edit_integration(before, {"flowGroupings": [{"_id": "0" * 24, "name": "First"}, *groups]})
    simulator.world.reset_ledger()
    simulator.world.reset_hits()
    with pytest.raises(VendorRejectedError):
        client.edit_integration(before, {f"flowGroupings/{groups[0]['_id']}/settings": {"batch": 1}})
    assert [hit["method"] for hit in simulator.world.hits(ACCOUNT)["requests"]] == ["GET"]
    for changes in ({"settings": {"token": "******"}}, {"name": "x", "readme": "******"}):
        with pytest.raises(VendorRejectedError):
            client.edit_integration(before, changes)
    assert len(simulator.world.hits(ACCOUNT)["requests"]) == 1
    assert applied(simulator) == []


# --- copies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", ["resource", "manifest"])
def test_a_clone_is_there_with_what_its_preview_named(
    simulator: SimulatorServer, client: CeligoClient, reply: str
) -> None:
    simulator.world.turn("celigo.clone_reply", reply)
    source = plain(client)
    parts = client.preview_clone(source.remote_id)
    connections = [part.raw["_id"] for part in parts if part.model == "Connection"]
    clone_id = client.clone_integration(
        source.remote_id, CloneRequest("A clone", {each: each for each in connections}, is_sandbox=True)
    )
    clone = client.get_integration(clone_id)
    assert (clone.name, clone.raw["_sourceId"], clone.raw["sandbox"]) == ("A clone", source.remote_id, True)
    flows = client.read_listing("flows", clone_id).items
    assert len(flows) == len([part for part in parts if part.model == "Flow"])
    assert applied(simulator) == ["clone"]


def test_a_clone_without_a_full_map_is_refused(simulator: SimulatorServer, client: CeligoClient) -> None:
    with pytest.raises(VendorRejectedError) as refused:
        client.clone_integration(plain(client).remote_id, CloneRequest("A clone", {}))
    assert refused.value.status == 400
    assert refused.value.reasons[0][0] == "invalid_connectionMap"
    assert applied(simulator) == []


def test_an_unchanged_integration_gets_no_second_revision(simulator: SimulatorServer, client: CeligoClient) -> None:
    source = plain(client)
    first = client.create_revision(source.remote_id, note="before the freeze", only_if_changed=True)
    assert first is not None
    assert client.create_revision(source.remote_id, note="again", only_if_changed=True) is None
    second = client.create_revision(source.remote_id, note="again", only_if_changed=False)
    third = client.create_revision(source.remote_id, note="")
    assert second is not None
    assert third is not None
    listed = client.read_listing("revisions", source.remote_id).items
    assert [each.remote_id for each in listed[:3]] == [third.remote_id, second.remote_id, first.remote_id]
    assert listed[2].values["note"] == "before the freeze"
    assert applied(simulator) == ["revision"] * 3


# --- connections, steps, flows, errors -----------------------------------------------------------------------------


@pytest.mark.parametrize("reply", ["empty_array", "ids", "integration", "none"])
def test_connections_are_put_on_the_list_and_taken_off(
    simulator: SimulatorServer, client: CeligoClient, reply: str
) -> None:
    simulator.world.turn("celigo.register_reply", reply)
    target = plain(client)
    registered = {each.remote_id for each in client.read_listing("connections", target.remote_id).items}
    account = [each.remote_id for each in client.read_listing("account_connections", "").items]
    new = [each for each in account if each not in registered][:3]
    client.register_connections(target.remote_id, new[:2])
    client.register_connections(target.remote_id, new[2:])
    client.unregister_connection(target.remote_id, new[0])
    after = {each.remote_id for each in client.read_listing("connections", target.remote_id).items}
    assert after == registered | set(new[1:])
    with pytest.raises(VendorRejectedError):
        client.register_connections(target.remote_id, ["0" * 24, new[0]])
    assert applied(simulator) == ["register", "register", "unregister"]


@pytest.mark.parametrize("status", [200, 422])
def test_a_ping_tells_online_from_offline(simulator: SimulatorServer, client: CeligoClient, status: int) -> None:
    simulator.world.turn("celigo.refused_ping_status", status)
    account = client.read_listing("account_connections", "").items
    online = next(each for each in account if each.values["is_online"])
    offline = next(each for each in account if each.values["is_online"] is False)
    assert client.ping_connection(online.remote_id).ok
    refused = client.ping_connection(offline.remote_id)
    assert (refused.ok, refused.answer) == (False, "Invalid credentials")
    assert applied(simulator) == []


@pytest.mark.parametrize("reply", ["array", "object"])
@pytest.mark.parametrize("gone", [201, 204])
def test_an_app_is_installed_and_uninstalled_step_by_step(
    simulator: SimulatorServer, client: CeligoClient, reply: str, gone: int
) -> None:
    simulator.world.turn("celigo.steps_reply", reply)
    simulator.world.turn("celigo.uninstalled_status", gone)
    app = half_installed(client)
    connection = client.read_listing("account_connections", "").items[0].remote_id
    answers = {"connection": {"_connectionId": connection}, "stack": {"_stackId": "5" * 24}}
    steps = client.read_listing("install_steps", app.remote_id).items
    left = [step for step in steps if not step.values["is_completed"]]
    for step in left:
        done = client.submit_step(app.remote_id, answers.get(step.values["type"], {"a": 1}), uninstall=False)
        assert done is not None
        assert done[int(step.remote_id)].values["is_completed"]
    assert client.get_integration(app.remote_id).raw["mode"] == "settings"
    with pytest.raises(VendorRejectedError) as refused:
        client.submit_step(app.remote_id, {}, uninstall=False)
    assert refused.value.reasons
    submitted = 0
    while client.submit_step(app.remote_id, {}, uninstall=True) is not None:
        submitted += 1
    with pytest.raises(VendorNotFoundError):
        client.get_integration(app.remote_id)
    assert applied(simulator) == ["install_step"] * len(left) + ["uninstall_step"] * (submitted + 1)


@pytest.mark.parametrize("reply", ["job_id", "job", "none"])
def test_a_flow_is_switched_on_and_run(simulator: SimulatorServer, client: CeligoClient, reply: str) -> None:
    simulator.world.turn("celigo.run_reply", reply)
    flow = client.read_listing("flows", plain(client).remote_id).items[0]
    client.set_flow(flow.remote_id, is_on=False)
    assert client.read_flow(flow.remote_id).values["is_on"] is False
    with pytest.raises(VendorRejectedError):
        client.run_flow(flow.remote_id)
    client.set_flow(flow.remote_id, is_on=True)
    assert client.read_flow(flow.remote_id).values["is_on"] is True
    since = simulator.world.now()
    job = client.run_flow(flow.remote_id)
    runs = client.flow_runs(flow.remote_id, since)
    assert [run.remote_id for run in runs] == ([job] if reply != "none" else [runs[0].remote_id])
    assert bool(job) == (reply != "none")
    every = [run.at for run in client.flow_runs(flow.remote_id, LONG_AGO)]
    assert all(first >= second for first, second in pairwise(at for at in every if at is not None))


@pytest.mark.parametrize("style", ["relative", "absolute"])
def test_failed_records_are_read_to_the_last_page(simulator: SimulatorServer, client: CeligoClient, style: str) -> None:
    simulator.world.turn("celigo.next_page_url", style)
    simulator.world.turn("celigo.error_page_size", 10)
    integration, step = with_errors(client)
    records = client.read_listing("error_records", integration.remote_id, step.remote_id).items
    assert len(records) == step.values["count"] > 10
    assert len({record.remote_id for record in records}) == len(records)
    listed = client.read_listing("errors", integration.remote_id).items
    assert sum(each.values["count"] for each in listed) == integration.raw["numError"]


def test_failed_records_are_retried_and_resolved(simulator: SimulatorServer, client: CeligoClient) -> None:
    integration, step = with_errors(client)
    flow_id, step_id = step.values["flow_id"], step.values["step_id"]
    first, second = client.read_listing("error_records", integration.remote_id, step.remote_id).items[:2]
    client.retry_errors(flow_id, step_id, [first.values["retry_key"]])
    client.resolve_errors(flow_id, step_id, [second.remote_id])
    left = {each.remote_id for each in client.read_listing("error_records", "", step.remote_id).items}
    assert second.remote_id not in left
    with pytest.raises(VendorNotFoundError):
        client.resolve_errors("0" * 24, step_id, ["1"])
    assert applied(simulator) == ["retry", "resolve"]


# --- every listing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind.slug for kind in CeligoClient.listings if not kind.is_scoped])
def test_every_listing_of_some_integrations_is_read_whole(client: CeligoClient, kind: str) -> None:
    found: list[RemoteItem] = []
    for integration in everything(client)[:12]:
        listing = client.read_listing(kind, integration.remote_id)
        assert listing.bad == ()
        assert listing.is_whole
        found += listing.items
    assert found
    assert all(item.raw for item in found)


@pytest.mark.parametrize("shape", ["object", "array"])
def test_dependencies_are_read_in_either_shape(simulator: SimulatorServer, client: CeligoClient, shape: str) -> None:
    simulator.world.turn("celigo.dependencies_shape", shape)
    integration = plain(client)
    flows = {item.remote_id for item in client.read_listing("flows", integration.remote_id).items}
    named = client.read_listing("dependencies", integration.remote_id).items
    assert {item.remote_id for item in named if item.values["model"] == "flow"} == flows
    assert {item.values["direction"] for item in named if item.values["model"] == "flow"} == {"used by"}


def test_what_is_unknown_here_has_no_listing(client: CeligoClient) -> None:
    for kind in CeligoClient.listings:
        if kind.is_of_account:
            continue
        with pytest.raises(VendorNotFoundError):
            client.read_listing(kind.slug, "0" * 24, f"{'0' * 24}/{'0' * 24}")


# --- archives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["both", "get", "post"])
def test_an_archive_is_signed_and_fetched(simulator: SimulatorServer, client: CeligoClient, method: str) -> None:
    simulator.world.turn("celigo.template_method", method)
    integration = plain(client)
    for _ in range(2):
        file = client.sign_archive(integration.remote_id)
        content = b"".join(client.fetch_archive(file, limit_bytes=10_000_000))
        assert content.startswith(b"PK")
    assert file.name == f"{integration.remote_id}.zip"
    with pytest.raises(VendorResponseError):
        list(client.fetch_archive(file, limit_bytes=len(content) - 1))


def test_an_expired_address_is_refused_and_a_fresh_one_works(simulator: SimulatorServer, client: CeligoClient) -> None:
    integration = plain(client)
    file = client.sign_archive(integration.remote_id)
    simulator.world.move_clock(seconds=3600)
    with pytest.raises(VendorForbiddenError):
        list(client.fetch_archive(file, limit_bytes=10_000_000))
    assert list(client.fetch_archive(client.sign_archive(integration.remote_id), limit_bytes=10_000_000))
    with pytest.raises(VendorAddressError):
        client.fetch_archive(SignedFile(f"{simulator.url}/celigo/v1/tokenInfo", "x"), limit_bytes=10)


def test_an_integration_app_has_no_archive(client: CeligoClient) -> None:
    app = next(each for each in everything(client) if "_connectorId" in each.raw)
    with pytest.raises(VendorRejectedError):
        client.sign_archive(app.remote_id)


# --- lost answers --------------------------------------------------------------------------------------------------


def writes(client: CeligoClient) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """(operation in the ledger, HTTP method, the write) of everything that changes something."""
    integration = plain(client)
    remote_id = integration.remote_id
    connections = {
        part.raw["_id"]: part.raw["_id"] for part in client.preview_clone(remote_id)[1:] if part.model == "Connection"
    }
    account = [item.remote_id for item in client.read_listing("account_connections", "").items[:2]]
    flow = client.read_listing("flows", remote_id).items[0].remote_id
    client.set_flow(flow, is_on=True)
    erring, step = with_errors(client)
    record = client.read_listing("error_records", erring.remote_id, step.remote_id).items[0]
    place = (step.values["flow_id"], step.values["step_id"])
    app = half_installed(client).remote_id
    yield "patch", "PATCH", lambda: client.edit_integration(integration, {"tag": "lost"})
    yield "put", "PUT", lambda: client.edit_integration(integration, {"name": "Lost"})
    yield "create", "POST", lambda: client.create_integration({"name": "Lost"})
    yield "clone", "POST", lambda: client.clone_integration(remote_id, CloneRequest("Lost", connections))
    yield "revision", "POST", lambda: client.create_revision(remote_id, note="lost")
    yield "register", "PUT", lambda: client.register_connections(remote_id, account)
    yield "register", "PUT", lambda: client.register_connections(remote_id, account[:1])
    yield "unregister", "DELETE", lambda: client.unregister_connection(remote_id, account[0])
    yield "flow_patch", "PATCH", lambda: client.set_flow(flow, is_on=True)
    yield "run", "POST", lambda: client.run_flow(flow)
    yield "retry", "POST", lambda: client.retry_errors(*place, [record.values["retry_key"]])
    yield "resolve", "PUT", lambda: client.resolve_errors(*place, [record.remote_id])
    yield "uninstall_step", "POST", lambda: client.submit_step(app, {}, uninstall=True)
    yield "delete", "DELETE", lambda: client.delete_integration(remote_id)


@pytest.mark.parametrize("kind", ["reset_after", "truncate", "status"])
def test_a_lost_answer_is_unknown_and_applied_at_most_once(
    simulator: SimulatorServer, client: CeligoClient, kind: str
) -> None:
    for operation, method, write in writes(client):
        simulator.world.reset_ledger()
        simulator.world.add_fault(Fault("lost", kind, account=ACCOUNT, method=method, status=502, body="<html>"))
        try:
            write()
        except VendorOutcomeUnknownError:
            outcome = "unknown"
        else:
            outcome = "done"
        simulator.world.remove_fault("lost")
        done = [] if kind == "status" else [operation]
        assert applied(simulator) == done, operation
        # An answer that was only cut off after its status may still say that it was done, where that is enough.
        assert outcome == "unknown" or (kind == "truncate" and done), operation


def test_a_page_in_place_of_an_answer_says_nothing_about_what_was_made(
    simulator: SimulatorServer, client: CeligoClient
) -> None:
    needed = ("create", "clone", "revision", "run", "uninstall_step")
    for operation, method, write in writes(client):
        if operation in needed:
            simulator.world.reset_ledger()
            simulator.world.add_fault(Fault("page", "content", account=ACCOUNT, method=method))
            with pytest.raises(VendorOutcomeUnknownError):
                write()
            simulator.world.remove_fault("page")
            assert applied(simulator) == [operation]
