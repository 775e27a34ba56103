from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from console.access.models import Grant, Tenant, User
from integrations_app.models import Integration, VendorAccount, VendorWrite
from integrations_app.services import vendor_writes
from integrations_app.services.errors import InvalidError
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.services.mirroring import added, owner_of, sync, tenant
from tests.integrations_app.services.operations.writing import checked, done, facts, lose_answer, sent, work

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "larkspur-celigo-sandbox"
DOCUMENT = {"name": "Orders to ERP", "description": "Nightly", "settings": {"token": "hunter-2-secret"}}


@pytest.fixture
def owner(simulator: SimulatorServer) -> User:
    return owner_of(tenant())


@pytest.fixture
def account(simulator: SimulatorServer, owner: User) -> VendorAccount:
    return added(simulator, NAME, by=owner, at=Tenant.objects.get())


def ask(account: VendorAccount, owner: User, **document: Any) -> VendorWrite:
    return checked("create", by=owner, account=account, params={"document": {**DOCUMENT, **document}})


def test_what_is_confirmed_is_made_once_and_mirrored(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    write = ask(account, owner)
    assert (write.state, write.title) == ("ready", "Create Orders to ERP")
    assert "No other integration" in facts(write)
    assert [change["label"] for change in write.changes] == ["Name", "Description", "Settings"]
    assert "hunter-2" not in str(write.plan)
    assert not done(simulator, NAME, "create")

    write = sent(write, by=owner)
    assert write.state == "done", write.sentence
    assert write.made is not None
    assert (write.made.name, write.made.tenant_id, write.result["not_taken"]) == (
        "Orders to ERP",
        account.tenant_id,
        [],
    )
    assert [entry["result"] for entry in done(simulator, NAME, "create")] == [write.made.remote_id]


def test_a_form_posted_ten_times_makes_one(simulator: SimulatorServer, account: VendorAccount, owner: User) -> None:
    key = vendor_writes.new_key()
    params = {"document": DOCUMENT}
    writes = {vendor_writes.request("create", by=owner, account=account, params=params, key=key).pk for _ in range(10)}
    assert len(writes) == 1
    write = sent(work(VendorWrite.objects.get()), by=owner)
    assert sent(write, by=owner).state == "done"
    assert len(done(simulator, NAME, "create")) == 1


def test_a_name_that_is_taken_is_told_and_asked_about_again_when_it_appears_meanwhile(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    write, second = ask(account, owner), ask(account, owner)
    assert sent(write, by=owner).state == "done"
    after = sent(second, by=owner)
    assert (after.state, len(done(simulator, NAME, "create"))) == ("ready", 1)
    assert "has this name already" in facts(after)
    assert sent(after, by=owner).state == "done"
    assert len({entry["result"] for entry in done(simulator, NAME, "create")}) == 2


def test_every_reason_of_a_refusal_is_kept(simulator: SimulatorServer, account: VendorAccount, owner: User) -> None:
    write = ask(account, owner)
    errors = [{"code": "invalid_field", "message": "Too odd.", "field": "name"}, {"code": "invalid_ref"}]
    refusal = Fault("no", "status", method="POST", path="integrations", status=422, body=json.dumps({"errors": errors}))
    simulator.world.add_fault(refusal)
    write = sent(write, by=owner)
    assert (write.state, write.vendor_status) == ("not_done", 422)
    assert [reason["code"] for reason in write.result["reasons"]] == ["invalid_field", "invalid_ref"]
    assert not Integration.objects.exists()


@pytest.mark.parametrize("document", [{"name": " "}, {"name": "x" * 101}, {"_id": "mine"}, {"numError": 3}])
def test_what_the_vendor_takes_no_such_field_of_is_never_sent(
    simulator: SimulatorServer, account: VendorAccount, owner: User, document: dict[str, Any]
) -> None:
    assert ask(account, owner, **document).state == "not_done"
    assert not done(simulator, NAME, "create")


@pytest.mark.parametrize("kind", ["reset_after", "status_after", "truncate"])
def test_an_answer_lost_after_it_was_made_is_found_in_the_list(
    simulator: SimulatorServer, account: VendorAccount, owner: User, kind: str
) -> None:
    write = ask(account, owner)
    lose_answer(simulator, "POST", "integrations", kind)
    write = sent(write, by=owner)
    assert write.state == "done", write.sentence
    assert write.made is not None
    assert [entry["result"] for entry in done(simulator, NAME, "create")] == [write.made.remote_id]


def test_a_request_lost_before_it_was_carried_out_made_nothing(
    simulator: SimulatorServer, account: VendorAccount, owner: User, settings: Any
) -> None:
    settings.WRITE_SETTLE_SECONDS = 0
    write = ask(account, owner)
    lose_answer(simulator, "POST", "integrations", "reset")
    assert sent(write, by=owner).state == "not_done"
    assert not done(simulator, NAME, "create")


def test_two_lost_answers_of_one_name_are_never_both_taken_for_the_same(
    simulator: SimulatorServer, account: VendorAccount, owner: User, settings: Any
) -> None:
    """One was made, one was not, and nobody saw which: neither may claim what is found."""
    settings.WRITE_SETTLE_SECONDS = 0
    first, second = ask(account, owner), ask(account, owner)
    VendorWrite.objects.filter(pk=second.pk).update(state="unknown", sent_at=first.created_at)
    lose_answer(simulator, "POST", "integrations", "reset_after")
    first = sent(first, by=owner)
    assert first.state == "unknown"
    assert "Orders to ERP" in first.result["look_at"][0]


def test_whoever_lost_the_right_meanwhile_makes_nothing(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    write = ask(account, owner)
    confirmed = vendor_writes.confirm(write, by=owner, answers={})
    Grant.objects.all().delete()
    stopped = work(confirmed)
    assert stopped.job is not None
    assert (stopped.job.state, stopped.sent_at) == ("failed", None)
    with pytest.raises(PermissionDenied):
        ask(account, owner)
    assert not done(simulator, NAME, "create")


def test_a_vendor_without_it_is_told_apart(simulator: SimulatorServer, owner: User) -> None:
    torq = added(simulator, "nordhavn-torq-subsidiary", by=owner, at=Tenant.objects.get())
    sync(torq)
    with pytest.raises(InvalidError):
        ask(torq, owner)
