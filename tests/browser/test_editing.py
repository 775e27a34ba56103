"""Editing an integration at its vendor in a real browser: somebody else was quicker, an answer is lost, and undo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator, Page, expect

from integrations_app.models import Integration, VendorWrite
from integrations_app.services import integrations
from tests.browser.looking import faults, sign_in
from tests.browser.mirrored import CELIGO, run
from tests.integrations_app.services.mirroring import added, sync
from tests.integrations_app.services.writing import applied, change_at_vendor, lose_answers, plain_integrations

if TYPE_CHECKING:
    from integrations_app.simulator.server import SimulatorServer
    from tests.people import People

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def one(simulator: SimulatorServer, people: People, settings: Any) -> Integration:
    settings.WRITE_SETTLE_SECONDS = 0
    account = added(simulator, CELIGO, by=people.members["owner"], at=people.tenant)
    sync(account)
    return next(iter(plain_integrations(account)))


def work() -> None:
    """Run the job that the newest change waits for, as a worker would."""
    job = VendorWrite.objects.latest("created_at").job
    assert job is not None
    run(job)


def held(one: Integration) -> dict[str, Any]:
    document: dict[str, Any] = integrations.load_document(Integration.objects.select_related("document").get(pk=one.pk))
    return document


def open_form(page: Page, one: Integration) -> None:
    """From the integration's page by its menu, as one goes there."""
    page.goto(one.get_absolute_url())
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("link", name="Edit", exact=True).click()
    expect(page.get_by_role("heading", name="Edit")).to_be_visible()


def description(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Description")


def change(page: Page) -> Locator:
    return page.locator("#change")


def test_a_conflict_is_decided_field_by_field_sent_once_and_undone(
    page: Page, live_server: object, people: People, simulator: SimulatorServer, one: Integration
) -> None:
    sign_in(page, people.members["editor"], str(live_server))
    open_form(page, one)
    assert faults(page) == []
    page.get_by_role("textbox", name="Name").fill("Ours, by name")
    description(page).fill("Ours, in many words")
    change_at_vendor(simulator, one, description="Theirs, in many words", tag="theirs")
    page.get_by_role("button", name="Check the change").click()
    expect(change(page)).to_contain_text("Nothing is sent yet.")
    work()

    # The page notices by itself; what was typed is there beside what the other one wrote.
    expect(change(page)).to_contain_text("Somebody changed this")
    choice = page.get_by_role("group", name="Description")
    expect(choice).to_contain_text("Ours, in many words")
    expect(choice).to_contain_text("Theirs, in many words")
    expect(page.get_by_role("table", name="Field by field")).to_contain_text("Ours, by name")
    # What the other one changed alone is told, and stays.
    expect(page.get_by_role("region", name="To know before")).to_contain_text("Tag")
    assert faults(page) == []
    page.locator("#confirm").click()
    ours = choice.get_by_role("radio", name="Yours")
    # Nothing is chosen for a person: the browser keeps the form and leads to the choice.
    expect(ours).to_be_focused()
    ours.check()
    page.locator("#confirm").click()
    expect(change(page)).to_contain_text("Confirmed. It is checked once more")
    assert applied(simulator) == []
    work()

    expect(change(page)).to_contain_text("Read back, the vendor holds what was meant")
    assert faults(page) == []
    assert [entry["target"] for entry in applied(simulator)] == [one.remote_id]
    document = held(one)
    assert (document["name"], document["description"]) == ("Ours, by name", "Ours, in many words")
    assert document["tag"] == "theirs"

    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="Undo an edit of")).to_be_visible()
    work()
    expect(page.get_by_role("table", name="Field by field")).to_contain_text("Theirs, in many words")
    page.locator("#confirm").click()
    expect(change(page)).to_contain_text("Confirmed. It is checked once more")
    work()
    expect(change(page)).to_contain_text("Read back, the vendor holds what was meant")
    assert len(applied(simulator)) == 2
    assert held(one)["description"] == "Theirs, in many words"


def test_a_change_whose_answer_was_lost_is_settled_and_never_sent_again(
    page: Page, live_server: object, people: People, simulator: SimulatorServer, one: Integration
) -> None:
    sign_in(page, people.members["editor"], str(live_server))
    for words, kind, outcome in (
        ("Sent and done", "reset_after", "the vendor holds what was meant"),
        ("Sent in vain", "reset", "it did not happen"),
    ):
        open_form(page, one)
        description(page).fill(words)
        page.get_by_role("button", name="Check the change").click()
        work()
        lose_answers(simulator, "PUT", "/integrations/", kind=kind)
        page.locator("#confirm").click()
        expect(change(page)).to_contain_text("Confirmed. It is checked once more")
        work()
        expect(change(page)).to_contain_text(outcome)
        assert faults(page) == []
    assert len(applied(simulator)) == 1
    assert held(one)["description"] == "Sent and done"
