"""Parts that several pages use: what they say, what they send, and that a vendor's text stays text in them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django import forms
from django.template import Context, Template
from django.template.loader import render_to_string
from django.test import RequestFactory

from integrations_app.services import differences
from integrations_app.services.canonical import canonical

BEFORE: dict[str, Any] = {
    "description": "orders into the finance system",
    "count": 5,
    "gone": [1],
    "token": {"$secret": "7f3a0c21"},
    "flows": [{"_id": "1", "name": "In", "schedule": "every 15 minutes"}],
}
AFTER: dict[str, Any] = {
    "description": "orders into <script>alert(1)</script>",
    "count": "5",
    "new": {"key": {"$secret": "11112222"}},
    "token": {"$secret": "c2100c21"},
    "flows": [{"_id": "1", "name": "In", "schedule": "every 60 minutes"}],
}


def text_of(html: str) -> str:
    """What a screen reader gets, in one line."""
    return " ".join(re.sub(r"<[^>]+>", "", html.replace("</", " </")).split())


def compared(before: Any, after: Any, **context: object) -> str:
    diff = differences.diff(canonical(before), canonical(after))
    return render_to_string("components/diff.html", {"sections": diff.noisy_sections, **context})


def tag(source: str, **context: object) -> str:
    return Template("{% load diffs %}" + source).render(Context(context))


@pytest.mark.parametrize("is_side", [False, True])
def test_a_comparison_says_what_happened_to_each_field_and_escapes_it(is_side: bool) -> None:
    html = compared(BEFORE, AFTER, is_side=is_side)
    assert "<script>" not in html
    said = text_of(html)
    for words in ("gone − removed", "new + added", "token ≠ secret changed", "count ≠ changed", "flows “In”"):
        assert words in said
    assert "every <del>15</del> minutes" in html
    assert "every <ins>60</ins> minutes" in html
    assert "secret · set · 7f3a" in html
    assert "secret · set · c210" in html
    assert "secret · set · 1111" in html
    assert "1111222" not in html


@pytest.mark.parametrize("is_side", [False, True])
def test_the_number_5_and_the_text_5_do_not_look_alike(is_side: bool) -> None:
    assert "&quot;5&quot;" in compared({"n": 5}, {"n": "5"}, is_side=is_side)


def test_secrets_that_begin_alike_show_their_whole_fingerprints() -> None:
    html = compared({"t": {"$secret": "7f3a0c21"}}, {"t": {"$secret": "7f3a0c22"}})
    assert "7f3a0c21" in html
    assert "7f3a0c22" in html


def test_of_a_long_text_only_what_changed_stands_outside_of_the_fold() -> None:
    long = "".join(f"line {number}\n" for number in range(400))
    html = compared({"script": long}, {"script": long.replace("line 200\n", "line two hundred\n")})
    outside = re.sub(r"<details.*?</details>", "", html, flags=re.DOTALL)
    assert "<ins>two hundred</ins>" in outside
    assert "line 100\n" not in outside
    assert html.count("<details") == 2


@pytest.mark.parametrize(
    ("before", "after"), [("a" * 2000, "a" * 2001), ("abcabc" * 400, "abc" * 799), ("x" * 900, "")]
)
def test_a_long_text_that_grew_or_shrank_is_shown_whole_in_its_fold(before: str, after: str) -> None:
    html = compared({"t": before}, {"t": after})
    assert before in html
    assert after in html


def test_what_is_not_there_makes_a_change_an_addition_or_a_removal() -> None:
    absent = {"$absent": True}
    source = "{{ c|diff_kind }}: {% diff_before c %} {% diff_after c %}"
    assert text_of(tag(source, c={"before": absent, "after": 1})) == "added: not there 1"
    assert text_of(tag(source, c={"before": None, "after": absent})) == "removed: null not there"
    assert text_of(tag(source, c={"before": "", "after": "x"})) == "changed: empty text x"


def test_a_moved_item_says_its_places() -> None:
    diff = differences.diff(canonical([{"id": 1}, {"id": 2}]), canonical([{"id": 2}, {"id": 1}]))
    html = render_to_string("components/diff.html", {"sections": [differences.Section("", diff.moved, 0)]})
    assert "Before: place 2 After: place 1" in text_of(html)


def test_the_bar_of_a_comparison_keeps_the_rest_of_the_address() -> None:
    diff = differences.diff(b'{"updatedAt":1}', b'{"updatedAt":2}')
    request = RequestFactory().get("/", {"from": "abc", "noise": "1"})
    html = render_to_string("components/diff_bar.html", {"diff": diff, "show_noise": True}, request)
    assert 'href="?from=abc&amp;noise=1&amp;view=side"' in html
    assert 'href="?from=abc"' in html


@pytest.mark.parametrize("chosen", ["yours", "theirs", ""])
def test_a_field_two_people_changed_is_chosen_by_the_person(chosen: str) -> None:
    context = {"key": "/flowGroupings/0/settings", "label": "Settings", "base": 1, "yours": 2, "theirs": 3}
    html = render_to_string("components/choose_field.html", {**context, "chosen": chosen})
    radios = re.findall(r'<input type="radio" name="choice:/flowGroupings/0/settings" value="(\w+)"[^>]*?>', html)
    assert radios == ["yours", "theirs"]
    checked = re.findall(r'value="(\w+)"[^>]* checked>', html)
    assert checked == ([chosen] if chosen else [])


def test_a_field_both_changed_to_the_same_is_not_asked_about() -> None:
    context = {"key": "name", "label": "Name", "base": "a", "yours": "b", "theirs": "b"}
    html = render_to_string("components/choose_field.html", context)
    assert "radio" not in html
    assert '<input type="hidden" name="choice:name" value="theirs">' in html


def test_the_steps_say_their_state_in_words() -> None:
    states = ("done", "current", "waiting", "failed", "unknown")
    steps = [{"label": f"Step {state}", "state": state, "note": ""} for state in states]
    html = render_to_string("components/steps.html", {"steps": steps})
    assert text_of(html) == (
        "Step done done Step current now Step waiting waiting Step failed failed Step unknown not known"
    )
    assert html.count("aria-current") == 1


class Typed(forms.Form):
    name = forms.CharField()
    document = forms.CharField(widget=forms.Textarea(attrs={"data-editor": "json"}), help_text="What it reads.")


def test_a_name_to_type_is_shown_as_it_is_and_never_filled_in() -> None:
    html = render_to_string("components/typed_name.html", {"field": Typed()["name"], "name": 'A  "B" <i>'})
    assert 'data-typed-name="A  &quot;B&quot; &lt;i&gt;"' in html
    assert "value=" not in html


def test_a_secret_inside_a_document_is_kept_unless_somebody_replaces_it() -> None:
    html = render_to_string(
        "components/secret_leaf.html", {"key": "settings.token", "label": "Token", "fingerprint": "7f3a0c21"}
    )
    assert 'name="secret:settings.token" value="keep" checked' in html
    assert 'name="value:settings.token"' in html
    assert "secret · set · 7f3a" in html
    assert "7f3a0" not in html


def test_a_field_that_asks_for_the_editor_gets_it_and_is_a_text_area_without_scripts() -> None:
    form = Typed(initial={"document": '{"token": {"$secret": "7f3a0c21"}}'})
    html = render_to_string("components/field.html", {"field": form["document"]})
    assert re.search(r'<textarea [^>]*name="document"[^>]*data-editor="json"', html)
    assert 'aria-describedby="id_document_help"' in html
    assert "as it is to keep it; put a value in place" in html
    empty = render_to_string("components/field.html", {"field": Typed()["document"]})
    assert "as it is to keep it; put a value in place" not in empty
