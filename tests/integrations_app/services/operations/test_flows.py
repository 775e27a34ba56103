"""Switching flows on and off and running them: the consequence is named first, and it happens once."""

from __future__ import annotations

from typing import Any, cast

import pytest

from console.access.models import User
from integrations_app.models import Integration, VendorAccount
from integrations_app.services import listings, vendor_accounts
from integrations_app.simulator.server import SimulatorServer
from integrations_app.vendors.capabilities import RemoteItem, SupportsFlows
from tests.integrations_app.services.mirroring import owner_of
from tests.integrations_app.services.operations.writing import checked, done, facts, lose_answer, sent
from tests.integrations_app.services.writing import CELIGO, mirrored

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_to_wait_for(settings: Any) -> None:
    """A lost answer is believed lost at once."""
    settings.WRITE_SETTLE_SECONDS = 0


@pytest.fixture
def account(simulator: SimulatorServer) -> VendorAccount:
    return mirrored(simulator)


@pytest.fixture
def by(account: VendorAccount) -> User:
    return owner_of(account.tenant)


@pytest.fixture
def integration(account: VendorAccount) -> Integration:
    """One with a flow that is on, listed here."""
    rows = Integration.objects.filter(vendor_account=account).order_by("remote_id")
    for row in rows.select_related("tenant", "vendor_account__tenant"):
        if any(item["values"]["is_on"] for item in listings.items(listings.read(account, row, "flows"))):
            return row
    raise AssertionError("no flow is on")


def flow_of(integration: Integration) -> dict[str, Any]:
    listing = listings.find(integration, "flows")
    assert listing is not None
    return next(item for item in listings.items(listing) if item["values"]["is_on"])


def held(account: VendorAccount, flow_id: str) -> RemoteItem:
    return cast(SupportsFlows, vendor_accounts.connect(account)).read_flow(flow_id)


def test_a_flow_is_switched_off_and_on_again_after_saying_what_follows(
    simulator: SimulatorServer, account: VendorAccount, integration: Integration, by: User
) -> None:
    flow = flow_of(integration)
    params = {"flow": flow["remote_id"], "name": flow["name"], "is_on": False}
    write = checked("switch_flow", by=by, integration=integration, params=params)
    assert write.state == "ready", write.sentence
    assert write.title == f"Switch off {flow['name']} of {integration.name}"
    assert "Nothing runs in" in write.plan["consequence"]
    assert [(change["before"], change["after"]) for change in write.changes] == [(True, False)]
    assert not done(simulator, CELIGO, "flow_patch")

    write = sent(write, by=by)
    assert (write.state, write.sentence) == ("done", f"“{flow['name']}” is off.")
    assert len(done(simulator, CELIGO, "flow_patch")) == 1
    assert held(account, flow["remote_id"]).values["is_on"] is False
    row = listings.find(integration, "flows")
    assert row is not None
    assert {item["remote_id"]: item["values"]["is_on"] for item in listings.items(row)}[flow["remote_id"]] is False

    again = checked("switch_flow", by=by, integration=integration, params=params)
    assert (again.state, again.sentence) == ("not_done", f"“{flow['name']}” is off already.")
    back = checked("switch_flow", by=by, integration=integration, params={**params, "is_on": True})
    assert "from now on" in back.plan["consequence"]
    assert sent(back, by=by).state == "done"
    assert len(done(simulator, CELIGO, "flow_patch")) == 2


def test_a_flow_that_somebody_else_switched_meanwhile_is_not_switched(
    simulator: SimulatorServer, account: VendorAccount, integration: Integration, by: User
) -> None:
    flow = flow_of(integration)
    params = {"flow": flow["remote_id"], "name": flow["name"], "is_on": False}
    write = checked("switch_flow", by=by, integration=integration, params=params)
    cast(SupportsFlows, vendor_accounts.connect(account)).set_flow(flow["remote_id"], is_on=False)
    assert sent(write, by=by).state == "not_done"
    assert len(done(simulator, CELIGO, "flow_patch")) == 1


