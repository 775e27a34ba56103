"""The JSON editor and the forms around it, as somebody uses them with a keyboard."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from django import forms
from django.template.loader import render_to_string
from django.urls import reverse
from playwright.sync_api import Dialog, Locator, Page, expect

from tests.browser.editing import json_editor, write_json
from tests.browser.looking import faults, sign_in
from tests.things import make_things

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.people import People

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = {"$secret": "7f3a0c21"}
DOCUMENT = json.dumps({"name": "Orders", "token": TOKEN, "lines": [1, 2]}, indent=2)
# What each text is told, in the words beside the field.
TOLD = [
    ("", ""),
    ('{"a": [1, -2.5e3, true, null, "\\u00e9"], "b": {}}', ""),
    ('"only text"', ""),
    ('{\n  "a": 1,\n}', "2:9 One comma too many before “}”"),
    ("[1, 2,]", "1:6 One comma too many before “]”"),
    ('{"a": 1 "b": 2}', "1:9 A comma or “}” is missing before this"),
    ('{"a" 1}', "1:6 A colon is missing after the name"),
    ("{a: 1}", "1:2 Names stand in double quotes"),
    ("['a']", "1:2 Texts stand in double quotes"),
    ('{"a": nul}', "1:7 Texts stand in double quotes"),
    ('{"a": 01}', "1:7 Not a number, true, false or null"),
    ('{"a": }', "1:7 A value is missing here"),
    ('{"a": [1}', "1:9 “]” should stand here"),
    ('{"a": 1', "1:8 The document ends too early: “}” is missing"),
    ('["a\nb"]', "1:2 A text is not closed, or holds a character that wants a backslash before it"),
    ("{} {}", "1:4 Nothing may follow the end of the document"),
    ('{"a": 1, "b": {"a": 2}, "\\u0061": 3}', '1:25 The name "a" stands twice in one object'),
    ('{"a": {"$secret": "00000000"}}', "1:7 This document holds no such secret; put the value itself here"),
    ("[" * 20_000, "1:20001 The document ends too early"),
]
CHECK = """async ([address, texts]) => {
  const {check} = await import(address);
  return texts.map(text => {
    const [first] = check(text, new Set(["7f3a0c21"]));
    if (!first) return "";
    const lines = text.slice(0, first.from).split("\\n");
    return `${lines.length}:${lines.at(-1).length + 1} ${first.message}`;
  });
}"""


class Editing(forms.Form):
    settings = forms.CharField(widget=forms.Textarea(attrs={"data-editor": "json"}), help_text="What it reads.")
    letter = forms.ChoiceField(label="Letter", choices=[("a", "A"), ("b", "B")])
    name = forms.CharField()


@pytest.fixture
def opened(page: Page, live_server: object, people: People) -> Page:
    """A page of the console into which htmx has put a form with an editor and a name to type."""
    sign_in(page, people.members["editor"], str(live_server))
    page.goto("/jobs/")
    form = Editing(initial={"settings": DOCUMENT})
    fields = [
        render_to_string("components/field.html", {"field": form["settings"]}),
        render_to_string("components/field.html", {"field": form["letter"]}),
        render_to_string("components/typed_name.html", {"field": form["name"], "name": "Orders"}),
    ]
    button = '<button class="btn btn-danger" type="submit">Delete</button>'
    html = f'<form class="d-grid gap-3" id="editing" data-guard>{"".join(fields)}{button}</form>'
    page.evaluate("html => htmx.swap('#main', html, {swapStyle: 'innerHTML'})", html)
    expect(editor(page)).to_be_visible()
    return page


def editor(page: Page) -> Locator:
    return json_editor(page, "Settings")


def sent(page: Page) -> str:
    """What the form would send."""
    return str(page.evaluate("() => new FormData(document.getElementById('editing')).get('settings')"))


def test_mistakes_are_told_by_line_and_column_while_typing(opened: Page) -> None:
    problem = opened.locator("[data-editor-problem]")
    expect(problem).to_have_text("")
    write_json(opened, "Settings", '{\n  "name": "Orders"\n  "lines": []\n}')
    expect(problem).to_have_text("Line 3, column 3: A comma or “}” is missing before this.")
    expect(problem).to_have_role("status")
    expect(editor(opened)).to_have_attribute("aria-invalid", "true")
    assert not faults(opened)
    opened.get_by_role("button", name="Go to it").click()
    expect(editor(opened)).to_be_focused()
    opened.keyboard.press("ArrowLeft")
    opened.keyboard.press("ArrowUp")
    opened.keyboard.press("End")
    opened.keyboard.type(",")
    expect(problem).to_have_text("No mistakes left.")
    assert json.loads(sent(opened)) == {"name": "Orders", "lines": []}


def test_every_kind_of_mistake_has_its_words_and_its_place(opened: Page) -> None:
    address = opened.locator("textarea[data-editor]").get_attribute("data-editor-script")
    told = opened.evaluate(CHECK, [address, [text for text, _ in TOLD]])
    assert told == [words for _, words in TOLD]


def test_a_secret_is_one_mark_that_stays_until_it_is_replaced_whole(opened: Page) -> None:
    chip = editor(opened).locator(".secret-chip")
    expect(chip).to_have_text("secret · set · 7f3a")
    assert json.loads(sent(opened))["token"] == TOKEN
    chip.click()
    opened.keyboard.insert_text('"sk_fake_not_a_key"')
    expect(chip).to_have_count(0)
    assert json.loads(sent(opened))["token"] == "sk_fake_not_a_key"
    opened.keyboard.press("ControlOrMeta+z")
    expect(chip).to_be_visible()
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("Backspace")
    expect(chip).to_have_count(0)
    expect(opened.locator("[data-editor-problem]")).to_contain_text("A value is missing here")


def test_the_keyboard_enters_and_leaves_the_editor_and_the_label_leads_into_it(opened: Page) -> None:
    opened.get_by_text("Settings", exact=True).click()
    expect(editor(opened)).to_be_focused()
    opened.keyboard.press("Tab")
    expect(opened.get_by_label("Letter")).to_be_focused()
    opened.keyboard.press("Shift+Tab")
    expect(editor(opened)).to_be_focused()
    description = editor(opened).evaluate(
        "element => element.getAttribute('aria-describedby').split(' ')"
        ".map(id => document.getElementById(id).textContent).join(' ')"
    )
    assert "What it reads." in description
    assert "Tab leaves the editor" in description


def test_a_reset_and_another_script_reach_the_editor(opened: Page) -> None:
    write_json(opened, "Settings", "[]")
    opened.evaluate("() => document.getElementById('editing').reset()")
    expect(editor(opened)).to_contain_text("Orders")
    opened.evaluate(
        "() => { const field = document.getElementById('id_settings'); field.value = '[7]';"
        " field.dispatchEvent(new Event('change')) }"
    )
    expect(editor(opened)).to_have_text("[7]")


def test_leaving_with_something_typed_asks_and_without_does_not(opened: Page) -> None:
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    opened.on("dialog", answer)
    editor(opened).press("ControlOrMeta+a")
    editor(opened).press("ArrowRight")
    opened.keyboard.type(" ")
    opened.keyboard.press("Backspace")
    opened.goto("/me/")
    assert asked == []
    opened.evaluate("() => document.querySelector('main form').setAttribute('data-guard', '')")
    opened.get_by_label("Name").press_sequentially("x")
    opened.goto("/jobs/")
    assert asked == ["beforeunload"]


def test_a_swap_asks_before_it_takes_a_changed_form_away(opened: Page) -> None:
    answers: list[bool] = [False, True]
    opened.on("dialog", lambda dialog: dialog.accept() if answers.pop(0) else dialog.dismiss())
    opened.evaluate(
        "() => { document.getElementById('main').insertAdjacentHTML('beforebegin',"
        ' \'<button id="away" hx-get="/me/" hx-target="#main" hx-select="h1">Away</button>\');'
        " htmx.process(document.getElementById('away')) }"
    )
    write_json(opened, "Settings", "[]")
    away = opened.get_by_role("button", name="Away")
    away.click()
    assert answers == [True]
    assert sent(opened) == "[]"
    away.click()
    expect(editor(opened)).to_have_count(0)


def test_the_button_waits_for_the_name_and_does_nothing_before(opened: Page) -> None:
    button = opened.get_by_role("button", name="Delete")
    expect(button).to_have_attribute("aria-disabled", "true")
    address = opened.url
    name = opened.get_by_label("Type Orders to confirm")
    name.fill("orders")
    name.press("Enter")
    expect(opened).to_have_url(address)
    name.fill("Orders")
    expect(button).to_have_attribute("aria-disabled", "false")
    name.press("Enter")
    opened.wait_for_url("**/jobs/?settings=**")


def edit_address(people: People) -> str:
    """Where the document of an integration is edited as JSON."""
    integration = make_things(people.tenant).integration
    return f"{reverse('integrations:edit', args=[people.tenant.slug, integration.pk])}?as=json"


def test_what_was_typed_into_a_page_s_editor_is_there_after_a_refusal(
    page: Page, live_server: object, people: People
) -> None:
    sign_in(page, people.members["editor"], str(live_server))
    page.goto(edit_address(people))
    expect(json_editor(page, "Document").locator(".secret-chip")).to_have_text("secret · set · 7f3a")
    assert not faults(page)
    write_json(page, "Document", '{"name": "Refunds",}')
    page.get_by_role("button", name="Check the change").click()
    expect(page.locator("[data-form-errors]")).to_be_focused()
    expect(json_editor(page, "Document")).to_contain_text("Refunds")
    expect(page.locator("[data-editor-problem]")).to_contain_text("Line 1, column 19: One comma too many")
    page.locator("[data-form-errors] a").click()
    expect(json_editor(page, "Document")).to_be_focused()
    # Unsaved still: leaving asks, although nothing was typed since.
    with page.expect_event("dialog") as asked:
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto("/jobs/")
    assert asked.value.type == "beforeunload"


def test_without_scripts_the_field_is_a_text_area_that_does_the_same(
    browser: Browser, live_server: object, people: People
) -> None:
    address = edit_address(people)
    context = browser.new_context(base_url=str(live_server), java_script_enabled=False)
    try:
        window = context.new_page()
        sign_in(window, people.members["editor"], str(live_server))
        window.goto(address)
        field = window.get_by_label("Document", exact=True)
        assert json.loads(field.input_value())["settings"] == TOKEN
        field.fill("[")
        window.get_by_role("button", name="Check the change").click()
        expect(window.locator("[data-form-errors]")).to_contain_text("This is no JSON")
        expect(field).to_have_value("[")
    finally:
        context.close()
