"""From an empty console to the first integrations, left and taken up again on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from console.access import setup_code
from tests.browser.looking import leave

if TYPE_CHECKING:
    from integrations_app.simulator.server import SimulatorServer
    from tests.celery_worker import CeleryWorker

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "not-a-real-password-1"


def test_the_way_from_the_setup_code_to_the_first_sync(
    page: Page, worker: CeleryWorker, simulator: SimulatorServer
) -> None:
    page.goto("/welcome/?code=wrong")
    expect(page.get_by_role("alert")).to_contain_text("not right")
    page.get_by_label("Set-up code").fill(setup_code.current())
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Name").fill("Ada Owner")
    page.get_by_label("E-mail").fill("ada@people.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Create").click()

    step = page.locator("[aria-current=step]")
    expect(step).to_contain_text("Add a tenant")
    step.get_by_role("link").click()
    page.get_by_label("Name").fill("Larkspur Outdoor")
    page.get_by_label("Address").fill("larkspur")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Add a vendor account")

    # Gone home; the next day the sign-in leads back to where the path stopped.
    leave(page)
    page.goto("/accounts/login/")
    page.get_by_label("E-mail").fill("ada@people.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto("/welcome/")
    expect(step).to_contain_text("Paste a vendor's key")
    step.get_by_role("link").click()

    celigo = simulator.world.account("larkspur-celigo-sandbox")
    assert celigo is not None
    page.get_by_role("link", name="Celigo").click()
    page.get_by_label("Region").select_option("simulator")
    page.get_by_label("API token").fill(celigo.credential["api_token"])
    page.get_by_role("button", name="Add and test").click()
    expect(page.locator("#account h1")).to_have_text("Celigo, Production")
    expect(page.locator("#account")).to_contain_text("Whole list read")
    expect(page.locator("#account .sub .st")).to_have_text("OK")

    page.goto("/welcome/")
    expect(page.locator(".todo li")).to_have_count(5)
    expect(page.get_by_text("Done", exact=True)).to_have_count(5)
    page.goto("/t/larkspur/integrations/")
    expect(page.locator("[data-row]")).to_have_count(celigo.size)
