"""The parts of the pages about changes: readable in both themes, on a phone, and by a screen reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Page, expect

from integrations_app.services import differences
from integrations_app.services.canonical import canonical
from tests.browser.looking import PHONE, faults, sign_in

if TYPE_CHECKING:
    from tests.people import People

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "an unbroken " + "x" * 200 + "\n" + "line of a script\n" * 30
BEFORE = {
    "text": LONG,
    "token": {"$secret": "7f3a0c21"},
    "flows": [{"_id": "1", "name": "ראשון", "on": True}],
    "old": {"a": [1, 2, 3]},
}
AFTER = {
    "text": LONG.replace("xxx\n", "yyy\n"),
    "token": {"$secret": "c2100c21"},
    "flows": [{"_id": "1", "name": "ראשון", "on": False}],
    "new": "empty" * 40,
}
STATES = ("done", "current", "waiting", "failed", "unknown")


def part(name: str, **context: object) -> str:
    return render_to_string(f"components/{name}.html", context)


def everything() -> str:
    sections = differences.diff(canonical(BEFORE), canonical(AFTER)).sections
    steps = [{"label": "Read back", "state": state, "note": "a while ago"} for state in STATES]
    choose = {"label": "A long label " * 6, "base": BEFORE, "yours": AFTER, "theirs": LONG}
    return "".join(
        [
            "<h1>Parts</h1>",
            part("steps", steps=steps),
            part("steps", steps=steps, is_vertical=True, label="Down"),
            part("diff", sections=sections, before_label="Monday", after_label="now"),
            part("diff", sections=sections, is_side=True),
            part("choose_field", key="settings", **choose),
            part("choose_field", key="x", label="Chosen", base=1, yours=2, theirs="", chosen="yours", error="No."),
            part("secret_leaf", key="token", label="Token", fingerprint="7f3a0c21", choice="replace", error="Type it."),
        ]
    )


def test_the_parts_of_a_change_read_well_everywhere(page: Page, live_server: object, people: People) -> None:
    sign_in(page, people.members["viewer"], str(live_server))
    page.goto("/jobs/")
    page.evaluate("html => htmx.swap('#main', html, {swapStyle: 'innerHTML'})", everything())
    assert not faults(page)

    before, after = (page.locator(f".diff-side td.{side}").first for side in ("del", "ins"))
    left, right = before.bounding_box(), after.bounding_box()
    assert left is not None
    assert right is not None
    assert right["x"] > left["x"]
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    left, right = before.bounding_box(), after.bounding_box()
    assert left is not None
    assert right is not None
    assert right["y"] >= left["y"] + left["height"]

    value = page.get_by_label("New value of Token")
    expect(value).to_be_visible()
    page.get_by_label("Keep it (Token)").check()
    expect(value).to_be_hidden()
