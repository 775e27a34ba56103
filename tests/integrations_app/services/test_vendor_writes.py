"""The path of every write: checked, confirmed, sent once, read back; and what becomes of it when an answer is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from console.access import vault
from console.access.models import Grant, Role, User
from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.models import Integration, Job, JobState, Snapshot, VendorAccount, VendorWrite, WriteState
from integrations_app.services import integrations, snapshots, vendor_writes, write_runs, write_sweeps
from integrations_app.services.documents import load
from integrations_app.services.errors import InvalidError
from integrations_app.simulator.server import SimulatorServer
from integrations_app.vendors.errors import VendorOutcomeUnknownError
from tests.integrations_app.jobs.mirror_jobs import run_again
from tests.integrations_app.services.mirroring import Watched, owner_of, sync
from tests.integrations_app.services.writing import (
    applied,
    change_at_vendor,
    edited,
    go_on,
    lose_answers,
    mirrored,
    one_with,
    plain_integrations,
)

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
    return next(iter(plain_integrations(account)))


def held(simulator: SimulatorServer, integration: Integration) -> dict[str, Any]:
    """The document the pretend vendor holds now."""
    return integrations.read_afresh(integration).raw  # type: ignore[return-value]


def confirmed(write: VendorWrite, by: User, **answers: str) -> VendorWrite:
    go_on(write)
    assert write.state == WriteState.READY, write.sentence
    return vendor_writes.confirm(write, by=by, answers=answers)


class Killed(Watched):
    """A worker that is killed when it has just learned that the answer was lost."""

    def say(self, text: str, level: str = "info", subject: str = "") -> None:
        raise KeyboardInterrupt


def perform_and_be_killed(write: VendorWrite) -> None:
    write.refresh_from_db()
    with pytest.raises(KeyboardInterrupt):
        write_runs.perform(write, job=None, progress=Killed())
    write.refresh_from_db()


# --- the straight path ---------------------------------------------------------------------------------------------


def test_an_edit_is_shown_confirmed_sent_once_and_read_back(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    before = integration.name
    write = edited(integration, by, {"name": "Orders to ERP"})
    go_on(write)
    assert write.state == WriteState.READY
    assert write.changes == [
        {"key": "name", "label": "Name", "before": before, "after": "Orders to ERP", "base": None, "is_conflict": False}
    ]
    assert applied(simulator) == [], "nothing is sent before it is confirmed"

    write = go_on(vendor_writes.confirm(write, by=by, answers={}))
    assert write.state == WriteState.DONE
    assert [entry["operation"] for entry in applied(simulator)] == ["put"]
    integration.refresh_from_db()
    assert integration.name == "Orders to ERP"
    assert write.snapshot is not None
    assert load(write.snapshot.redacted)["name"] == before
    assert write.sealed is None
    assert write.sealed_plan is None


def test_fields_that_may_be_patched_are_patched_and_the_rest_of_the_document_stays(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    before = held(simulator, integration)
    write = confirmed(edited(integration, by, {"version": "9.9.9", "tag": "pilot-two"}), by)
    go_on(write)
    assert [entry["operation"] for entry in applied(simulator)] == ["patch"]
    after = held(simulator, integration)
    assert (after["version"], after["tag"]) == ("9.9.9", "pilot-two")
    moving = {"version", "tag", "lastModified"}
    assert {k: v for k, v in after.items() if k not in moving} == {k: v for k, v in before.items() if k not in moving}


def test_the_audit_row_tells_who_changed_what_with_before_and_after(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    before = integration.name
    go_on(confirmed(edited(integration, by, {"name": "Renamed"}), by))
    event = AuditEvent.objects.get(event=Event.WRITE_DONE)
    assert event.by_id == by.pk
    assert event.detail["changes"] == [{"label": "Name", "before": before, "after": "Renamed"}]
    assert AuditEvent.objects.filter(event=Event.WRITE_CONFIRMED, by_id=by.pk).count() == 1


def test_our_own_change_is_no_drift(simulator: SimulatorServer, integration: Integration, by: User) -> None:
    go_on(confirmed(edited(integration, by, {"name": "Renamed"}), by))
    sync(integration.vendor_account)
    assert not AuditEvent.objects.filter(event=Event.INTEGRATION_DRIFTED).exists()
    assert set(Snapshot.objects.values_list("cause", flat=True)) == {"write"}


def test_nothing_to_change_ends_without_a_word_to_the_vendor(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    write = go_on(edited(integration, by, {"name": integration.name}))
    assert write.state == WriteState.NOT_DONE
    assert "nothing to change" in write.sentence
    assert applied(simulator) == []


def test_what_the_vendor_refuses_is_told_with_each_of_its_reasons(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    write = confirmed(edited(integration, by, {"name": "x" * 400}), by)
    go_on(write)
    assert write.state == WriteState.NOT_DONE
    assert write.vendor_status == 422
    assert any(reason["field"] == "name" for reason in write.result["reasons"])
    assert write.job is not None
    assert write.job.state == JobState.FAILED


# --- one effect, whoever clicks how often ----------------------------------------------------------------------------


def test_a_form_sent_twice_is_one_write(simulator: SimulatorServer, integration: Integration, by: User) -> None:
    first = edited(integration, by, {"name": "Once"}, key="form-1")
    second = edited(integration, by, {"name": "Once"}, key="form-1")
    assert first == second
    assert Job.objects.filter(type="prepare_write").count() == 1


def test_confirmed_twice_it_is_sent_once(simulator: SimulatorServer, integration: Integration, by: User) -> None:
    write = confirmed(edited(integration, by, {"name": "Once"}), by)
    vendor_writes.confirm(write, by=by, answers={})
    go_on(write)
    vendor_writes.confirm(write, by=by, answers={})
    assert write.job is not None
    run_again(write.job)
    assert [entry["operation"] for entry in applied(simulator)] == ["put"]


def test_a_form_gone_back_to_and_sent_with_something_else_in_it_is_not_answered_with_the_first(
    account: VendorAccount, integration: Integration, by: User
) -> None:
    first = edited(integration, by, {"name": "Once"}, key="form-1")
    other_value = edited(integration, by, {"name": "Twice"}, key="form-1")
    other_kind = vendor_writes.request("take_revision", by=by, integration=integration, params={}, key="form-1")
    other_target = edited(list(plain_integrations(account))[1], by, {"name": "Once"}, key="form-1")
    assert len({first.pk, other_value.pk, other_kind.pk, other_target.pk}) == 4
    assert load(vault.unseal(account.tenant_id, other_value.context, other_value.sealed or b""))["params"][
        "changes"
    ] == {"name": "Twice"}


def test_two_changes_of_one_integration_are_not_sent_at_the_same_time(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    first = confirmed(edited(integration, by, {"name": "First"}), by)
    second = confirmed(edited(integration, by, {"tag": "second"}), by)
    VendorWrite.objects.filter(pk=first.pk).update(state=WriteState.SENT, sent_at=first.created_at)
    go_on(second)
    assert second.state == WriteState.QUEUED
    assert second.job is not None
    assert second.job.state == JobState.WAITING
    assert applied(simulator) == []


# --- somebody else was there ---------------------------------------------------------------------------------------


def test_the_same_field_changed_by_somebody_else_is_a_conflict_to_decide(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    base = integration.name
    write = edited(integration, by, {"name": "Mine", "tag": "mine"})
    change_at_vendor(simulator, integration, name="Theirs")
    go_on(write)
    conflict = next(change for change in write.changes if change["key"] == "name")
    assert (conflict["base"], conflict["before"], conflict["after"]) == (base, "Theirs", "Mine")
    assert conflict["is_conflict"]
    with pytest.raises(InvalidError):
        vendor_writes.confirm(write, by=by, answers={})

    write = go_on(vendor_writes.confirm(write, by=by, answers={"choice:name": "theirs"}))
    assert write.state == WriteState.DONE
    now = held(simulator, integration)
    assert (now["name"], now["tag"]) == ("Theirs", "mine")


def test_choosing_yours_writes_it_over_theirs_knowingly(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    write = edited(integration, by, {"name": "Mine"})
    change_at_vendor(simulator, integration, name="Theirs", tag="their-tag")
    go_on(write)
    write = go_on(vendor_writes.confirm(write, by=by, answers={"choice:name": "yours"}))
    now = held(simulator, integration)
    assert (now["name"], now["tag"]) == ("Mine", "their-tag")


def test_what_moves_after_the_confirmation_sends_nothing_and_is_shown_again(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    write = confirmed(edited(integration, by, {"name": "Mine"}), by)
    change_at_vendor(simulator, integration, name="Theirs, late")
    go_on(write)
    assert write.state == WriteState.READY
    assert "after you confirmed" in write.plan["note"]
    assert applied(simulator) == []
    assert held(simulator, integration)["name"] == "Theirs, late"


def test_a_sync_between_the_form_and_the_check_does_not_hide_the_conflict(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    write = edited(integration, by, {"name": "Mine"})
    change_at_vendor(simulator, integration, name="Theirs")
    sync(integration.vendor_account)
    go_on(write)
    assert [change["is_conflict"] for change in write.changes] == [True]


def test_the_right_to_do_it_is_asked_again_when_it_is_sent(
    simulator: SimulatorServer, integration: Integration, account: VendorAccount
) -> None:
    editor = User.objects.create_user("editor@demo.example", None, name="Edi")
    role = Role.objects.get(slug="editor")
    grant = Grant.objects.create(user=editor, role=role, scope=Grant.Scope.TENANT, tenant=account.tenant)
    write = confirmed(edited(integration, editor, {"name": "Mine"}), editor)
    grant.role = Role.objects.get(slug="support")
    grant.save()
    go_on(write)
    assert write.state == WriteState.NOT_DONE
    assert "may no longer" in write.sentence
    assert applied(simulator) == []
    with pytest.raises(PermissionDenied):
        edited(integration, editor, {"name": "Mine"})


# --- lost answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reset_after", "status_after", "truncate"])
def test_an_answer_lost_after_the_vendor_did_it_is_found_done_by_reading_back(
    simulator: SimulatorServer, integration: Integration, by: User, kind: str
) -> None:
    write = confirmed(edited(integration, by, {"name": "Mine"}), by)
    lose_answers(simulator, "PUT", "/integrations/", kind=kind)
    go_on(write)
    assert write.state == WriteState.DONE
    assert [entry["operation"] for entry in applied(simulator)] == ["put"]


def test_an_answer_lost_before_the_vendor_did_it_is_found_not_done_and_never_sent_again(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    write = confirmed(edited(integration, by, {"name": "Mine"}), by)
    lose_answers(simulator, "PUT", "/integrations/", kind="reset")
    go_on(write)
    assert write.state == WriteState.NOT_DONE
    assert "did not happen" in write.sentence
    assert applied(simulator) == []


def test_not_done_is_believed_only_after_a_while(
    simulator: SimulatorServer, integration: Integration, by: User, settings: Any
) -> None:
    settings.WRITE_SETTLE_SECONDS = 600
    write = confirmed(edited(integration, by, {"name": "Mine"}), by)
    lose_answers(simulator, "PUT", "/integrations/", kind="reset")
    go_on(write)
    assert write.state == WriteState.SENT
    assert write.job is not None
    assert write.job.state == JobState.WAITING


def test_a_worker_killed_after_sending_is_settled_by_the_next(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    write = confirmed(edited(integration, by, {"name": "Mine"}), by)
    lose_answers(simulator, "PUT", "/integrations/")
    # Killed where it hurts most: the intent stands, the vendor has done it, nobody knows.
    perform_and_be_killed(write)
    write.refresh_from_db()
    assert write.state == WriteState.SENT
    go_on(write)
    assert write.state == WriteState.DONE
    assert [entry["operation"] for entry in applied(simulator)] == ["put"]


def test_where_reading_back_cannot_tell_a_person_decides(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    write = confirmed(edited(integration, by, {"name": "Mine"}), by)
    lose_answers(simulator, "PUT", "/integrations/")
    perform_and_be_killed(write)
    change_at_vendor(simulator, integration, name="Somebody else's, right after")
    go_on(write)
    assert write.state == WriteState.UNKNOWN
    assert write.job is not None
    assert write.job.state == JobState.UNKNOWN
    assert write.result["look_at"]

    vendor_writes.settle_by_person(write, by=by, happened=True)
    write.refresh_from_db()
    assert write.state == WriteState.DONE
    assert AuditEvent.objects.filter(event=Event.WRITE_SETTLED, by_id=by.pk).count() == 1
    with pytest.raises(InvalidError):
        vendor_writes.settle_by_person(write, by=by, happened=False)


def test_a_write_whose_job_is_lost_gets_another_by_the_sweep(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    write = confirmed(edited(integration, by, {"name": "Mine"}), by)
    lose_answers(simulator, "PUT", "/integrations/", kind="reset")
    perform_and_be_killed(write)
    assert write.job_id is not None
    Job.objects.filter(pk=write.job_id).update(state=JobState.FAILED, finished_at=timezone.now() - timedelta(minutes=1))
    assert write_sweeps.resume_lost() == 1
    assert write_sweeps.resume_lost() == 0
    go_on(write)
    assert write.state == WriteState.NOT_DONE
    assert applied(simulator) == []


def test_a_write_that_nobody_can_settle_goes_to_a_person_and_is_not_asked_after_for_ever(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    write = confirmed(edited(integration, by, {"name": "Mine"}), by)
    lose_answers(simulator, "PUT", "/integrations/")
    perform_and_be_killed(write)
    long_ago = timezone.now() - timedelta(hours=1)
    VendorWrite.objects.filter(pk=write.pk).update(sent_at=long_ago)
    assert write.job_id is not None
    Job.objects.filter(pk=write.job_id).update(state=JobState.FAILED, finished_at=long_ago)
    assert write_sweeps.resume_lost() == 0
    write.refresh_from_db()
    assert write.state == WriteState.UNKNOWN


def test_what_the_vendor_answered_is_done_even_where_reading_it_back_never_ends(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    write = confirmed(edited(integration, by, {"name": "Mine"}), by)
    write.refresh_from_db()

    class KilledAfterTheAnswer(Watched):
        """A worker that is killed when it tells that all is done."""

        def hold(self) -> None:
            if VendorWrite.objects.filter(pk=write.pk, state=WriteState.SENT).exists():
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_runs.perform(write, job=None, progress=KilledAfterTheAnswer())
    long_ago = timezone.now() - timedelta(hours=1)
    VendorWrite.objects.filter(pk=write.pk).update(sent_at=long_ago, job=None)
    write_sweeps.resume_lost()
    write.refresh_from_db()
    assert write.state == WriteState.DONE
    assert [entry["operation"] for entry in applied(simulator)] == ["put"]


def test_what_was_sent_by_an_account_that_was_removed_since_is_never_called_not_done(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    write = confirmed(edited(integration, by, {"name": "Mine"}), by)
    lose_answers(simulator, "PUT", "/integrations/")
    perform_and_be_killed(write)
    VendorAccount.objects.filter(pk=integration.vendor_account_id).update(removed_at=timezone.now())
    write = VendorWrite.objects.get(pk=write.pk)
    with pytest.raises(VendorOutcomeUnknownError):
        write_runs.perform(write, job=None, progress=Watched())
    assert write.state == WriteState.UNKNOWN
    assert "removed" in write.result["look_at"][0]


def test_what_nobody_confirms_for_a_month_is_given_up_with_its_secrets(integration: Integration, by: User) -> None:
    write = go_on(edited(integration, by, {"name": "Mine"}))
    fresh = go_on(edited(integration, by, {"name": "Also mine"}))
    VendorWrite.objects.filter(pk=write.pk).update(created_at=timezone.now() - timedelta(days=31))
    assert write_sweeps.give_up_forgotten() == 1
    write.refresh_from_db()
    fresh.refresh_from_db()
    assert (write.state, write.sealed) == (WriteState.ABANDONED, None)
    assert fresh.state == WriteState.READY


def test_what_was_confirmed_and_then_left_lying_for_a_month_is_given_up_with_its_secrets(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    write = confirmed(edited(integration, by, {"name": "Renamed"}), by)
    long_ago = timezone.now() - timedelta(days=31)
    VendorWrite.objects.filter(pk=write.pk).update(created_at=long_ago)
    assert write_sweeps.give_up_forgotten() == 0, "its job is about to send it"
    assert write.job is not None
    Job.objects.filter(pk=write.job.pk).update(state=JobState.CANCELLED, finished_at=long_ago)
    assert write_sweeps.give_up_forgotten() == 1
    write.refresh_from_db()
    assert (write.state, write.sealed) == (WriteState.ABANDONED, None)
    assert applied(simulator) == []


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_a_secret_kept_by_its_mark_goes_back_to_the_vendor_as_it_was(
    simulator: SimulatorServer, account: VendorAccount, by: User
) -> None:
    integration = one_with(account, "settings")
    secret = "sk_test_obviously_fake_0123456789"  # a value of this shape is shown by its fingerprint
    change_at_vendor(simulator, integration, settings={"warehouse": "EAST", "apiToken": secret})
    integrations.read_afresh(integration)
    integration.refresh_from_db()
    shown = load(integration.document.redacted)["settings"]
    assert secret not in str(shown)
    write = confirmed(edited(integration, by, {"settings": {**shown, "warehouse": "WEST"}}), by)
    assert secret not in str(write.plan)
    go_on(write)
    assert held(simulator, integration)["settings"] == {"warehouse": "WEST", "apiToken": secret}


def test_a_mark_that_stands_for_nothing_is_refused(integration: Integration, by: User) -> None:
    write = go_on(edited(integration, by, {"settings": {"apiToken": {"$secret": "00000000"}}}))
    assert write.state == WriteState.NOT_DONE
    assert "stands for no secret" in write.sentence


# --- putting back ------------------------------------------------------------------------------------------------


def test_a_done_edit_is_undone_from_its_snapshot(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    before = integration.name
    write = confirmed(edited(integration, by, {"name": "Mine"}), by)
    go_on(write)
    undoing = confirmed(vendor_writes.undo(write, by=by, key="undo-1"), by)
    go_on(undoing)
    assert undoing.state == WriteState.DONE
    assert held(simulator, integration)["name"] == before


def test_undoing_what_moved_since_is_a_conflict(simulator: SimulatorServer, integration: Integration, by: User) -> None:
    write = confirmed(edited(integration, by, {"name": "Mine"}), by)
    go_on(write)
    change_at_vendor(simulator, integration, name="Theirs since")
    undoing = go_on(vendor_writes.undo(write, by=by, key="undo-1"))
    assert [change["is_conflict"] for change in undoing.changes] == [True]


def test_one_field_of_an_older_snapshot_is_restored(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    before = integration.name
    kept = snapshots.take(integration, by=by, note="Before the season")
    change_at_vendor(simulator, integration, name="Another name", tag="another")
    integrations.read_afresh(integration)
    integration.refresh_from_db()
    params = {"snapshot": kept.pk.hex, "keys": ["name"], "base": bytes(integration.document.digest).hex()}
    write = confirmed(vendor_writes.request("edit", by=by, integration=integration, params=params, key="r"), by)
    go_on(write)
    now = held(simulator, integration)
    assert (now["name"], now["tag"]) == (before, "another")


# --- revisions -------------------------------------------------------------------------------------------------------


def test_a_revision_is_taken_once_and_nothing_new_is_said(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    def take(key: str) -> VendorWrite:
        params = {"note": "Before the season", "only_if_changed": True}
        return go_on(vendor_writes.request("take_revision", by=by, integration=integration, params=params, key=key))

    assert take("first").sentence == "The revision was taken."
    assert "Nothing new since" in take("second").sentence
    assert [entry["operation"] for entry in applied(simulator)] == ["revision"]


def test_a_lost_revision_is_not_taken_for_another_one_with_the_same_note(
    simulator: SimulatorServer, integration: Integration, by: User
) -> None:
    def taken(key: str) -> VendorWrite:
        params = {"note": "", "only_if_changed": False}
        return vendor_writes.request("take_revision", by=by, integration=integration, params=params, key=key)

    lose_answers(simulator, "POST", "revisions", kind="reset")
    lost = taken("first")
    perform_and_be_killed(lost)
    assert lost.state == WriteState.SENT
    # A person frees the integration before a worker comes to look; meanwhile somebody takes one.
    VendorWrite.objects.filter(pk=lost.pk).update(state=WriteState.UNKNOWN)
    assert go_on(taken("second")).state == WriteState.DONE

    go_on(vendor_writes.look_again(lost, by=by))
    lost.refresh_from_db()
    assert lost.state == WriteState.NOT_DONE, lost.sentence
    assert len(applied(simulator)) == 1


def test_a_list_that_cannot_be_read_to_its_end_proves_nothing(
    simulator: SimulatorServer, integration: Integration, by: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = {"note": "Once", "only_if_changed": False}
    write = vendor_writes.request("take_revision", by=by, integration=integration, params=params, key="only")
    lose_answers(simulator, "POST", "revisions")
    perform_and_be_killed(write)
    # The vendor lists the oldest first, and more than are read.
    monkeypatch.setattr("integrations_app.vendors.celigo.listings.MOST_ROWS", 0)
    go_on(write)
    assert write.state == WriteState.UNKNOWN
    assert "proves nothing" in write.result["look_at"][0]
    assert len(applied(simulator)) == 1
