from __future__ import annotations

import pytest

from console.access.models import Grant
from integrations_app.models import Integration, SyncRun
from integrations_app.services import vendor_accounts
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.mirror_jobs import run, run_again
from tests.integrations_app.services.mirroring import added, owner_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("name", "state", "account_state"),
    [
        ("larkspur-celigo", "succeeded", "ok"),
        ("quill-membrane", "succeeded", "ok"),
        ("osmond-membrane", "partial", "ok"),
        ("osmond-celigo", "failed", "failing"),
        ("pallas-torq", "failed", "failing"),
    ],
)
def test_a_sync_ends_as_its_account_is_scripted(
    simulator: SimulatorServer, name: str, state: str, account_state: str
) -> None:
    account = added(simulator, name)
    job = run(vendor_accounts.request_sync(account, by=owner_of(account.tenant)))
    account.refresh_from_db()
    assert (job.state, account.state) == (state, account_state)
    assert bool(job.error) == (state == "failed")


def test_a_partial_sync_names_what_failed(simulator: SimulatorServer) -> None:
    account = added(simulator, "osmond-membrane")
    job = run(vendor_accounts.request_sync(account, by=owner_of(account.tenant)))
    assert (job.units_done, job.units_failed, job.result["quarantined"]) == (26, 1, 1)
    assert job.lines.filter(level="error").count() == 1


def test_a_sync_delivered_twice_does_nothing_twice(simulator: SimulatorServer) -> None:
    account = added(simulator, "larkspur-celigo")
    job = run(vendor_accounts.request_sync(account, by=owner_of(account.tenant)))
    rows = set(Integration.objects.values_list("pk", flat=True))
    again = run_again(job)
    assert (again.state, again.result["unchanged"]) == ("succeeded", 36)
    assert set(Integration.objects.values_list("pk", flat=True)) == rows
    assert [found.outcome for found in SyncRun.objects.all()] == ["whole", "whole"]


def test_a_rate_limit_makes_the_job_wait_and_says_so(simulator: SimulatorServer) -> None:
    account = added(simulator, "larkspur-celigo")
    simulator.world.add_fault(
        Fault(name="slow", kind="status", account="larkspur-celigo", status=429, headers={"Retry-After": "60"})
    )
    job = run(vendor_accounts.request_sync(account, by=owner_of(account.tenant)))
    account.refresh_from_db()
    assert (job.state, account.state) == ("waiting", "untested")
    assert job.not_before is not None
    assert SyncRun.objects.get().outcome == "failed"


def test_somebody_who_lost_the_right_syncs_nothing(simulator: SimulatorServer) -> None:
    account = added(simulator, "larkspur-celigo")
    user = owner_of(account.tenant)
    job = vendor_accounts.request_sync(account, by=user)
    Grant.objects.filter(user=user).delete()
    assert run(job).state == "failed"
    assert not Integration.objects.exists()
