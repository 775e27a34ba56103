"""Live search from its page: ask the vendor with its own filters, pick the answer up, leave the mirror alone."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils.html import escape

from integrations_app.models import Integration, Job
from integrations_app.simulator.server import SimulatorServer
from integrations_app.vendors import registry
from tests.integrations_app.jobs.mirror_jobs import run
from tests.integrations_app.services.mirroring import added, sync
from tests.people import People

pytestmark = pytest.mark.django_db(transaction=True)


def test_torq_is_asked_for_one_type(simulator: SimulatorServer, people: People, client: Client) -> None:
    account = added(simulator, "kestrel-torq", by=people.members["owner"], at=people.tenant)
    sync(account)
    kind = Integration.objects.values_list("app", flat=True).order_by("app")[0]
    expected = set(Integration.objects.filter(app=kind).values_list("remote_id", flat=True))
    before = list(Integration.objects.order_by("pk").values())
    client.force_login(people.members["support"])

    asked = client.post(f"{account.get_absolute_url()}search/", {"type_id": kind}).headers["Location"]
    assert "Asking Torq" in client.get(asked).content.decode()
    job = run(Job.objects.get(type="search_vendor"))
    shown = client.get(asked).content.decode()
    assert {hit["remote_id"] for hit in job.result["hits"]} == expected
    assert all(remote_id in shown for remote_id in expected)
    assert list(Integration.objects.order_by("pk").values()) == before


def test_membrane_s_candidates_are_shown_as_such_and_not_mirrored(
    simulator: SimulatorServer, people: People, client: Client
) -> None:
    account = added(simulator, "kestrel-membrane", by=people.members["owner"], at=people.tenant)
    client.force_login(people.members["support"])
    filters = {"search": "a", "connectors": "1", "externalApps": "1", "websearch": "1", "limit": "1000"}

    asked = client.post(f"{account.get_absolute_url()}search/", filters).headers["Location"]
    job = run(Job.objects.get(type="search_vendor"))
    candidates = [hit for hit in job.result["hits"] if hit["is_candidate"]]
    assert candidates
    assert client.get(asked).content.decode().count("a suggestion, not stored at Membrane") == len(candidates)
    assert not Integration.objects.exists()


def test_a_choice_that_is_left_out_is_offered_once(simulator: SimulatorServer, people: People, client: Client) -> None:
    account = added(simulator, "kestrel-membrane", by=people.members["owner"], at=people.tenant)
    client.force_login(people.members["support"])
    form = client.get(f"{account.get_absolute_url()}search/").content.decode()
    # Three sources of candidates, and no “Any” beside the vendor's own words.
    assert form.count("As Membrane decides") == 3
    assert ">Any<" not in form


def test_a_vendor_without_live_search_says_so_on_the_account(
    simulator: SimulatorServer, people: People, client: Client
) -> None:
    account = added(simulator, "larkspur-celigo", by=people.members["owner"], at=people.tenant)
    client.force_login(people.members["support"])
    assert client.get(f"{account.get_absolute_url()}search/").status_code == 404
    shown = client.get(account.get_absolute_url()).content.decode()
    assert f"{account.get_absolute_url()}search/" not in shown
    reason = registry.vendor("celigo").unsupported_reasons["SupportsLiveSearch"]
    assert escape(reason) in shown
