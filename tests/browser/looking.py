"""What every page is held to in a real browser: axe in both themes, no sideways scrolling on a phone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from console.access.models import User

WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
# Preloading fetches style sheets a second time, and only for rules about orientation.
OPTIONS: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
# The second theme changes colours and nothing else.
COLOURS: dict[str, Any] = {**OPTIONS, "runOnly": {"type": "rule", "values": ["color-contrast"]}}
SERIOUS = ("serious", "critical")


def sign_in(page: Page, user: User, base_url: str) -> None:
    """Give the window a session of this person, without the form."""
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    page.context.clear_cookies()
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": base_url}])


def leave(page: Page) -> None:
    """Close the browser's session, as the end of a day does."""
    page.context.clear_cookies()


def faults(page: Page) -> list[str]:
    """What is wrong with the open page: serious findings in light and dark; what sticks out of its card, or on a phone
    of the page.
    """
    found = _findings(Axe().run(page, options=OPTIONS).response, "light")
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    found += _findings(page.evaluate("options => axe.run(document, options)", COLOURS), "dark")
    page.emulate_media(color_scheme="light")
    found += [f"wide: {what}" for what in page.evaluate(OUT_OF_CARDS)]
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    width = page.evaluate("document.documentElement.scrollWidth")
    if width > PHONE["width"]:
        found.append(f"phone: {width} px wide, because of {page.evaluate(TOO_WIDE, PHONE['width'])}")
    found += [f"phone: {what}" for what in page.evaluate(OUT_OF_CARDS)]
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    return found


TOO_WIDE = """width => [...document.body.querySelectorAll("*")]
  .filter(element => element.getBoundingClientRect().right > width + 1)
  .slice(0, 3).map(element => `${element.tagName.toLowerCase()}.${element.className}`)"""

# What scrolls or is clipped inside its card sticks out of nothing.
OUT_OF_CARDS = """() => [...document.querySelectorAll(".card")].flatMap(card => {
  const edge = card.getBoundingClientRect().right + 1;
  const isHeld = element => {
    for (let box = element.parentElement; box !== card; box = box.parentElement)
      if (getComputedStyle(box).overflowX !== "visible") return true;
    return getComputedStyle(card).overflowX !== "visible";
  };
  return [...card.querySelectorAll("*")]
    .filter(element => element.getBoundingClientRect().right > edge && element.checkVisibility() && !isHeld(element))
    .slice(0, 1).map(element => `${element.tagName.toLowerCase()}.${element.className} sticks out of its card`);
})"""


def _findings(answer: dict[str, Any], theme: str) -> list[str]:
    return [
        f"{theme}: {violation['id']} at {node['target']}"
        for violation in answer["violations"]
        if violation["impact"] in SERIOUS
        for node in violation["nodes"][:3]
    ]


PLANTED = """() => {
  document.querySelector("main").insertAdjacentHTML("beforeend",
    '<input class="planted"><p class="planted">hard to read</p><hr class="planted">' +
    '<div class="card planted"><hr class="inside"></div>');
  Object.assign(document.querySelector("p.planted").style, {color: "#999", background: "#bbb"});
  document.querySelector("hr.planted").style.width = "700px";
  document.querySelector("hr.inside").style.width = "1300px";
}"""
UNPLANT = "() => document.querySelectorAll('.planted').forEach(element => element.remove())"


def assert_faults_are_seen(page: Page) -> None:
    """Plant an input without a label, text without contrast and two things too wide; each must be found."""
    page.evaluate(PLANTED)
    found = " ".join(faults(page))
    page.evaluate(UNPLANT)
    assert "light: label at" in found
    assert "light: color-contrast at" in found
    assert "dark: color-contrast at" in found
    assert re.search(r"phone: \d+ px wide", found), found
    assert "wide: hr.inside sticks out of its card" in found, found
