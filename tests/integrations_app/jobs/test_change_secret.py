from __future__ import annotations

import json

import pytest
from django.forms.models import model_to_dict

from console.access.models import User
from integrations_app import tasks
from integrations_app.models import Credential, SecretChange, VendorAccount
from integrations_app.services import credentials, jobs, vendor_accounts, vendor_gates
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.mirror_jobs import run, run_again
from tests.integrations_app.services.mirroring import added, owner_of, simulated

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(simulator: SimulatorServer) -> VendorAccount:
    return added(simulator, "larkspur-celigo")


def test_a_working_secret_is_applied_once_and_never_told(simulator: SimulatorServer, account: VendorAccount) -> None:
    token = simulated(simulator, "larkspur-celigo").credential["api_token"]
    job = run(
        vendor_accounts.request_secret_change(
            account, by=owner_of(account.tenant), fields={"api_token": token}, version=1
        )
    )
    assert job.state == "succeeded"
    told = json.dumps([model_to_dict(job), *job.lines.values("text")], default=str)
    assert token not in told
    assert Credential.objects.get().version == 2
    assert run_again(job).state == "succeeded"
    assert Credential.objects.get().version == 2


def test_a_refused_secret_fails_the_job_with_the_reason(account: VendorAccount) -> None:
    before = credentials.open_fields(Credential.objects.get())
    job = run(
        vendor_accounts.request_secret_change(
            account, by=owner_of(account.tenant), fields={"api_token": "not-a-token"}, version=1
        )
    )
    assert (job.state, job.error_code) == ("failed", "secret_refused")
    assert "Nothing was changed" in job.error
    assert credentials.open_fields(Credential.objects.get()) == before
    assert SecretChange.objects.get().sealed is None


def test_a_secret_whose_test_is_cancelled_is_erased_and_cannot_be_tried_again(account: VendorAccount) -> None:
    owner = owner_of(account.tenant)
    job = vendor_accounts.request_secret_change(account, by=owner, fields={"api_token": "not-a-token"}, version=1)
    tasks.sweep_jobs()
    assert SecretChange.objects.get().sealed is not None
    jobs.cancel(job=job, by=owner)
    tasks.sweep_jobs()
    change = SecretChange.objects.get()
    assert (change.outcome, change.sealed) == ("abandoned", None)
    assert "Nothing was changed" in change.refusal
    job.refresh_from_db()
    with pytest.raises(jobs.JobStateError, match="replace it again"):
        jobs.retry(job=job, by=owner)


def test_a_shared_secret_is_not_changed_for_a_former_platform_admin(
    simulator: SimulatorServer, account: VendorAccount
) -> None:
    token = simulated(simulator, "larkspur-celigo").credential["api_token"]
    owner = owner_of(account.tenant)
    Credential.objects.update(tenant=None)
    account.refresh_from_db()
    job = vendor_accounts.request_secret_change(account, by=owner, fields={"api_token": token}, version=1)
    User.objects.filter(pk=owner.pk).update(is_platform_admin=False)
    assert run(job).state == "failed"
    assert Credential.objects.get().version == 1
    assert SecretChange.objects.get().sealed is None


def test_a_vendor_that_asks_to_wait_is_asked_again(simulator: SimulatorServer, account: VendorAccount) -> None:
    token = simulated(simulator, "larkspur-celigo").credential["api_token"]
    job = vendor_accounts.request_secret_change(
        account, by=owner_of(account.tenant), fields={"api_token": token}, version=1
    )
    vendor_gates.for_account(account).budget.refuse_until(600)
    assert run(job).state == "waiting"
    vendor_gates.reset(account)
    assert run_again(job).state == "succeeded"
