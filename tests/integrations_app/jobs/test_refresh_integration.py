from __future__ import annotations

import pytest

from integrations_app.models import Integration
from integrations_app.services import integrations
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.mirror_jobs import run, run_again
from tests.integrations_app.services.mirroring import added, owner_of, sync

pytestmark = pytest.mark.django_db(transaction=True)


def one_of(simulator: SimulatorServer) -> Integration:
    account = added(simulator, "larkspur-celigo-sandbox")
    sync(account)
    return Integration.objects.select_related("tenant", "vendor_account").order_by("pk")[0]


def test_a_refresh_says_what_changed_and_can_run_twice(simulator: SimulatorServer) -> None:
    one = one_of(simulator)
    job = run(integrations.request_refresh(one, by=owner_of(one.tenant)))
    assert (job.state, job.result) == ("succeeded", {"change": "unchanged", "state": one.state})
    assert run_again(job).state == "succeeded"


def test_a_refresh_at_a_vendor_that_is_down_is_tried_again_later(simulator: SimulatorServer) -> None:
    one = one_of(simulator)
    simulator.world.add_fault(Fault(name="down", kind="status", account="larkspur-celigo-sandbox", status=503))
    job = run(integrations.request_refresh(one, by=owner_of(one.tenant)))
    assert job.state == "waiting"
    one.vendor_account.refresh_from_db()
    assert one.vendor_account.state == "failing"


def test_a_refresh_of_a_row_that_is_gone_here_fails_in_words(simulator: SimulatorServer) -> None:
    one = one_of(simulator)
    job = integrations.request_refresh(one, by=owner_of(one.tenant))
    one.delete()
    assert (run(job).state, job.error_code) == ("failed", "target_missing")