@pytest.mark.parametrize(("kind", "state", "times"), [("reset_after", "done", 1), ("reset", "not_done", 0)])
def test_a_lost_answer_to_a_switch_is_settled_by_reading_the_flow(
    simulator: SimulatorServer, integration: Integration, by: User, kind: str, state: str, times: int
) -> None:
    flow = flow_of(integration)
    params = {"flow": flow["remote_id"], "name": flow["name"], "is_on": False}
    write = checked("switch_flow", by=by, integration=integration, params=params)
    lose_answer(simulator, "PATCH", "/flows/", kind)
    assert sent(write, by=by).state == state
    assert len(done(simulator, CELIGO, "flow_patch")) == times


def test_a_flow_of_another_integration_is_refused(
    simulator: SimulatorServer, account: VendorAccount, integration: Integration, by: User
) -> None:
    flow = flow_of(integration)
    other = Integration.objects.filter(vendor_account=account).exclude(pk=integration.pk).order_by("remote_id")[0]
    for operation, more in (("switch_flow", {"is_on": False}), ("run_flow", {})):
        params = {"flow": flow["remote_id"], "name": flow["name"], **more}
        write = checked(operation, by=by, integration=other, params=params)
        assert write.state == "not_done"
        assert "no such flow" in write.sentence
    assert simulator.world.ledger(CELIGO) == []


def test_a_flow_runs_once(simulator: SimulatorServer, integration: Integration, by: User) -> None:
    simulator.world.turn("celigo.run_seconds", 600)
    flow = flow_of(integration)
    params = {"flow": flow["remote_id"], "name": flow["name"]}
    write = checked("run_flow", by=by, integration=integration, params=params)
    assert write.state == "ready", write.sentence
    assert "moves real records" in write.plan["consequence"]
    write = sent(write, by=by)
    assert write.state == "done", write.sentence
    runs = done(simulator, CELIGO, "run")
    assert len(runs) == 1
    assert write.result["run"] == runs[0]["result"]
    again = checked("run_flow", by=by, integration=integration, params=params)
    assert "running already" in facts(again)


@pytest.mark.parametrize(("kind", "state", "times"), [("reset_after", "done", 1), ("reset", "not_done", 0)])
def test_a_lost_answer_to_a_run_is_settled_by_the_runs_that_are_new(
    simulator: SimulatorServer, integration: Integration, by: User, kind: str, state: str, times: int
) -> None:
    flow = flow_of(integration)
    params = {"flow": flow["remote_id"], "name": flow["name"]}
    before = sent(checked("run_flow", by=by, integration=integration, params=params), by=by)
    assert before.state == "done"
    write = checked("run_flow", by=by, integration=integration, params=params)
    lose_answer(simulator, "POST", "/run", kind)
    write = sent(write, by=by)
    assert write.state == state, write.sentence
    runs = done(simulator, CELIGO, "run")
    assert len(runs) == 1 + times
    if times:
        assert write.result["run"] == runs[1]["result"]


def test_two_new_runs_are_left_to_a_person(
    simulator: SimulatorServer, account: VendorAccount, integration: Integration, by: User
) -> None:
    from integrations_app.services.operations.base import Context, Verdict
    from integrations_app.services.operations.flows import RunFlow
    from tests.integrations_app.services.mirroring import Watched

    flow = flow_of(integration)
    params = {"flow": flow["remote_id"], "name": flow["name"]}
    write = sent(checked("run_flow", by=by, integration=integration, params=params), by=by)
    client = vendor_accounts.connect(account)
    cast(SupportsFlows, client).run_flow(flow["remote_id"])
    context = Context(write, account, client, params, {}, Watched(), {"known": []})
    settled = RunFlow().settle(context)
    assert settled.verdict is Verdict.UNDECIDED
    assert "2 runs" in settled.look_at[0]
