from __future__ import annotations

import json
from typing import Any

import pytest

from console.access.models import Grant, Tenant, User
from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.models import Integration, VendorAccount, VendorWrite
from integrations_app.services import clone_targets
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.services.mirroring import added, owner_of, sync, tenant
from tests.integrations_app.services.operations.writing import checked, done, facts, lose_answer, sent
from tests.people import give

pytestmark = pytest.mark.django_db(transaction=True)
NAME, ELSEWHERE = "larkspur-celigo-sandbox", "larkspur-celigo"


@pytest.fixture
def account(simulator: SimulatorServer) -> VendorAccount:
    here = tenant()
    account = added(simulator, NAME, by=owner_of(here), at=here)
    sync(account)
    return account


@pytest.fixture
def owner(account: VendorAccount) -> User:
    return User.objects.get()


def source(account: VendorAccount) -> Integration:
    """One with flows."""
    from integrations_app.services.integrations import load_document

    rows = Integration.objects.filter(vendor_account=account, state="active").select_related("tenant", "vendor_account")
    return next(row for row in rows.order_by("name") if (load_document(row) or {}).get("numFlows"))


def ask(one: Integration, owner: User, target: VendorAccount, name: str = "Copy for the pilot") -> VendorWrite:
    params = {"account": str(target.pk), "name": name, "environment": "", "is_sandbox": None}
    return checked("clone", by=owner, integration=one, params=params)


def test_a_clone_goes_through_the_very_same_connections_and_is_mirrored(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one = source(account)
    write = ask(one, owner, account)
    assert write.state == "ready", write.sentence
    questions = write.plan["questions"]
    assert questions
    assert all(question["name"] == f"connection:{question['initial']}" for question in questions)
    assert "What does not travel" in facts(write)
    assert "Flow" in facts(write)
    assert "******" not in json.dumps(write.plan)

    write = sent(write, by=owner)
    assert write.state == "done", write.sentence
    assert write.made is not None
    assert (write.made.name, write.made.vendor_account_id) == ("Copy for the pilot", account.pk)
    assert [entry["result"] for entry in done(simulator, NAME, "clone")] == [write.made.remote_id]
    assert AuditEvent.objects.filter(event=Event.WRITE_DONE).count() == 1


def test_another_connection_of_the_same_type_may_stand_in(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    write = ask(source(account), owner, account)
    question = next(each for each in write.plan["questions"] if len(each["choices"]) > 1)
    other = next(value for value, _ in question["choices"] if value != question["initial"])
    write = sent(write, by=owner, **{question["name"]: other})
    assert write.state == "done"
    assert any(question["label"] in row and dict(question["choices"])[other] in row for row in write.result["rows"])
    assert len(done(simulator, NAME, "clone")) == 1


def test_a_list_of_everything_made_names_the_clone_too(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    simulator.world.turn("celigo.clone_reply", "manifest")
    write = sent(ask(source(account), owner, account), by=owner)
    assert write.made is not None
    assert write.made.remote_id == done(simulator, NAME, "clone")[0]["result"]


def test_a_refused_map_of_connections_is_told(simulator: SimulatorServer, account: VendorAccount, owner: User) -> None:
    write = ask(source(account), owner, account)
    errors = [{"code": "invalid_connectionMap", "message": "connectionMap is missing an entry."}]
    body = json.dumps({"errors": errors})
    simulator.world.add_fault(Fault("no", "status", method="POST", path="clone", status=400, body=body))
    write = sent(write, by=owner)
    assert (write.state, write.vendor_status) == ("not_done", 400)
    assert write.result["reasons"][0]["code"] == "invalid_connectionMap"


@pytest.mark.parametrize("kind", ["reset_after", "status_after"])
def test_an_answer_lost_after_it_was_made_is_found_by_its_source(
    simulator: SimulatorServer, account: VendorAccount, owner: User, kind: str
) -> None:
    write = ask(source(account), owner, account)
    lose_answer(simulator, "POST", "clone", kind)
    write = sent(write, by=owner)
    assert write.state == "done", write.sentence
    assert write.made is not None
    assert [entry["result"] for entry in done(simulator, NAME, "clone")] == [write.made.remote_id]


def test_a_request_lost_before_it_was_carried_out_made_nothing(
    simulator: SimulatorServer, account: VendorAccount, owner: User, settings: Any
) -> None:
    settings.WRITE_SETTLE_SECONDS = 0
    write = ask(source(account), owner, account)
    lose_answer(simulator, "POST", "clone", "reset")
    assert sent(write, by=owner).state == "not_done"
    assert not done(simulator, NAME, "clone")


# --- two tenants ---------------------------------------------------------------------------------------------------


@pytest.fixture
def beside(simulator: SimulatorServer, account: VendorAccount, owner: User) -> VendorAccount:
    """Another tenant's account that opens the same place at the vendor."""
    there = tenant("Kestrel")
    give(owner, "editor", there)
    return added(simulator, NAME, at=there)


def test_targets_are_accounts_that_open_the_same_place_where_the_person_may_create(
    simulator: SimulatorServer, account: VendorAccount, owner: User, beside: VendorAccount
) -> None:
    other_place = added(simulator, ELSEWHERE, at=Tenant.objects.get(name="Larkspur"), by=owner)
    one, foreign = source(account), tenant("Stranger")
    added(simulator, NAME, at=foreign)

    def offered() -> dict[str, bool]:
        return {str(target.account.pk): not target.reason for target in clone_targets.targets(one, owner)}

    assert offered() == {str(account.pk): True, str(beside.pk): False, str(other_place.pk): False}
    sync(beside)
    assert offered() == {str(account.pk): True, str(beside.pk): True, str(other_place.pk): False}


def test_a_clone_for_another_tenant_stands_in_its_mirror_and_in_its_audit_log(
    simulator: SimulatorServer, account: VendorAccount, owner: User, beside: VendorAccount
) -> None:
    one = source(account)
    write = ask(one, owner, beside)
    assert write.state == "ready", write.sentence
    assert "Kestrel" in facts(write)
    write = sent(write, by=owner)
    assert write.made is not None
    assert (write.state, write.made.tenant_id) == ("done", beside.tenant_id)
    told = AuditEvent.objects.get(event=Event.WRITE_DONE, tenant_id=beside.tenant_id)
    assert (told.by_id, told.target_id) == (owner.pk, write.made.pk.hex)
    assert "from Larkspur" in told.sentence


def test_an_account_that_opens_another_place_is_refused_whatever_was_asked(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    elsewhere = added(simulator, ELSEWHERE, at=Tenant.objects.get(), by=owner)
    write = ask(source(account), owner, elsewhere)
    assert (write.state, write.sentence) == ("not_done", clone_targets.ELSEWHERE)


def test_who_may_not_create_at_the_other_tenant_clones_nothing_there(
    simulator: SimulatorServer, account: VendorAccount, owner: User, beside: VendorAccount
) -> None:
    write = ask(source(account), owner, beside)
    Grant.objects.filter(user=owner, tenant=beside.tenant).delete()
    assert "may not create integrations" in ask(source(account), owner, beside).sentence
    assert sent(write, by=owner).state == "not_done"
    assert not done(simulator, NAME, "clone")


def test_both_who_ask_and_who_confirm_need_the_right_at_the_other_tenant(
    simulator: SimulatorServer, account: VendorAccount, owner: User, beside: VendorAccount
) -> None:
    write = ask(source(account), owner, beside)
    colleague = owner_of(account.tenant)
    assert sent(write, by=colleague).state == "not_done"
    assert not done(simulator, NAME, "clone")
