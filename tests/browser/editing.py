"""The JSON editor as a person uses it."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect


def json_editor(page: Page, label: str) -> Locator:
    """The editor of the field with this label, once it has taken the plain text area's place."""
    return page.locator(".cm-content").and_(page.get_by_role("textbox", name=label, exact=True))


def write_json(page: Page, label: str, text: str) -> None:
    """Replace everything in the editor of a field by `text`.

    Not `fill()`: it selects in the same moment in which the editor, newly focused, puts its own selection back.
    """
    editor = json_editor(page, label)
    editor.click()
    expect(page.locator(".cm-focused").filter(has=editor)).to_be_visible()
    editor.press("ControlOrMeta+a")
    page.keyboard.insert_text(text)
