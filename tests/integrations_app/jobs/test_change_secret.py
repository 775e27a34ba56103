from __future__ import annotations

import json

import pytest
from django.forms.models import model_to_dict

from integrations_app.models import Credential, SecretChange, VendorAccount
from integrations_app.services import credentials, vendor_accounts
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
