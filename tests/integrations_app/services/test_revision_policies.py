"""Revisions by policy: every night, before each change, of everything in an account; and where none is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from console.access.models import Grant, Role, User
from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.models import Integration, Schedule, VendorAccount, VendorWrite, WriteState
from integrations_app.services import revision_policies, schedules, vendor_writes, write_ledger, write_runs
from integrations_app.services.errors import InvalidError, StaleError
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.services.mirroring import Watched, owner_of
from tests.integrations_app.services.writing import (
    applied,
    edited,
    go_on,
    lose_answers,
    mirrored,
    plain_integrations,
)
from tests.things import make_account, make_listing

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_to_wait_for(settings: Any) -> None:
    settings.WRITE_SETTLE_SECONDS = 0


@pytest.fixture
def account(simulator: SimulatorServer) -> VendorAccount:
    return mirrored(simulator)


@pytest.fixture
def by(account: VendorAccount) -> User:
    return owner_of(account.tenant)


@pytest.fixture
def one(account: VendorAccount) -> Integration:
    return next(iter(plain_integrations(account)))


def before_each_change(account: VendorAccount, by: User) -> None:
    revision_policies.change(account, by=by, is_nightly=False, before_writes=True, version=None)


def confirmed(one: Integration, by: User) -> VendorWrite:
    write = go_on(edited(one, by, {"tag": "spring"}))
    return vendor_writes.confirm(write, by=by, answers={})


def revision_of(one: Integration) -> VendorWrite:
    return VendorWrite.objects.get(integration=one, operation="take_revision")


def operations(simulator: SimulatorServer) -> list[str]:
    return [entry["operation"] for entry in applied(simulator)]


# --- the policy ----------------------------------------------------------------------------------------------------


def test_a_policy_is_set_with_its_schedule_and_an_audit_row(account: VendorAccount, by: User) -> None:
    kept = revision_policies.change(account, by=by, is_nightly=True, before_writes=True, version=0)
    schedule = schedules.find(account, "take_revisions")
    assert schedule is not None
    assert (schedule.every_seconds, schedule.is_paused) == (86_400, False)
    told = AuditEvent.objects.get(event=Event.REVISION_POLICY_CHANGED)
    assert told.detail["policy"] == "every night and before each change"

    revision_policies.change(account, by=by, is_nightly=False, before_writes=True, version=kept.version)
    schedule.refresh_from_db()
    assert schedule.is_paused
    assert schedules.find(account) is not None, "the account's syncs go on"


def test_a_policy_changed_meanwhile_is_not_overwritten(account: VendorAccount, by: User) -> None:
    revision_policies.change(account, by=by, is_nightly=True, before_writes=False, version=0)
    for seen in (0, 7):
        with pytest.raises(StaleError):
            revision_policies.change(account, by=by, is_nightly=False, before_writes=False, version=seen)
    kept = revision_policies.find(account)
    assert kept is not None
    assert kept.is_nightly


def test_an_editor_may_not_change_it_and_a_vendor_without_revisions_has_none(account: VendorAccount, by: User) -> None:
    editor = User.objects.create_user("editor@demo.example", None)
    Grant.objects.create(user=editor, role=Role.objects.get(slug="editor"), scope="tenant", tenant=account.tenant)
    with pytest.raises(PermissionDenied):
        revision_policies.change(account, by=editor, is_nightly=True, before_writes=True, version=None)
    torq = make_account(account.tenant, vendor="torq", name="Operations")
    with pytest.raises(InvalidError):
        revision_policies.change(torq, by=by, is_nightly=True, before_writes=True, version=None)
    assert not Schedule.objects.filter(job_type="take_revisions").exists()


# --- before each change --------------------------------------------------------------------------------------------


def test_before_a_change_the_vendor_keeps_a_revision(
    simulator: SimulatorServer, account: VendorAccount, one: Integration, by: User
) -> None:
    before_each_change(account, by)
    write = go_on(confirmed(one, by))
    assert write.state == WriteState.DONE
    assert operations(simulator) == ["revision", "patch"]
    first = revision_of(one)
    assert (first.state, first.requested_by, first.job) == (WriteState.DONE, None, write.job)

    again = vendor_writes.confirm(go_on(edited(one, by, {"tag": "summer"})), by=by, answers={})
    assert go_on(again).state == WriteState.DONE
    assert operations(simulator) == ["revision", "patch", "revision", "patch"]


def test_without_the_policy_none_is_taken(simulator: SimulatorServer, one: Integration, by: User) -> None:
    assert go_on(confirmed(one, by)).state == WriteState.DONE
    assert operations(simulator) == ["patch"]


def test_a_revision_whose_answer_was_lost_is_settled_and_not_taken_twice(
    simulator: SimulatorServer, account: VendorAccount, one: Integration, by: User
) -> None:
    before_each_change(account, by)
    write = confirmed(one, by)
    lose_answers(simulator, "POST", "revisions")
    assert go_on(write).state == WriteState.DONE
    assert operations(simulator) == ["revision", "patch"]
    assert revision_of(one).state == WriteState.DONE


def test_a_worker_killed_after_the_revision_goes_on_without_another(
    simulator: SimulatorServer, account: VendorAccount, one: Integration, by: User
) -> None:
    before_each_change(account, by)
    write = confirmed(one, by)
    write = write_ledger.with_all(VendorWrite.objects.filter(pk=write.pk)).get()
    with pytest.raises(KeyboardInterrupt):
        write_runs.perform(write, job=None, progress=Watched(stop_after=1))
    assert operations(simulator) == ["revision"]
    assert go_on(write).state == WriteState.DONE
    assert operations(simulator) == ["revision", "patch"]


def test_a_revision_that_fails_keeps_the_change_from_being_sent(
    simulator: SimulatorServer, account: VendorAccount, one: Integration, by: User
) -> None:
    before_each_change(account, by)
    write = confirmed(one, by)
    lose_answers(simulator, "POST", "revisions", kind="reset")
    write = go_on(write)
    assert write.state == WriteState.NOT_DONE
    assert "revision before this change was not taken, so nothing was sent" in write.sentence
    assert operations(simulator) == []


def test_a_vendor_that_takes_none_of_this_integration_does_not_stop_the_change(
    simulator: SimulatorServer, account: VendorAccount, one: Integration, by: User
) -> None:
    from integrations_app.simulator.faults import Fault

    before_each_change(account, by)
    write = confirmed(one, by)
    simulator.world.add_fault(Fault("refused", "status", method="POST", path="revisions", status=422))
    write = go_on(write)
    assert write.state == WriteState.DONE
    assert write.job is not None
    assert any("No revision was taken before" in line.text for line in write.job.lines.all())
    assert operations(simulator) == ["patch"]


# --- where they are missing ----------------------------------------------------------------------------------------


def gaps(account: VendorAccount) -> set[str]:
    return set(revision_policies.gaps(account).values_list("name", flat=True))


def test_a_gap_is_what_no_revision_holds_as_it_is_now(account: VendorAccount, by: User) -> None:
    everything = list(plain_integrations(account))
    one, listed, changed = everything[:3]
    Integration.objects.filter(vendor_account=account).exclude(pk__in=[row.pk for row in everything[:3]]).delete()
    assert gaps(account) == {one.name, listed.name, changed.name}

    write = vendor_writes.request("take_revision", by=by, integration=one, params={"note": "n"}, key="a")
    assert go_on(write).state == WriteState.DONE
    now = timezone.now()
    make_listing(listed, "revisions", {"remote_id": "r", "name": "r"}, newest_at=now)
    make_listing(changed, "revisions", {"remote_id": "r", "name": "r"}, newest_at=now - timedelta(days=9))
    Integration.objects.filter(pk=changed.pk).update(changed_at=now - timedelta(days=1))
    assert gaps(account) == {changed.name}
    assert revision_policies.count_gaps(account) == 1
    row = revision_policies.with_last(account).get(pk=changed.pk)
    assert revision_policies.gap_of(row).text == "It changed since."


def test_a_revision_tried_in_vain_is_a_gap_with_the_reason(
    simulator: SimulatorServer, account: VendorAccount, one: Integration, by: User
) -> None:
    take: dict[str, Any] = {"by": by, "integration": one, "params": {"note": "n"}}
    assert go_on(vendor_writes.request("take_revision", key="a", **take)).state == WriteState.DONE
    assert one.name not in gaps(account)
    lose_answers(simulator, "POST", "revisions", kind="reset")
    assert go_on(vendor_writes.request("take_revision", key="b", **take)).state == WriteState.NOT_DONE
    assert one.name in gaps(account)
    row = revision_policies.with_last(account).get(pk=one.pk)
    assert revision_policies.gap_of(row).text.startswith("The last one failed: ")
