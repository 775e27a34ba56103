from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from console.access.models import Grant, Role, User
from integrations_app.models import Integration, Snapshot, TemplateArchive, VendorAccount, VendorWrite
from integrations_app.services import integrations, snapshots, vendor_accounts
from integrations_app.services.errors import InvalidError
from integrations_app.services.mirror import Mirror
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.services.mirroring import added, owner_of, sync, tenant
from tests.integrations_app.services.operations.writing import checked, done, facts, lose_answer, sent

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "larkspur-celigo-sandbox"


@pytest.fixture
def account(simulator: SimulatorServer) -> VendorAccount:
    here = tenant()
    account = added(simulator, NAME, by=owner_of(here), at=here)
    sync(account)
    return account


@pytest.fixture
def owner(account: VendorAccount) -> User:
    return User.objects.get()


def found(account: VendorAccount, *, is_installed: bool = False) -> Integration:
    """One with flows in it; or one that was installed step by step."""

    def fits(row: Integration) -> bool:
        document = integrations.load_document(row) or {}
        return bool(document.get("uninstallSteps")) is is_installed and bool(document.get("numFlows"))

    rows = Integration.objects.filter(vendor_account=account).select_related("tenant", "vendor_account")
    return next(row for row in rows.order_by("name") if fits(row))


def confirmed(write: VendorWrite, by: User) -> VendorWrite:
    return sent(write, by=by, typed_name=write.plan["questions"][0]["expects"], reason="Replaced by the new one")


def test_a_deletion_names_what_is_lost_and_leaves_the_copies(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one = found(account)
    write = checked("delete", by=owner, integration=one)
    assert write.state == "ready", write.sentence
    assert "still in it" in facts(write)
    assert "template archive of it is kept here" in facts(write)
    assert not done(simulator, NAME, "delete")
    with pytest.raises(InvalidError) as refused:
        sent(write, by=owner, typed_name="something else", reason="")
    assert set(refused.value.errors) == {"typed_name", "reason"}

    write = confirmed(write, owner)
    assert (write.state, write.reason) == ("done", "Replaced by the new one"), write.sentence
    assert [entry["target"] for entry in done(simulator, NAME, "delete")] == [one.remote_id]
    one.refresh_from_db()
    assert one.state == "gone"
    assert write.snapshot == Snapshot.objects.get(integration=one)
    assert TemplateArchive.objects.get(integration=one).is_kept


def test_a_page_read_before_does_not_bring_it_back(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one, asked_at = found(account), timezone.now()
    page = [vendor_accounts.connect(account).get_integration(one.remote_id)]
    confirmed(checked("delete", by=owner, integration=one), owner)
    Mirror(account).write(page, asked_at=asked_at)
    sync(account)
    one.refresh_from_db()
    assert one.gone_at is not None


@pytest.mark.parametrize("kind", ["reset_after", "status_after"])
def test_an_answer_lost_after_it_was_deleted_is_settled_by_asking_for_it(
    simulator: SimulatorServer, account: VendorAccount, owner: User, kind: str
) -> None:
    write = checked("delete", by=owner, integration=found(account))
    lose_answer(simulator, "DELETE", "integrations", kind)
    assert confirmed(write, owner).state == "done"
    assert len(done(simulator, NAME, "delete")) == 1
    assert Integration.objects.filter(state="gone").count() == 1


def test_a_request_lost_before_it_was_carried_out_deleted_nothing(
    simulator: SimulatorServer, account: VendorAccount, owner: User, settings: Any
) -> None:
    settings.WRITE_SETTLE_SECONDS = 0
    write = checked("delete", by=owner, integration=found(account))
    lose_answer(simulator, "DELETE", "integrations", "reset")
    assert confirmed(write, owner).state == "not_done"
    assert not done(simulator, NAME, "delete")
    assert not Integration.objects.filter(state="gone").exists()


def test_a_vendor_that_refuses_while_flows_are_in_it_deletes_nothing(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    simulator.world.turn("celigo.delete_with_flows", "refused")
    write = confirmed(checked("delete", by=owner, integration=found(account)), owner)
    assert (write.state, write.vendor_status) == ("not_done", 422)
    assert write.result["reasons"]


def test_what_was_installed_by_steps_is_not_offered(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    write = checked("delete", by=owner, integration=found(account, is_installed=True))
    assert write.state == "not_done"
    assert "uninstall steps" in write.sentence


def test_a_list_that_is_refused_is_told_and_holds_nothing_up(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    simulator.world.add_fault(Fault("no", "status", path="ashares", status=403, body='{"message": "No"}'))
    write = checked("delete", by=owner, integration=found(account))
    assert write.state == "ready"
    assert "Could not be looked at: People" in facts(write)


def test_an_archive_that_cannot_be_had_is_told_and_left_to_the_person(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    simulator.world.add_fault(Fault("no", "status", path="/template", status=503))
    write = checked("delete", by=owner, integration=found(account))
    assert write.state == "ready"
    assert "No template archive" in facts(write)
    assert confirmed(write, owner).state == "done"


def test_something_under_way_holds_it_up(simulator: SimulatorServer, account: VendorAccount, owner: User) -> None:
    one = found(account)
    job = snapshots.request(one, by=owner)
    write = checked("delete", by=owner, integration=one)
    assert write.state == "not_done"
    assert job.title in write.sentence


def test_a_change_meanwhile_is_shown_before_anything_is_deleted(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one = found(account)
    write = checked("delete", by=owner, integration=one)
    there = simulator.world.account(NAME)
    assert there is not None
    number = simulator.world.items(simulator._vendors["celigo"], there).number_of(one.remote_id)
    assert number is not None
    simulator.world.change_item(there, number, {"description": "Somebody works on it"})
    assert confirmed(write, owner).state == "ready"
    assert not done(simulator, NAME, "delete")


def test_a_flow_that_was_switched_meanwhile_is_shown_before_anything_is_deleted(
    simulator: SimulatorServer, account: VendorAccount, owner: User
) -> None:
    one = found(account)
    write = checked("delete", by=owner, integration=one)
    client: Any = vendor_accounts.connect(account)
    flow = client.read_listing("flows", one.remote_id).items[0]
    client.set_flow(flow.remote_id, is_on=not flow.values["is_on"])
    write = confirmed(write, owner)
    assert (write.state, "It changed at the vendor" in write.plan["note"]) == ("ready", True)
    assert not done(simulator, NAME, "delete")


def test_an_editor_deletes_nothing(simulator: SimulatorServer, account: VendorAccount, owner: User) -> None:
    Grant.objects.update(role=Role.objects.get(slug="editor"))
    with pytest.raises(PermissionDenied):
        checked("delete", by=owner, integration=found(account))
