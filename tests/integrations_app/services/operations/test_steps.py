"""Installing and uninstalling over sockets: each step once, whoever does it, whatever becomes of an answer."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from console.access.models import User
from console.audit.models import AuditEvent
from integrations_app.models import Integration, Job, VendorAccount, VendorWrite
from integrations_app.services import integrations, vendor_writes, write_ledger, write_runs
from integrations_app.services.errors import InvalidError, WaitError
from integrations_app.services.operations import steps
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.world import member
from tests.integrations_app.services.mirroring import Watched, added, owner_of, sync, tenant
from tests.integrations_app.services.operations.stepping import (
    ALL_KINDS,
    CONNECTION,
    FORM,
    HIDDEN,
    NAME,
    TEMPLATE,
    UNINSTALL,
    URL,
    do,
    following,
    half_installed,
    steps_of,
)
from tests.integrations_app.services.operations.writing import checked, done, facts, lose_answer, sent, work

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "not-a-real-secret-but-looks-like-one-4711"
NEW_CONNECTION = {"name": "Ledger", "type": "netsuite", "netsuite": {"account": "TST1", "tokenSecret": SECRET}}


@pytest.fixture
def account(simulator: SimulatorServer) -> VendorAccount:
    here = tenant()
    account = added(simulator, NAME, by=owner_of(here), at=here)
    sync(account)
    return account


@pytest.fixture
def owner(account: VendorAccount) -> User:
    return User.objects.get()


def installed(simulator: SimulatorServer) -> int:
    return len(done(simulator, NAME, "install_step"))


def a_connection(account: VendorAccount) -> str:
    from integrations_app.services import listings

    return str(listings.items(listings.read(account, None, "account_connections"))[0]["remote_id"])


def test_every_kind_of_step_is_done_by_turns_of_two_people(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one, colleague = half_installed(simulator, account), member(account.tenant, "editor")
    answers: list[dict[str, Any]] = [
        {"connection_id": a_connection(account)},
        {"fields": {"0": 1, "2": 100, "3": True, "4": SECRET}},
        {},
        {"stack_id": "66d1f0000000000000001001"},
        {},
        {},
    ]
    for number, given in enumerate(answers, 1):
        write = do(one, owner if number % 2 else colleague, given)
        assert write.state == "done", (number, write.sentence)
        assert installed(simulator) == number
    assert write.sentence == "Installed: all steps are done."
    assert all(step.is_done for step in steps_of(one))
    who = steps.who_did(one, "install_step")
    assert [who[place].by for place in range(1, 7)] == [str(owner), str(colleague)] * 3
    one.refresh_from_db()
    assert (integrations.load_document(one) or {})["mode"] == "settings"


def test_what_was_answered_is_kept_without_its_secrets(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one = half_installed(simulator, account, (FORM, CONNECTION))
    form = do(one, owner, {"fields": {"0": 0, "1": "Say hello", "4": SECRET}})
    shown = {change["label"]: change["after"] for change in form.changes}
    assert (shown["Warehouse"], shown["Note"]) == ("East", "Say hello")
    assert list(shown["API token"]) == ["$secret"]

    connected = do(one, owner, {"connection": NEW_CONNECTION})
    assert connected.state == "done", connected.sentence
    assert connected.changes[1]["after"] == {"name": "Ledger", "type": "netsuite"}
    for write in (form, connected):
        assert (write.sealed, write.sealed_plan) == (None, None)
        assert SECRET not in str([write.plan, write.result, write.sentence, write.title])
    assert SECRET not in str(list(AuditEvent.objects.values()))
    assert {"write.done"} <= set(AuditEvent.objects.values_list("event", flat=True))


def test_a_refusal_that_quotes_what_was_typed_shows_nothing_of_it(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one, word = half_installed(simulator, account, (CONNECTION, FORM)), "swordfish"
    said = {"errors": [{"code": word, "field": "http.auth", "message": f"The password {word} was refused."}]}
    body = json.dumps(said)
    simulator.world.add_fault(
        Fault(
            "no", "status", method="POST", path="installSteps", status=422, body=body, content_type="application/json"
        )
    )
    typed = {"connection": {"name": "Ledger", "type": "http", "http": {"auth": {"basic": {"password": word}}}}}
    write = do(one, owner, typed)
    assert write.state == "not_done"
    assert write.result["reasons"] == [
        {"code": "[secret]", "field": "http.auth", "text": "The password [secret] was refused."}
    ]
    assert word not in str([list(AuditEvent.objects.values()), list(Job.objects.values()), write.sentence, write.plan])


@pytest.mark.parametrize("kind", ["reset_after", "status_after"])
def test_an_answer_lost_after_the_step_was_done_is_settled_by_the_steps(
    simulator: SimulatorServer, account: VendorAccount, owner: User, kind: str
) -> None:
    one = half_installed(simulator, account, (CONNECTION, TEMPLATE))
    for given in ({"connection": NEW_CONNECTION}, {}):
        lose_answer(simulator, "POST", "installSteps", kind)
        assert do(one, owner, given).state == "done"
    assert installed(simulator) == 2


def test_a_request_lost_before_it_was_carried_out_did_nothing(
    simulator: SimulatorServer, account: VendorAccount, owner: User, settings: Any
) -> None:
    settings.WRITE_SETTLE_SECONDS = 0
    one = half_installed(simulator, account, (CONNECTION, TEMPLATE))
    lose_answer(simulator, "POST", "installSteps", "reset")
    write = do(one, owner, {"connection": NEW_CONNECTION})
    assert (write.state, installed(simulator)) == ("not_done", 0)
    assert following(one).name == "Finance connection"


class KilledWhileItWaits(Watched):
    """A worker that is killed while the vendor is at work."""

    def say(self, text: str, level: str = "info", subject: str = "") -> None:
        raise KeyboardInterrupt


def test_a_step_whose_worker_was_killed_may_take_the_vendor_five_minutes_more(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one = half_installed(simulator, account, (TEMPLATE, URL))
    params = {"step": following(one).identity, "given": {}}
    asked = vendor_writes.request("install_step", by=owner, integration=one, params=params, key="form-1")
    write = write_ledger.with_all(VendorWrite.objects.all()).get(pk=asked.pk)
    with pytest.raises(KeyboardInterrupt):
        write_runs.perform(write, job=None, progress=KilledWhileItWaits())

    def looked_at_after(seconds: float) -> VendorWrite:
        VendorWrite.objects.filter(pk=write.pk).update(sent_at=timezone.now() - timedelta(seconds=seconds))
        return write_ledger.with_all(VendorWrite.objects.all()).get(pk=write.pk)

    with pytest.raises(WaitError):
        write_runs.perform(looked_at_after(200), job=None, progress=Watched())
    assert looked_at_after(200).state == "sent"
    with pytest.raises(InvalidError, match="did not happen"):
        write_runs.perform(looked_at_after(301), job=None, progress=Watched())


def test_a_step_that_a_colleague_did_first_is_not_done_again(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one, colleague = half_installed(simulator, account, (HIDDEN, TEMPLATE, URL)), member(account.tenant, "editor")
    drawn = following(one)
    do(one, colleague, {}, step=drawn)
    write = do(one, owner, {}, step=drawn)
    assert (write.state, installed(simulator)) == ("not_done", 1)
    assert f"is done already: {colleague} did it here" in write.sentence


def test_a_step_that_was_done_at_the_vendor_is_told_as_such(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one = half_installed(simulator, account, (HIDDEN, TEMPLATE))
    drawn = following(one)
    half_installed(simulator, account, ({**HIDDEN, "completed": True}, TEMPLATE))
    write = do(one, owner, {}, step=drawn)
    assert "somebody did it at the vendor" in write.sentence
    assert installed(simulator) == 0


def test_other_questions_than_the_form_s_are_not_answered(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one = half_installed(simulator, account, (FORM,))
    drawn = following(one)
    half_installed(simulator, account, ({**FORM, "form": {"fieldMap": {"region": {"type": "text"}}}},))
    write = do(one, owner, {"fields": {"0": 0}}, step=drawn)
    assert (write.state, installed(simulator)) == ("not_done", 0)
    assert "asks for something else now" in write.sentence
    # The page shows the step as it is now without asking again.
    assert following(one).fields[0].label == "region"


def test_a_vendor_s_refusal_is_told_with_its_reasons(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one = half_installed(simulator, account, (CONNECTION,))
    write = do(one, owner, {"connection_id": "66d1f0000000000000009999"})
    assert (write.state, write.vendor_status, installed(simulator)) == ("not_done", 422, 0)
    assert "There is no such connection" in str(write.result["reasons"])


def test_one_form_clicked_twice_is_one_step(simulator: SimulatorServer, account: VendorAccount, owner: User) -> None:
    one = half_installed(simulator, account, (HIDDEN, HIDDEN))
    params = {"step": following(one).identity, "given": {}}
    asked = [
        vendor_writes.request("install_step", by=owner, integration=one, params=params, key="form-1") for _ in range(3)
    ]
    for write in asked:
        work(write)
    assert {write.pk for write in asked} == {VendorWrite.objects.get().pk}
    assert installed(simulator) == 1


def test_rights_are_asked_for_each_way(simulator: SimulatorServer, account: VendorAccount, owner: User) -> None:
    one = half_installed(simulator, account)
    params = {"step": following(one).identity, "given": {}}
    for role, operation in (("support", "install_step"), ("editor", "uninstall_step")):
        with pytest.raises(PermissionDenied):
            vendor_writes.request(
                operation, by=member(account.tenant, role), integration=one, params=params, key=operation
            )


# --- uninstalling --------------------------------------------------------------------------------------------------


def uninstalling(one: Integration, by: User) -> VendorWrite:
    params = {"step": following(one, "uninstall_steps").identity, "given": {"document": {}}}
    return checked("uninstall_step", by=by, integration=one, params=params)


def test_uninstalling_asks_first_then_goes_step_by_step_and_leaves_it_gone(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one = half_installed(simulator, account)
    first = uninstalling(one, owner)
    assert first.state == "ready", first.sentence
    assert [question["kind"] for question in first.plan["questions"]] == ["typed_name", "reason"]
    assert "1. Export settings" in facts(first)
    assert "access to it at the vendor" in facts(first)
    assert not done(simulator, NAME, "uninstall_step")
    first = sent(first, by=owner, typed_name=one.name, reason="Contract ended")
    assert first.state == "done", first.sentence
    assert first.snapshot is not None

    second = uninstalling(one, owner)
    assert second.plan["questions"] == []
    assert sent(second, by=owner).state == "done"
    last = uninstalling(one, owner)
    assert "for good" in last.plan["consequence"]
    assert sent(last, by=owner).sentence.startswith("Uninstalled")
    one.refresh_from_db()
    assert (one.state, len(done(simulator, NAME, "uninstall_step"))) == ("gone", 3)


@pytest.mark.parametrize("kind", ["reset_after", "status_after"])
def test_a_lost_answer_of_the_last_step_is_settled_by_its_being_gone(
    simulator: SimulatorServer, account: VendorAccount, owner: User, kind: str
) -> None:
    over = [{**step, "completed": True} for step in UNINSTALL]
    one = half_installed(simulator, account, ALL_KINDS, over)
    write = uninstalling(one, owner)
    lose_answer(simulator, "POST", "uninstallSteps", kind)
    assert sent(write, by=owner).state == "done"
    one.refresh_from_db()
    assert (one.state, len(done(simulator, NAME, "uninstall_step"))) == ("gone", 1)


def test_an_integration_that_is_gone_already_has_nothing_left_to_uninstall(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one = half_installed(simulator, account, ALL_KINDS, [{**step, "completed": True} for step in UNINSTALL])
    write = uninstalling(one, owner)
    sent(write, by=owner)
    Integration.objects.filter(pk=one.pk).update(gone_at=None, missing_since=None, state="active")
    one.refresh_from_db()
    again = checked(
        "uninstall_step",
        by=owner,
        integration=one,
        params={"step": {"place": 3, "type": "finish", "name": "", "form_id": ""}, "given": {}},
    )
    assert (again.state, len(done(simulator, NAME, "uninstall_step"))) == ("not_done", 1)
    assert "gone at the vendor" in again.sentence
