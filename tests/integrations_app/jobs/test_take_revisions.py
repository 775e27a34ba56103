"""Revisions of everything in an account: begun by the schedule at night, or by a person; each once."""

from __future__ import annotations

from typing import Any

import pytest

from console.access.models import User
from integrations_app.models import Integration, Job, JobState, Schedule, VendorAccount, VendorWrite, WriteBatch
from integrations_app.services import jobs, revision_policies, schedules, write_batches
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.mirror_jobs import run, run_again
from tests.integrations_app.services.mirroring import owner_of
from tests.integrations_app.services.writing import applied, mirrored

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(simulator: SimulatorServer) -> VendorAccount:
    return mirrored(simulator)


@pytest.fixture
def by(account: VendorAccount) -> User:
    return owner_of(account.tenant)


def tonight(account: VendorAccount) -> Job:
    """What the schedule asks for when its time has come."""
    Schedule.objects.filter(vendor_account=account, job_type="take_revisions").update(next_at="2026-01-01T00:00Z")
    schedules.enqueue_due()
    return Job.objects.filter(type="take_revisions").order_by("-created_at")[0]


def perform(batch: WriteBatch) -> dict[str, int]:
    assert batch.job is not None
    run(batch.job)
    return write_batches.counts(batch)


def test_every_night_each_integration_is_kept_and_nothing_new_is_kept_twice(
    simulator: SimulatorServer, account: VendorAccount, by: User
) -> None:
    revision_policies.change(account, by=by, is_nightly=True, before_writes=False, version=None)
    assert run(tonight(account)).state == JobState.SUCCEEDED
    there = Integration.objects.filter(vendor_account=account, gone_at=None).count()
    batch = WriteBatch.objects.get()
    assert (batch.requested_by, batch.requested_by_label, batch.title) == (
        None,
        "",
        f"Revisions of {there} integrations in {account.name}",
    )
    first = perform(batch)
    taken = [entry["operation"] for entry in applied(simulator)]
    assert set(taken) == {"revision"}
    assert first["done"] == len(taken) > 0

    run(tonight(account))
    second = perform(WriteBatch.objects.exclude(pk=batch.pk).get())
    assert second == first
    assert len(applied(simulator)) == len(taken), "nothing had changed since"


def test_a_second_run_finds_the_batches_of_the_first_and_a_night_under_way_is_not_doubled(
    account: VendorAccount, by: User
) -> None:
    revision_policies.change(account, by=by, is_nightly=True, before_writes=False, version=None)
    job = run(tonight(account))
    assert run_again(job).result["batches"] == [WriteBatch.objects.get().pk.hex]
    following = run(tonight(account))
    assert following.pk != job.pk
    assert following.result["batches"] == []
    assert "still under way" in following.result["note"]
    assert WriteBatch.objects.count() == 1


def test_a_person_gets_one_batch_of_a_whole_account_and_a_job_where_one_is_not_enough(
    account: VendorAccount, by: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"by": by, "note": "Before the season", "only_if_changed": False}
    one = revision_policies.request_all(account, key="first", **asked)
    assert isinstance(one, WriteBatch)
    assert one == revision_policies.request_all(account, key="first", **asked)
    count = VendorWrite.objects.filter(batch=one).count()
    VendorWrite.objects.all().delete()
    WriteBatch.objects.all().delete()

    monkeypatch.setattr(write_batches, "MAX_ROWS", count - 1)
    job = revision_policies.request_all(account, key="second", **asked)
    assert isinstance(job, Job)
    assert run(job).state == JobState.SUCCEEDED
    made = WriteBatch.objects.order_by("created_at")
    assert [VendorWrite.objects.filter(batch=batch).count() for batch in made] == [count - 1, 1]
    assert {batch.requested_by for batch in made} == {by}


def test_an_empty_account_has_nothing_to_do(account: VendorAccount, by: User) -> None:
    Integration.objects.filter(vendor_account=account).update(gone_at="2026-01-01T00:00Z")
    job = run(jobs.request("take_revisions", tenant=account.tenant, by=by, target=account))
    assert (job.state, job.result["batches"]) == (JobState.SUCCEEDED, [])
