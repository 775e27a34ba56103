"""A change of a selection: dry run, confirmation, one write for each, and going on after whatever end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from console.access.models import User
from integrations_app.models import (
    Integration,
    IntegrationDocument,
    JobState,
    VendorAccount,
    VendorWrite,
    WriteBatch,
    WriteState,
)
from integrations_app.services import jobs, vendor_writes, write_batches
from integrations_app.services.documents import load
from integrations_app.services.errors import InvalidError
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.mirror_jobs import run
from tests.integrations_app.services.mirroring import Watched, owner_of, sync
from tests.integrations_app.services.writing import (
    applied,
    change_at_vendor,
    lose_answers,
    mirrored,
    plain_integrations,
)

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
def chosen(account: VendorAccount) -> list[Integration]:
    return list(plain_integrations(account))[:4]


def tagged(chosen: list[Integration], by: User, tag: str = "spring", key: str = "form-1") -> WriteBatch:
    return write_batches.request(
        "edit",
        tenant=chosen[0].tenant,
        by=by,
        integrations=chosen,
        params={"changes": {"tag": tag}},
        key=key,
        title=f"Set the tag of {len(chosen)} integrations",
    )


def go_on(batch: WriteBatch) -> WriteBatch:
    batch.refresh_from_db()
    assert batch.job is not None
    run(batch.job)
    batch.refresh_from_db()
    return batch


def states(batch: WriteBatch) -> dict[str, int]:
    return write_batches.counts(batch)


def test_a_dry_run_tells_for_each_row_what_would_change_and_sends_nothing(
    simulator: SimulatorServer, chosen: list[Integration], by: User
) -> None:
    batch = go_on(tagged(chosen, by))
    assert batch.state == WriteBatch.State.READY
    assert states(batch) == {WriteState.READY: 4}
    row = VendorWrite.objects.filter(batch=batch).select_related("integration")[0]
    assert [(change["key"], change["after"]) for change in row.changes] == [("tag", "spring")]
    assert applied(simulator) == []


def test_confirmed_each_row_is_sent_once_and_read_back(
    simulator: SimulatorServer, chosen: list[Integration], by: User
) -> None:
    batch = go_on(tagged(chosen, by))
    go_on(write_batches.confirm(batch, by=by))
    batch.refresh_from_db()
    assert batch.state == WriteBatch.State.OVER
    assert states(batch) == {WriteState.DONE: 4}
    assert [entry["operation"] for entry in applied(simulator)] == ["patch"] * 4
    documents = IntegrationDocument.objects.filter(pk__in=[row.pk for row in chosen])
    assert {load(document.redacted)["tag"] for document in documents} == {"spring"}


def test_what_cannot_be_done_fails_alone_and_is_retried_alone(
    simulator: SimulatorServer, chosen: list[Integration], by: User
) -> None:
    batch = go_on(tagged(chosen, by))
    write_batches.confirm(batch, by=by)
    there = chosen[1]
    lose_answers(simulator, "PATCH", there.remote_id, kind="reset")
    go_on(batch)
    assert batch.job is not None
    assert batch.job.state == JobState.PARTIAL
    assert states(batch) == {WriteState.DONE: 3, WriteState.NOT_DONE: 1}

    again = go_on(write_batches.retry_failed(batch, by=by, key="form-2"))
    go_on(write_batches.confirm(again, by=by))
    assert states(again) == {WriteState.DONE: 1}
    assert len(applied(simulator)) == 4


def test_a_row_that_moved_since_the_dry_run_is_not_sent(
    simulator: SimulatorServer, chosen: list[Integration], by: User
) -> None:
    batch = go_on(tagged(chosen, by))
    change_at_vendor(simulator, chosen[0], tag="theirs")
    go_on(write_batches.confirm(batch, by=by))
    assert states(batch) == {WriteState.DONE: 3, WriteState.READY: 1}
    assert len(applied(simulator)) == 3


def test_a_conflict_in_the_dry_run_is_left_to_its_own_page(
    simulator: SimulatorServer, chosen: list[Integration], by: User
) -> None:
    batch = tagged(chosen, by)
    change_at_vendor(simulator, chosen[0], tag="theirs")
    go_on(batch)
    go_on(write_batches.confirm(batch, by=by))
    assert states(batch) == {WriteState.DONE: 3, WriteState.READY: 1}
    row = VendorWrite.objects.get(batch=batch, integration=chosen[0])
    vendor_writes.confirm(row, by=by, answers={"choice:tag": "yours"})
    row.refresh_from_db()
    assert row.job is not None
    run(row.job)
    assert states(batch) == {WriteState.DONE: 4}


def test_the_same_form_twice_is_one_batch(chosen: list[Integration], by: User) -> None:
    assert tagged(chosen, by) == tagged(chosen, by)
    assert VendorWrite.objects.count() == 4


def test_a_form_gone_back_to_and_changed_is_not_answered_with_the_first_batch(
    chosen: list[Integration], by: User
) -> None:
    tagged(chosen, by, "spring")
    with pytest.raises(InvalidError, match="something else"):
        tagged(chosen, by, "summer")


def test_a_killed_batch_goes_on_with_what_is_left(
    simulator: SimulatorServer, chosen: list[Integration], by: User
) -> None:
    batch = go_on(tagged(chosen, by))
    write_batches.confirm(batch, by=by)
    batch.refresh_from_db()
    with pytest.raises(KeyboardInterrupt):
        write_batches.perform(batch, job=None, progress=Watched(stop_after=5))
    assert 0 < len(applied(simulator)) < 4
    go_on(batch)
    assert states(batch) == {WriteState.DONE: 4}
    assert len(applied(simulator)) == 4


def test_cancelled_between_two_rows_the_rest_can_be_given_up_or_gone_on_with(
    simulator: SimulatorServer, chosen: list[Integration], by: User
) -> None:
    batch = go_on(tagged(chosen, by))
    write_batches.confirm(batch, by=by)
    batch.refresh_from_db()
    assert batch.job is not None
    jobs.cancel(job=batch.job, by=by)
    assert applied(simulator) == []
    go_on(write_batches.go_on(batch, by=by))
    assert states(batch) == {WriteState.DONE: 4}


def test_given_up_nothing_is_sent(simulator: SimulatorServer, chosen: list[Integration], by: User) -> None:
    batch = go_on(tagged(chosen, by))
    write_batches.abandon(batch, by=by)
    assert states(batch) == {WriteState.ABANDONED: 4}
    assert applied(simulator) == []


def test_what_was_asked_of_an_old_batch_is_erased(chosen: list[Integration], by: User) -> None:
    batch = go_on(tagged(chosen, by))
    assert write_batches.forget_requests() == 0
    WriteBatch.objects.filter(pk=batch.pk).update(created_at=timezone.now() - timedelta(days=31))
    assert write_batches.forget_requests() == 1
    batch.refresh_from_db()
    with pytest.raises(InvalidError, match="not kept any more"):
        write_batches.retry_failed(batch, by=by, key="form-2")


def test_revisions_of_a_selection_are_taken_without_a_dry_run(
    simulator: SimulatorServer, chosen: list[Integration], by: User
) -> None:
    def take(key: str) -> WriteBatch:
        return go_on(
            write_batches.request(
                "take_revision",
                tenant=chosen[0].tenant,
                by=by,
                integrations=chosen,
                params={"note": "Before the season", "only_if_changed": True},
                key=key,
                title="Revisions",
            )
        )

    assert states(take("first")) == {WriteState.DONE: 4}
    assert states(take("second")) == {WriteState.DONE: 4}
    assert [entry["operation"] for entry in applied(simulator)] == ["revision"] * 4


def test_a_vendor_without_the_capability_is_not_done_from_the_start(simulator: SimulatorServer) -> None:
    torq = mirrored(simulator, "nordhavn-torq-subsidiary")
    sync(torq)
    rows = list(Integration.objects.filter(vendor_account=torq).select_related("tenant", "vendor_account", "document"))
    batch = tagged(rows[:2], owner_of(torq.tenant))
    assert states(batch) == {WriteState.NOT_DONE: 2}


def test_none_and_too_many_are_refused(account: VendorAccount, by: User) -> None:
    with pytest.raises(InvalidError, match="between 1 and"):
        write_batches.request(
            "edit", tenant=account.tenant, by=by, integrations=[], params={"changes": {}}, key="", title="Nothing"
        )
