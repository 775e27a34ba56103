"""The tabs of what is in an integration, in a real browser: read by themselves, and acted upon."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from integrations_app.models import Integration, Job
from tests.browser.looking import faults, sign_in
from tests.integrations_app.services.mirroring import added, sync
from tests.integrations_app.services.operations.writing import done

if TYPE_CHECKING:
    from integrations_app.simulator.server import SimulatorServer
    from tests.celery_worker import CeleryWorker
    from tests.people import People

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "larkspur-celigo"
WAIT = 30_000


@pytest.fixture
def one(simulator: SimulatorServer, people: People) -> Integration:
    """An integration with some errors in one step."""
    account = added(simulator, NAME, by=people.members["owner"], at=people.tenant)
    sync(account)
    rows = Integration.objects.filter(vendor_account=account, finding_code="errors", finding_count__range=(4, 50))
    return rows.select_related("tenant").order_by("finding_count", "remote_id")[0]


def tab(page: Page, name: str) -> None:
    """Open a tab by its link, and wait until it has read itself."""
    page.get_by_role("navigation", name="Integration").get_by_role("link", name=re.compile(f"^{name}")).click()
    expect(page.locator("#listing-h .count")).to_be_visible(timeout=WAIT)


def test_records_are_chosen_and_tried_again(
    page: Page,
    live_server: object,
    people: People,
    worker: CeleryWorker,
    simulator: SimulatorServer,
    one: Integration,
) -> None:
    sign_in(page, people.members["editor"], str(live_server))
    page.goto(one.get_absolute_url())
    tab(page, "Errors")
    expect(page.locator(".tabs [aria-current] .count")).to_be_visible()
    assert faults(page) == []
    page.locator("#listing tbody a.strong").first.click()
    boxes = page.locator("[data-pick]")
    expect(boxes.first).to_be_visible(timeout=WAIT)
    retry = page.locator("#retry")
    expect(retry).to_have_attribute("aria-disabled", "true")
    before = boxes.count()
    page.get_by_label("Choose all on this page").check()
    expect(page.locator("[data-picked]")).to_have_text(f"{before} records chosen")
    page.get_by_label("Choose all on this page").uncheck()
    boxes.nth(0).check()
    boxes.nth(1).check()
    expect(page.locator("[data-picked]")).to_have_text("2 records chosen")
    assert faults(page) == []
    # Reading the list again takes nothing of that away.
    page.get_by_role("button", name="Refresh Error records").click()
    expect(page.locator("#listing")).to_have_attribute("hx-trigger", "listing-asked from:body", timeout=WAIT)
    expect(page.locator("[data-picked]")).to_have_text("2 records chosen")
    retry.click()
    confirm = page.locator("#confirm")
    expect(confirm).to_be_visible(timeout=WAIT)
    expect(page.get_by_text("2 records go through the step again")).to_be_visible()
    assert done(simulator, NAME, "retry") == []
    confirm.click()
    expect(page.get_by_text("2 records are being tried again.").first).to_be_visible(timeout=WAIT)
    assert len(done(simulator, NAME, "retry")) == 1
    page.goto(f"{one.get_absolute_url()}errors/")
    page.locator("#listing tbody a.strong").first.click()
    expect(page.locator("[data-pick]")).to_have_count(before - 2)


def test_a_connection_is_pinged_and_others_are_registered(
    page: Page,
    live_server: object,
    people: People,
    worker: CeleryWorker,
    simulator: SimulatorServer,
    one: Integration,
) -> None:
    sign_in(page, people.members["editor"], str(live_server))
    page.goto(one.get_absolute_url())
    tab(page, "Connections")
    rows = page.locator("#listing tbody tr").count()
    page.get_by_role("button", name="Ping").first.click()
    expect(page.locator("#listing .st", has_text="Ping: Yes, it answers")).to_be_visible(timeout=WAIT)
    page.get_by_role("link", name="Document").first.click()
    expect(page.locator("#doc")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("link", name="Register connections").click()
    boxes = page.locator("[data-pick]")
    expect(boxes.first).to_be_visible(timeout=WAIT)
    boxes.nth(0).check()
    boxes.nth(2).check()
    assert faults(page) == []
    page.get_by_role("button", name="Register", exact=True).click()
    page.locator("#confirm").click(timeout=WAIT)
    expect(page.get_by_text("2 connections registered.").first).to_be_visible(timeout=WAIT)
    assert len(done(simulator, NAME, "register")) == 1
    page.goto(f"{one.get_absolute_url()}connections/")
    expect(page.locator("#listing-h .count")).to_have_text(str(rows + 2))


def test_who_may_only_look_starts_nothing_by_opening_a_tab(
    page: Page, live_server: object, people: People, one: Integration
) -> None:
    sign_in(page, people.members["viewer"], str(live_server))
    page.goto(f"{one.get_absolute_url()}flows/")
    expect(page.get_by_role("heading", name="Not read yet")).to_be_visible()
    assert faults(page) == []
    assert not Job.objects.filter(type="read_listing").exists()
