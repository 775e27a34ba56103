"""Failed records, tried again or marked as resolved: what and how many is said first, and each happens once."""

from __future__ import annotations

from typing import Any

import pytest

from console.access.models import User
from integrations_app.models import Integration, VendorAccount
from integrations_app.services import listings
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.services.mirroring import owner_of
from tests.integrations_app.services.operations.writing import checked, done, facts, lose_answer, sent
from tests.integrations_app.services.writing import mirrored

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "larkspur-celigo"
RETRY, RESOLVE = "retry_errors", "resolve_errors"


@pytest.fixture(autouse=True)
def nothing_to_wait_for(settings: Any) -> None:
    """A lost answer is believed lost at once."""
    settings.WRITE_SETTLE_SECONDS = 0


@pytest.fixture
def account(simulator: SimulatorServer) -> VendorAccount:
    return mirrored(simulator, NAME)


@pytest.fixture
def by(account: VendorAccount) -> User:
    return owner_of(account.tenant)


@pytest.fixture
def step(account: VendorAccount) -> tuple[Integration, str]:
    """An integration and the step of it that has twelve errors or more."""
    rows = Integration.objects.filter(vendor_account=account, finding_code="errors", finding_count__gt=11)
    for row in rows.order_by("finding_count", "remote_id").select_related("tenant", "vendor_account__tenant"):
        for item in listings.items(listings.read(account, row, "errors")):
            if item["values"]["count"] >= 12:
                return row, item["remote_id"]
    raise AssertionError("no step has so many errors")


def listed(account: VendorAccount, step: tuple[Integration, str]) -> dict[str, bool]:
    """The ids of the open records, and whether they can be tried again."""
    row = listings.read(account, step[0], "error_records", step[1])
    return {item["remote_id"]: item["values"]["is_retryable"] for item in listings.items(row)}


def asked(operation: str, step: tuple[Integration, str], by: User, errors: list[str]) -> Any:
    params = {"scope": step[1], "step": "Create orders", "errors": errors}
    return checked(operation, by=by, integration=step[0], params=params)


def test_records_are_tried_again_and_what_cannot_be_is_said(
    simulator: SimulatorServer, account: VendorAccount, step: tuple[Integration, str], by: User
) -> None:
    ids = list(listed(account, step))
    chosen = [*ids[:12], "gone-since"]
    stuck = [each for each, can in listed(account, step).items() if each in chosen and not can]
    assert stuck
    write = asked(RETRY, step, by, chosen)
    assert write.state == "ready", write.sentence
    assert write.title.startswith("Retry 13 records in Create orders of ")
    told = facts(write)
    assert f"{12 - len(stuck)} records are tried again" in told
    assert "kept no data to try 1 record again" in told
    assert "not open any more" in told
    assert "gone-since" in told
    assert not done(simulator, NAME, "retry")

    write = sent(write, by=by)
    assert write.state == "done", write.sentence
    assert len(done(simulator, NAME, "retry")) == 1
    left = listed(account, step)
    assert set(left) & set(chosen) == set(stuck)
    errors = listings.find(step[0], "errors")
    assert errors is not None
    counts = {item["remote_id"]: item["values"]["count"] for item in listings.items(errors)}
    assert counts[step[1]] == len(left)
    step[0].refresh_from_db()
    assert step[0].finding_count < len(ids) + sum(counts.values())


def test_one_record_is_resolved_and_no_other(
    simulator: SimulatorServer, account: VendorAccount, step: tuple[Integration, str], by: User
) -> None:
    before = listed(account, step)
    one = next(iter(before))
    write = asked(RESOLVE, step, by, [one, one])
    assert "Nothing is tried again" in write.plan["consequence"]
    write = sent(write, by=by)
    assert (write.state, write.sentence) == ("done", "1 record marked as resolved.")
    assert set(before) - set(listed(account, step)) == {one}
    again = asked(RESOLVE, step, by, [one])
    assert (again.state, again.sentence) == ("not_done", "None of these records is open any more.")
    assert len(done(simulator, NAME, "resolve")) == 1


@pytest.mark.parametrize(
    ("operation", "kind", "state"),
    [
        (RETRY, "reset_after", "done"),
        (RETRY, "reset", "not_done"),
        (RESOLVE, "reset_after", "done"),
        (RESOLVE, "reset", "not_done"),
    ],
)
def test_a_lost_answer_is_settled_by_the_list(
    simulator: SimulatorServer,
    account: VendorAccount,
    step: tuple[Integration, str],
    by: User,
    operation: str,
    kind: str,
    state: str,
) -> None:
    before = listed(account, step)
    write = asked(operation, step, by, list(before)[:12])
    lose_answer(simulator, "*", "/(retry|resolved)$", kind)
    write = sent(write, by=by)
    assert write.state == state, write.sentence
    assert (
        len(listed(account, step)) == len(before) if state == "not_done" else len(listed(account, step)) < len(before)
    )
    assert len(simulator.world.ledger(NAME)) == (state == "done")


def test_records_a_vendor_may_go_on_listing_are_left_to_a_person(
    simulator: SimulatorServer, account: VendorAccount, step: tuple[Integration, str], by: User
) -> None:
    # Resolved or not, those that can be tried again may still stand in the list.
    retryable = [each for each, can in listed(account, step).items() if can][:2]
    simulator.world.turn("celigo.resolved_errors_stay", True)
    write = asked(RESOLVE, step, by, retryable)
    lose_answer(simulator, "PUT", "/resolved$", "reset_after")
    write = sent(write, by=by)
    assert write.state == "unknown"
    assert "still lists 2 of the 2 records" in write.result["look_at"][0]
    assert len(done(simulator, NAME, "resolve")) == 1


def test_a_step_of_another_integration_is_refused(
    simulator: SimulatorServer, account: VendorAccount, step: tuple[Integration, str], by: User
) -> None:
    one = next(iter(listed(account, step)))
    other = Integration.objects.filter(vendor_account=account).exclude(pk=step[0].pk).order_by("remote_id")[0]
    for operation in (RETRY, RESOLVE):
        write = asked(operation, (other, step[1]), by, [one])
        assert (write.state, "no such flow" in write.sentence) == ("not_done", True)
    for errors in ([], [str(number) for number in range(1001)]):
        assert "Choose between 1 and 1,000 records" in asked(RESOLVE, step, by, errors).sentence
    assert simulator.world.ledger(NAME) == []
