"""Registering connections of the account with an integration, and taking one off its list."""

from __future__ import annotations

from typing import Any

import pytest

from console.access.models import User
from integrations_app.models import Integration, VendorAccount
from integrations_app.services import integrations, listings
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.services.mirroring import owner_of
from tests.integrations_app.services.operations.writing import checked, done, facts, lose_answer, sent
from tests.integrations_app.services.writing import CELIGO, mirrored

pytestmark = pytest.mark.django_db(transaction=True)
REGISTER, UNREGISTER = "register_connections", "unregister_connection"


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
    """One with a registered connection that a step uses."""
    rows = Integration.objects.filter(vendor_account=account).order_by("remote_id")
    for row in rows.select_related("tenant", "vendor_account__tenant"):
        steps = listings.items(listings.read(account, row, "exports"))
        if registered(account, row) & {step["values"]["connection_id"] for step in steps}:
            return row
    raise AssertionError("no connection is used")


def registered(account: VendorAccount, integration: Integration) -> set[str]:
    return {item["remote_id"] for item in listings.items(listings.read(account, integration, "connections"))}


def others(account: VendorAccount, integration: Integration, count: int) -> list[dict[str, Any]]:
    there = registered(account, integration)
    rows = listings.items(listings.read(account, None, "account_connections"))
    return [item for item in rows if item["remote_id"] not in there][:count]


def test_several_are_registered_at_once_with_a_result_for_each(
    simulator: SimulatorServer, account: VendorAccount, integration: Integration, by: User
) -> None:
    before, fresh = registered(account, integration), others(account, integration, 3)
    ids = [item["remote_id"] for item in fresh]
    params = {"connections": [*ids, next(iter(before)), "0" * 24]}
    write = checked(REGISTER, by=by, integration=integration, params=params)
    assert write.state == "ready", write.sentence
    told = facts(write)
    for item in fresh:
        assert f"{item['name']} · {item['values']['type']}" in told
    assert "Registered already" in told
    assert "Not in the account any more" in told
    assert not simulator.world.ledger(CELIGO)

    write = sent(write, by=by)
    assert (write.state, write.sentence) == ("done", "3 connections registered.")
    assert write.result["rows"] == [f"{item['name']}: registered" for item in fresh]
    assert len(done(simulator, CELIGO, "register")) == 1
    assert registered(account, integration) == before | set(ids)
    raw = integrations.read_afresh(integration).raw
    assert set(raw["_registeredConnectionIds"]) == before | set(ids)
    again = checked(REGISTER, by=by, integration=integration, params={"connections": ids})
    assert again.state == "not_done"
    assert "registered already" in again.sentence


@pytest.mark.parametrize(("kind", "state", "times"), [("reset_after", "done", 1), ("reset", "not_done", 0)])
@pytest.mark.parametrize("count", [1, 2])
def test_a_lost_answer_to_registering_is_settled_by_the_list(
    simulator: SimulatorServer,
    account: VendorAccount,
    integration: Integration,
    by: User,
    kind: str,
    state: str,
    times: int,
    count: int,
) -> None:
    ids = [item["remote_id"] for item in others(account, integration, count)]
    write = checked(REGISTER, by=by, integration=integration, params={"connections": ids})
    lose_answer(simulator, "PUT", "/register$", kind)
    assert sent(write, by=by).state == state
    assert len(done(simulator, CELIGO, "register")) == times
    assert (set(ids) <= registered(account, integration)) is bool(times)


def test_taking_one_off_warns_of_the_steps_that_use_it(
    simulator: SimulatorServer, account: VendorAccount, integration: Integration, by: User
) -> None:
    steps = listings.items(listings.read(account, integration, "exports"))
    used = next(
        step["values"]["connection_id"]
        for step in steps
        if step["values"]["connection_id"] in registered(account, integration)
    )
    name = next(step["name"] for step in steps if step["values"]["connection_id"] == used)
    params = {"connection": used, "name": "The shop"}
    write = checked(UNREGISTER, by=by, integration=integration, params=params)
    assert write.state == "ready", write.sentence
    assert "would go on using it" in facts(write)
    assert name in facts(write)
    write = sent(write, by=by)
    assert (write.state, write.sentence) == ("done", "The shop is not registered any more.")
    assert used not in registered(account, integration)
    assert len(done(simulator, CELIGO, "unregister")) == 1
    again = checked(UNREGISTER, by=by, integration=integration, params=params)
    assert "not registered" in again.sentence


@pytest.mark.parametrize(("kind", "state", "times"), [("reset_after", "done", 1), ("reset", "not_done", 0)])
def test_a_lost_answer_to_taking_one_off_is_settled_by_the_list(
    simulator: SimulatorServer,
    account: VendorAccount,
    integration: Integration,
    by: User,
    kind: str,
    state: str,
    times: int,
) -> None:
    one = sorted(registered(account, integration))[0]
    write = checked(UNREGISTER, by=by, integration=integration, params={"connection": one, "name": "The shop"})
    lose_answer(simulator, "DELETE", "/register$", kind)
    assert sent(write, by=by).state == state
    assert len(done(simulator, CELIGO, "unregister")) == times


def test_too_many_or_none_are_refused(
    simulator: SimulatorServer, account: VendorAccount, integration: Integration, by: User
) -> None:
    for ids in ([], [str(number) for number in range(201)]):
        write = checked(REGISTER, by=by, integration=integration, params={"connections": ids})
        assert "Choose between 1 and 200 connections" in write.sentence
    assert not simulator.world.ledger(CELIGO)
