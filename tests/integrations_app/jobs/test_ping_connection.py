"""Pinging a connection: what the other side answers is shown in its row; what it refuses is an answer too."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils.html import escape

from integrations_app.models import Integration, Job, JobState, VendorAccount
from integrations_app.services import listings, pings
from integrations_app.services.errors import InvalidError
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.mirror_jobs import run
from tests.integrations_app.services.mirroring import added, sync
from tests.people import People

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(simulator: SimulatorServer, people: People) -> VendorAccount:
    mirrored = added(simulator, "larkspur-celigo", by=people.members["owner"], at=people.tenant)
    sync(mirrored)
    return mirrored


def with_connection(account: VendorAccount, *, is_online: bool) -> tuple[Integration, str]:
    for row in Integration.objects.filter(vendor_account=account).order_by("remote_id").select_related("tenant"):
        for item in listings.items(listings.read(account, row, "connections")):
            if item["values"]["is_online"] is is_online:
                return row, item["remote_id"]
    raise AssertionError("no such connection")


@pytest.mark.parametrize(("is_online", "mark"), [(True, "st-ok"), (False, "st-bad")])
def test_a_ping_says_in_the_row_whether_the_connection_works(
    account: VendorAccount, people: People, client: Client, is_online: bool, mark: str
) -> None:
    integration, connection = with_connection(account, is_online=is_online)
    client.force_login(people.members["support"])
    tab = f"{integration.get_absolute_url()}connections/"
    answer = client.post(f"{tab}ping/", {"connection": connection}, headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert "listing-asked" in answer.headers["HX-Trigger"]
    waiting = client.get(tab).content.decode()
    assert "Ping: being tried" in waiting
    assert 'hx-trigger="every 1s, awake from:body"' in waiting
    job = run(Job.objects.get(type="ping_connection"))
    assert (job.state, job.result["ok"]) == (JobState.SUCCEEDED, is_online)
    assert job.result["note"].endswith(".")
    page = client.get(tab).content.decode()
    assert f'{mark}">Ping: {escape(job.result["note"])}' in page
    assert 'hx-trigger="listing-asked from:body"' in page
    account.refresh_from_db()
    assert account.state == VendorAccount.State.OK


def test_only_a_listed_connection_is_pinged(account: VendorAccount, people: People, client: Client) -> None:
    integration, connection = with_connection(account, is_online=True)
    with pytest.raises(InvalidError):
        pings.request(integration, "0" * 24, by=people.members["support"])
    first = pings.request(integration, connection, by=people.members["support"])
    assert pings.request(integration, connection, by=people.members["owner"]) == first
    client.force_login(people.members["support"])
    address = f"{integration.get_absolute_url()}connections/ping/"
    refused = client.post(address, {"connection": "0" * 24}, headers={"HX-Request": "true"})
    assert "lists no such connection" in refused.headers["HX-Trigger"]
    assert client.post(address, {"connection": "0" * 24}).headers["Location"].endswith("/connections/")
    assert Job.objects.filter(type="ping_connection").count() == 1


def test_a_refusal_by_the_vendor_itself_is_shown_in_the_row(
    account: VendorAccount, people: People, client: Client, simulator: SimulatorServer
) -> None:
    from integrations_app.simulator.faults import Fault

    integration, connection = with_connection(account, is_online=True)
    job = pings.request(integration, connection, by=people.members["support"])
    simulator.world.add_fault(Fault("refused", "status", path="/ping", status=403))
    assert run(job).state == JobState.FAILED
    assert job.error
    client.force_login(people.members["viewer"])
    page = client.get(f"{integration.get_absolute_url()}connections/").content.decode()
    assert "st-unknown" in page
    assert escape(job.error) in page
