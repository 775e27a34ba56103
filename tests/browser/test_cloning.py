"""A clone for another tenant, from the menu to the new integration's page; and the forms beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from integrations_app.models import Integration, VendorWrite
from tests.browser.looking import faults, sign_in
from tests.browser.mirrored import CELIGO, Mirrored, mirror
from tests.integrations_app.services.mirroring import added, sync
from tests.integrations_app.services.operations.writing import work
from tests.people import People, give

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from integrations_app.simulator.server import SimulatorServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mirrored(simulator: SimulatorServer, people: People) -> Mirrored:
    mirrored = mirror(simulator, people, (CELIGO, "nordhavn-torq-subsidiary"))
    give(mirrored.owner, "editor", people.other_tenant)
    sync(added(simulator, CELIGO, by=people.other_owner, at=people.other_tenant))
    return mirrored


def source(mirrored: Mirrored) -> Integration:
    """One that goes through connections, so that some must be chosen."""
    rows = Integration.objects.filter(vendor_account=mirrored.accounts[CELIGO], state=Integration.State.ACTIVE)
    return rows.order_by("name_sort")[0]


def test_a_clone_for_another_tenant(page: Page, live_server: object, mirrored: Mirrored) -> None:
    sign_in(page, mirrored.owner, str(live_server))
    page.goto(source(mirrored).get_absolute_url())
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("link", name="Clone", exact=True).click()
    page.get_by_label("Kestrel Freight").check()
    page.get_by_label("Name", exact=True).fill("Copy for Kestrel")
    assert faults(page) == []
    page.get_by_role("button", name="Check the clone").click()
    expect(page.get_by_role("heading", name="as Copy for Kestrel")).to_be_visible()

    write = work(VendorWrite.objects.get())
    expect(page.get_by_text("What does not travel")).to_be_visible()
    assert faults(page) == []
    page.locator("#confirm").click()
    work(write)
    page.get_by_role("link", name="Open Copy for Kestrel").click()
    expect(page.get_by_role("heading", name="Copy for Kestrel")).to_be_visible()
    assert "/t/kestrel/" in page.url


def test_the_forms_that_create_and_delete(page: Page, live_server: object, mirrored: Mirrored) -> None:
    sign_in(page, mirrored.owner, str(live_server))
    new = reverse("integrations:create", args=["larkspur"])
    for address in (new, reverse("integrations:delete", args=["larkspur", source(mirrored).pk])):
        page.goto(address)
        assert faults(page) == [], address
    page.goto(f"{new}?account={mirrored.accounts[CELIGO].pk}")
    page.get_by_text("More fields").click()
    page.get_by_label("Name", exact=True).fill("Orders to ERP")
    page.locator("[data-json-editor] .cm-content").first.fill("{oops")
    page.get_by_role("button", name="Check it").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was sent")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Orders to ERP")
    assert faults(page) == []
