from __future__ import annotations

import pytest

from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.services import vendor_accounts
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.mirror_jobs import run, run_again
from tests.integrations_app.services.mirroring import added, owner_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("name", "state", "account_state"),
    [
        ("larkspur-celigo", "succeeded", "ok"),
        ("kestrel-celigo", "succeeded", "partial"),
        ("osmond-celigo", "failed", "failing"),
    ],
)
def test_a_test_ends_as_its_account_is_scripted_each_time(
    simulator: SimulatorServer, name: str, state: str, account_state: str
) -> None:
    account = added(simulator, name)
    job = run(vendor_accounts.request_test(account, by=owner_of(account.tenant)))
    account.refresh_from_db()
    assert (job.state, account.state) == (state, account_state)
    assert job.lines.count() == len(account.test_report) > 0
    assert run_again(job).state == state
    assert AuditEvent.objects.filter(event=Event.VENDOR_ACCOUNT_TESTED).count() == 2


def test_two_tests_asked_for_at_once_are_one_job(simulator: SimulatorServer) -> None:
    account = added(simulator, "larkspur-celigo")
    user = owner_of(account.tenant)
    assert vendor_accounts.request_test(account, by=user) == vendor_accounts.request_test(account, by=user)
