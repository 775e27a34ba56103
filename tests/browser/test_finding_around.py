"""Getting around: sign in, search, tabs, keyboard, theme, drawer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser.looking import PHONE, sign_in
from tests.people import PASSWORD, give
from tests.things import Things, make_account, make_integration, make_things

if TYPE_CHECKING:
    from tests.people import People

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def things(page: Page, live_server: object, people: People) -> Things:
    """Rows at the first tenant, seen by its editor, who may also read at the other tenant."""
    give(people.members["editor"], "viewer", people.other_tenant)
    sign_in(page, people.members["editor"], str(live_server))
    return make_things(people.tenant)


def test_signing_in_with_a_wrong_password_and_then_the_right_one(page: Page, people: People) -> None:
    page.goto("/t/larkspur/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    for password in ("wrong-password-1", PASSWORD):
        page.get_by_label("E-mail").fill("viewer@people.example")
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in", exact=True).click()
        if password != PASSWORD:
            expect(page.locator("[data-form-errors]")).to_be_focused()
            expect(page.get_by_label("E-mail")).to_have_value("viewer@people.example")
    expect(page.get_by_role("heading", level=1)).to_have_text("Larkspur Outdoor")


def test_an_id_pasted_into_the_search_opens_its_integration(page: Page, things: Things, people: People) -> None:
    make_integration(make_account(people.other_tenant), "Returns", remote_id="5f0000000000000000000abc")
    page.goto("/")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search everything")).to_be_focused()
    page.keyboard.insert_text("5f0000000000000000000abc")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Returns")
    expect(page.locator(".tenantbar .tenant-name")).to_have_text("Kestrel Freight")


def test_tabs_change_without_a_reload_and_follow_back_forward_and_reload(page: Page, things: Things) -> None:
    address = things.integration.get_absolute_url()
    page.goto(address)
    page.evaluate("() => { window.isTheSamePage = true }")
    current = page.locator(".tabs [aria-current]")
    page.locator(".tabs").get_by_role("link", name="History").click()
    expect(page.get_by_role("heading", name="Keep the present state")).to_be_visible()
    page.locator(".tabs").get_by_role("link", name="Raw").click()
    expect(page.locator("[data-json-tree]")).to_be_visible()
    expect(page).to_have_url(reverse_url(page, things, "raw"))
    assert page.evaluate("() => window.isTheSamePage") is True

    page.go_back()
    expect(current).to_contain_text("History")
    expect(page.get_by_role("heading", name="Keep the present state")).to_be_visible()
    page.go_back()
    expect(current).to_contain_text("Overview")
    page.go_forward()
    expect(current).to_contain_text("History")
    page.reload()
    expect(current).to_contain_text("History")
    page.goto(reverse_url(page, things, "raw"))
    expect(current).to_contain_text("Raw")
    expect(page.locator("[data-json-tree]")).to_be_visible()


def reverse_url(page: Page, things: Things, tab: str) -> str:
    path = reverse("integrations:tab", args=["larkspur", things.integration.pk, tab])
    return str(page.evaluate("path => new URL(path, location.href).href", path))


def test_the_keyboard_alone_switches_tenant_and_opens_a_row(page: Page, things: Things) -> None:
    make_integration(things.account, "Zebra stock")
    page.goto("/integrations/")
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page.get_by_label("Find a tenant")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#switch-button")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("lark")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Larkspur Outdoor")

    page.goto("/integrations/?sort=name")
    rows = page.locator("[data-row-link]")
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Zebra stock")
    page.goto("/integrations/?sort=name")
    page.locator("[data-row]").first.locator("td").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Orders")


def test_a_disabled_action_tells_why_to_the_keyboard_and_closes_on_escape(page: Page, things: Things) -> None:
    page.goto(reverse("vendor_accounts:index", args=["larkspur"]))
    button = page.get_by_role("button", name="Add a vendor account")
    tooltip = page.get_by_role("tooltip")
    expect(tooltip).to_be_hidden()
    for _ in range(40):
        page.keyboard.press("Tab")
        if button.evaluate("element => element === document.activeElement"):
            break
    expect(button).to_be_focused()
    expect(tooltip).to_be_visible()
    expect(tooltip).to_contain_text("Larkspur Outdoor")
    page.keyboard.press("Escape")
    expect(tooltip).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page).to_have_title("Vendor accounts · Larkspur Outdoor · Console")


def test_the_theme_follows_the_system_until_somebody_chooses(page: Page, things: Things) -> None:
    document = page.locator("html")
    page.emulate_media(color_scheme="dark")
    page.goto("/")
    expect(document).to_have_attribute("data-bs-theme", "dark")
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("button", name="Light", exact=True).click()
    expect(document).to_have_attribute("data-bs-theme", "light")
    page.goto("/jobs/")
    expect(document).to_have_attribute("data-bs-theme", "light")


def test_on_a_phone_the_navigation_is_a_drawer_and_rows_are_stacked(page: Page, things: Things) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto("/integrations/")
    drawer = page.locator("#nav")
    expect(drawer).to_be_hidden()
    first, second = page.locator("[data-row] td").nth(0), page.locator("[data-row] td").nth(2)
    above, below = first.bounding_box(), second.bounding_box()
    assert above is not None
    assert below is not None
    assert below["y"] >= above["y"] + above["height"]
    page.get_by_role("button", name="Open navigation").click()
    expect(drawer).to_be_visible()
    drawer.get_by_role("link", name="Jobs").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Jobs")
    expect(drawer).to_be_hidden()
