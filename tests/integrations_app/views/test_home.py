"""The home page: what needs a person at the tenants one may see, whose turn it is, and the quiet states."""

from __future__ import annotations

from django.test import Client

from integrations_app.models import Integration
from tests.people import People
from tests.things import make_account, make_integration, make_write


def trouble(people: People, name: str, turn: str) -> None:
    account = make_account(people.tenant, name=f"Account of {name}")
    make_integration(
        account, name, state=Integration.State.ATTENTION, turn=turn, finding_code="errors", findings_count=1
    )


def test_it_counts_what_waits_and_filters_by_whose_turn_it_is(people: People, client: Client) -> None:
    trouble(people, "Ours to mend", Integration.Turn.OURS)
    trouble(people, "Theirs to mend", Integration.Turn.TENANT)
    client.force_login(people.members["viewer"])
    page = client.get("/").content.decode()
    assert "2 things need a person" in page
    assert "At 1 of 1 tenant" in page
    ours = client.get("/", {"turn": "us"}).content.decode()
    assert "Ours to mend" in ours
    assert "Theirs to mend" not in ours


def test_a_change_of_which_nobody_knows_the_end_waits_for_a_person(people: People, client: Client) -> None:
    integration = make_integration(make_account(people.tenant))
    change = make_write(integration, state="unknown", title="Edit Orders")
    client.force_login(people.members["viewer"])
    page = client.get("/").content.decode()
    assert "the answer was lost" in page
    assert change.get_absolute_url() in page
    assert change.get_absolute_url() in client.get(integration.get_absolute_url()).content.decode()


def test_htmx_gets_the_list_alone(people: People, client: Client) -> None:
    trouble(people, "Ours to mend", Integration.Turn.OURS)
    client.force_login(people.members["viewer"])
    part = client.get("/", {"turn": "us"}, headers={"HX-Request": "true"})
    assert part.content.decode().lstrip().startswith('<div class="stack" id="needs">')
    assert "HX-Request" in part.headers["Vary"]


def test_it_says_when_nothing_waits_and_when_there_is_no_tenant(people: People, client: Client) -> None:
    client.force_login(people.members["viewer"])
    assert "All quiet" in client.get("/").content.decode()
    client.force_login(people.stranger)
    assert "No tenant yet" in client.get("/").content.decode()


def test_a_platform_admin_without_tenants_is_led_to_the_first_steps(people: People, client: Client) -> None:
    client.force_login(people.platform)
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/welcome/")
