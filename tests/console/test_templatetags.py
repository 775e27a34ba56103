"""The words and marks every page shares."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import time_machine
from django import forms
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone

from console.templatetags import console as tags
from console.templatetags.json_tree import LONGEST_TEXT, json_line, json_tree

NOW = datetime(2026, 11, 22, 13, 26, tzinfo=UTC)


def draw(source: str, /, **context: object) -> str:
    return Template("{% load console json_tree %}" + source).render(Context(context))


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=12), "just now"),
        (timedelta(minutes=2), "2 min ago"),
        (timedelta(hours=4, minutes=59), "4 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=13), "13 days ago"),
        (timedelta(days=21), "3 weeks ago"),
        (timedelta(days=100), "3 months ago"),
        (timedelta(days=800), "2 years ago"),
        (timedelta(days=-53), "in 7 weeks"),
    ],
)
def test_a_moment_is_said_in_one_unit(passed: timedelta, words: str) -> None:
    with time_machine.travel(NOW, tick=False):
        assert tags.relative(NOW - passed) == words


def test_an_age_carries_the_exact_time_of_the_reader_s_zone_for_hover_and_for_screen_readers() -> None:
    with time_machine.travel(NOW, tick=False), timezone.override("Europe/Amsterdam"):
        html = draw("{% age when %}", when=NOW - timedelta(minutes=2))
    assert html.count("22 Nov 2026, 14:24") == 2
    assert ">2 min<" in html
    assert 'datetime="2026-11-22T13:24:00+00:00"' in html


def test_an_age_that_is_stale_says_so_without_colour() -> None:
    assert "old: " in draw("{% age when stale=True %}", when=NOW)


def test_an_age_of_something_that_never_was_is_a_word() -> None:
    assert draw("{% age when %}", when=None) == "never"


@pytest.mark.parametrize(
    ("state", "shape"),
    [
        ("active", "ok"),
        ("attention", "warn"),
        ("gone", "gone"),
        ("failed", "bad"),
        ("waiting", "run"),
        ("unknown", "unknown"),
    ],
)
def test_a_state_is_a_shape_and_a_word(state: str, shape: str) -> None:
    html = draw("{% state state %}", state=state)
    assert f"st-{shape}" in html
    assert state.capitalize() in html


def test_a_label_from_outside_stays_text() -> None:
    assert "<b>" not in draw("{% state 'active' label %}{% vendor_mark label %}", label="<b>")


def test_only_our_turn_is_tinted() -> None:
    assert "turn-us" in draw("{% turn 'us' %}")
    assert "turn-us" not in draw("{% turn 'tenant' %}")
    assert draw("{% turn '' %}") == ""


@pytest.mark.parametrize(
    ("name", "letters"), [("Ana Duarte", "AD"), ("mei@demo.example", "ME"), ("Cher", "CH"), ("", "?")]
)
def test_initials(name: str, letters: str) -> None:
    assert tags.initials(name) == letters


def test_a_person_without_a_name_is_named_by_the_address() -> None:
    assert tags.person(SimpleNamespace(name="", email="mei@demo.example")) == "mei@demo.example"
    assert tags.person(None) == "the console"


def test_a_sentence_joins_with_and() -> None:
    assert [tags.sentence(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_a_count_stops_at_the_cap() -> None:
    assert [tags.capped(count) for count in (None, 7, 1284, 10_000, 99_999)] == ["", "7", "1,284", "10,000+", "10,000+"]


def test_changing_a_filter_keeps_the_others_and_starts_at_the_first_page() -> None:
    request = RequestFactory().get("/", {"vendor": "x", "state": "gone", "after": "cursor"})
    assert draw("{% query state=None sort='name' %}", request=request) == "?vendor=x&amp;sort=name"
    assert draw("{% query_set name 'y' %}", request=request, name="vendor") == "?vendor=y&amp;state=gone"


def test_a_search_form_keeps_the_other_filters_as_hidden_fields() -> None:
    request = RequestFactory().get("/", {"q": "old", "vendor": '"x"', "before": "cursor"})
    html = draw("{% query_hidden 'q' %}", request=request)
    assert html == '<input type="hidden" name="vendor" value="&quot;x&quot;">'


def test_a_sorted_head_says_its_order_and_turns_it_around() -> None:
    request = RequestFactory().get("/", {"sort": "name"})
    html = draw("{% sort_header 'Name' 'name' %}", request=request)
    assert 'aria-sort="ascending"' in html
    assert 'href="?sort=-name"' in html


class AccountForm(forms.Form):
    token = forms.CharField(widget=forms.PasswordInput, help_text="Stored encrypted.")


def test_a_field_with_an_error_names_its_error_and_its_help_and_never_sends_a_secret_back() -> None:
    form = AccountForm({"token": "very-secret"})
    form.add_error("token", "Too short.")
    html = draw('{% include "components/fields.html" %}', form=form)
    assert 'aria-describedby="id_token_error id_token_help"' in html
    assert 'aria-invalid="true"' in html
    assert 'href="#id_token"' in html
    assert "very-secret" not in html


def test_a_health_bar_is_drawn_without_style() -> None:
    html = draw("{% health_bar ok=3 bad=1 label='3 stored, 1 not done' %}")
    assert html.count("<rect") == 2
    assert 'aria-label="3 stored, 1 not done"' in html
    assert "style" not in html


def test_a_document_of_a_vendor_stays_text() -> None:
    html = json_tree({"<img src=x onerror=1>": "</ul><script>alert(1)</script>", "link": "javascript:alert(1)"})
    assert "<script" not in html
    assert "<img" not in html
    assert "<a " not in html


def test_each_node_of_a_document_has_its_path() -> None:
    html = json_tree({"settings": {"list": [1, {"odd key": None}]}})
    assert 'data-path="settings.list[1][&quot;odd key&quot;]"' in html


def test_a_document_without_end_is_cut_and_says_so() -> None:
    deep: object = "bottom"
    for _ in range(200):
        deep = [deep]
    assert "too much to draw" in json_tree(deep)
    assert "too much to draw" in json_tree(list(range(50)), most_nodes=10)


def test_a_lone_surrogate_does_not_break_the_page() -> None:
    html = json_tree(json.loads('{"\\ud800": "\\udfff"}'))
    assert html.encode()


def test_a_big_document_is_drawn_in_a_moment() -> None:
    started = time.perf_counter()
    json_tree({str(n): {"name": "x" * 50, "values": [1, 2, 3]} for n in range(2_000)})
    # Ten times what it takes; a tree that grows with the square of its size takes minutes.
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("<b>as it is</b>", "<b>as it is</b>"),
        (True, "true"),
        (None, "null"),
        ({"$secret": "7f3a0c21"}, "secret 7f3a0c21"),
        ({"warehouse": {"$secret": "7f3a0c21"}, "לקוח": [1]}, '{"warehouse": "secret 7f3a0c21", "לקוח": [1]}'),
    ],
)
def test_a_value_on_one_line_is_json_and_names_secrets_by_fingerprint(value: object, line: str) -> None:
    assert json_line(value) == line


def test_a_value_on_one_line_is_cut_where_nobody_would_read_on() -> None:
    assert len(json_line(["x" * 100_000])) == LONGEST_TEXT + 1
