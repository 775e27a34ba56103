"""An installation that one person begins and a colleague ends on another day, in a real browser."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from integrations_app.models import Integration, Listing, VendorWrite
from tests.browser.looking import faults, leave, sign_in
from tests.integrations_app.services.mirroring import added, sync
from tests.integrations_app.services.operations.stepping import CONNECTION, FORM, NAME, TEMPLATE, URL, half_installed
from tests.integrations_app.services.operations.writing import done

if TYPE_CHECKING:
    from integrations_app.simulator.server import SimulatorServer
    from tests.celery_worker import CeleryWorker
    from tests.people import People

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "not-a-real-token-4711"


@pytest.fixture
def one(simulator: SimulatorServer, people: People) -> Integration:
    account = added(simulator, NAME, by=people.members["owner"], at=people.tenant)
    sync(account)
    return half_installed(simulator, account, (CONNECTION, FORM, URL, TEMPLATE))


def days_pass() -> None:
    """What the console knows of the steps is old, and so is what was done."""
    ago = timezone.now() - timedelta(days=3)
    Listing.objects.update(read_at=ago)
    VendorWrite.objects.update(over_at=ago)


def test_one_person_begins_and_a_colleague_ends_days_later(
    page: Page,
    live_server: object,
    people: People,
    worker: CeleryWorker,
    simulator: SimulatorServer,
    one: Integration,
) -> None:
    sign_in(page, people.members["editor"], str(live_server))
    page.goto(one.get_absolute_url())
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("link", name="Install", exact=True).click()
    # The steps, then the connections to choose from, are read while one waits.
    chosen = page.get_by_label("Connection to use")
    expect(chosen).to_be_visible(timeout=30_000)
    assert faults(page) == []
    chosen.select_option(index=1)
    page.get_by_role("button", name="Do this step").click()
    expect(page.get_by_role("heading", name="Choose warehouse")).to_be_visible(timeout=30_000)
    expect(page.locator("#wizard")).to_contain_text("1 of 4 done")
    page.get_by_label("Note").fill("typed, and left for later")
    leave(page)

    days_pass()
    colleague = people.members["admin"]
    sign_in(page, colleague, str(live_server))
    page.goto(f"{one.get_absolute_url()}install/")
    expect(page.locator("#wizard")).to_contain_text(f"done by {people.members['editor']}")
    # Nothing of the first person's is left in the form, and what was old is read again by itself.
    expect(page.get_by_label("Note")).to_have_value("")
    expect(page.locator("#age")).to_contain_text("just now", timeout=30_000)
    page.get_by_label("API token").fill(SECRET)
    page.get_by_label("Note").fill("By the colleague")
    page.get_by_role("button", name="Do this step").click()
    # A required answer is missing: the browser says so, and nothing is sent.
    page.get_by_label("Warehouse", exact=True).select_option("East")
    assert faults(page) == []
    page.get_by_role("button", name="Do this step").click()
    address = page.get_by_text("https://install.example/bundle", exact=True)
    expect(address).to_be_visible(timeout=30_000)
    expect(page.get_by_role("link", name="Open it in a new tab")).to_have_attribute(
        "rel", "noopener noreferrer external"
    )
    page.get_by_role("button", name="It is done there").click()
    expect(page.get_by_role("heading", name="Copy resources")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Installed")).to_be_visible(timeout=30_000)
    assert faults(page) == []
    assert SECRET not in page.content()
    assert len(done(simulator, NAME, "install_step")) == 4
    assert [write.requested_by for write in VendorWrite.objects.order_by("created_at")] == [
        people.members["editor"],
        *[colleague] * 3,
    ]


def test_what_is_typed_stays_when_a_colleague_was_quicker(
    page: Page,
    live_server: object,
    people: People,
    worker: CeleryWorker,
    simulator: SimulatorServer,
    one: Integration,
) -> None:
    half_installed(simulator, one.vendor_account, (FORM, TEMPLATE))
    sign_in(page, people.members["editor"], str(live_server))
    page.goto(f"{one.get_absolute_url()}install/")
    expect(page.get_by_label("Note")).to_be_visible(timeout=30_000)
    page.get_by_label("Warehouse", exact=True).select_option("West")
    page.get_by_label("Note").fill("An hour's work")
    half_installed(simulator, one.vendor_account, ({**FORM, "completed": True}, TEMPLATE))
    page.get_by_role("button", name="Do this step").click()
    expect(page.locator("#send")).to_contain_text("is done already", timeout=30_000)
    expect(page.get_by_label("Note")).to_have_value("An hour's work")
    assert done(simulator, NAME, "install_step") == []
    page.get_by_role("link", name="Show the steps as they are now").click()
    expect(page.get_by_role("heading", name="Copy resources")).to_be_visible()
