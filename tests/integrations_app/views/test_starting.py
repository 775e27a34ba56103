"""Asking for a job from a page: the page stays, and says where to follow."""

from __future__ import annotations

import json

from django.test import Client

from integrations_app.models import Job
from tests.people import People
from tests.things import make_things


def test_htmx_gets_a_toast_with_the_jobs_link_and_a_plain_form_the_jobs_page(people: People, client: Client) -> None:
    things = make_things(people.tenant)
    client.force_login(people.members["support"])
    address = f"{things.integration.get_absolute_url()}refresh/"
    answer = client.post(address, headers={"HX-Request": "true"})
    job = Job.objects.get(type="refresh_integration")
    assert answer.status_code == 204
    assert json.loads(answer.headers["HX-Trigger"])["toast"]["href"] == job.get_absolute_url()
    assert client.post(address).headers["Location"] == job.get_absolute_url()


def test_an_account_asked_for_a_sync_follows_it_on_its_own_page(people: People, client: Client) -> None:
    things = make_things(people.tenant)
    client.force_login(people.members["support"])
    answer = client.post(f"{things.account.get_absolute_url()}sync/", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert answer.content.decode().lstrip().startswith('<div class="stack" id="account" hx-get=')
    assert "toast" in answer.headers["HX-Trigger"]


def test_a_jobs_page_leads_back_to_the_integration_it_is_about(people: People, client: Client) -> None:
    things = make_things(people.tenant)
    client.force_login(people.members["support"])
    there = client.post(f"{things.integration.get_absolute_url()}snapshot/").headers["Location"]
    assert things.integration.get_absolute_url() in client.get(there).content.decode()
