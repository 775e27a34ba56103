from __future__ import annotations

import pytest

from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.models import Integration
from integrations_app.services import vendor_accounts
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.mirror_jobs import run, run_again
from tests.integrations_app.services.mirroring import added, owner_of, sync

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_search_brings_hits_and_touches_no_row(simulator: SimulatorServer) -> None:
    account = added(simulator, "kestrel-membrane")
    sync(account)
    # The vendor leaves archived ones out of a search that does not ask for them.
    one = Integration.objects.exclude(state="archived").order_by("pk")[0]
    before = list(Integration.objects.order_by("pk").values())
    user = owner_of(account.tenant)
    job = run(vendor_accounts.request_search(account, by=user, filters={"search": one.name, "nonsense": "x"}))
    assert job.state == "succeeded"
    ours = [hit for hit in job.result["hits"] if hit["remote_id"] == one.remote_id]
    assert [hit["integration_id"] for hit in ours] == [str(one.pk)]
    assert list(Integration.objects.order_by("pk").values()) == before
    assert AuditEvent.objects.get(event=Event.LIVE_SEARCHED).detail["filters"] == "search"
    assert run_again(job).result == job.result


def test_a_vendor_without_search_says_so(simulator: SimulatorServer) -> None:
    account = added(simulator, "larkspur-celigo")
    job = run(vendor_accounts.request_search(account, by=owner_of(account.tenant), filters={"search": "x"}))
    assert (job.state, job.error_code) == ("failed", "vendor_unsupported")


def test_a_question_the_vendor_does_not_take_says_nothing_about_the_account(simulator: SimulatorServer) -> None:
    account = added(simulator, "kestrel-membrane")
    sync(account)
    simulator.world.add_fault(Fault(name="refused", kind="status", account="kestrel-membrane", status=400))
    job = run(vendor_accounts.request_search(account, by=owner_of(account.tenant), filters={"search": "x"}))
    assert (job.state, job.error_code) == ("failed", "vendor_rejected")
    account.refresh_from_db()
    assert account.state == "ok"
