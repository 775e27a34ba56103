"""Strict reading of hostile JSON, and of single values of any type."""

from __future__ import annotations

import contextlib
import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations_app.vendors import parsing
from integrations_app.vendors.parsing import JSONError, JSONItems, JSONLimits, Unzipper, parse_json

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text('ab"\\é{}[]', max_size=3), inner)
)


# --- whole texts -----------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(DOCUMENTS, st.booleans())
def test_any_document_is_read_as_it_was_written(document: Any, is_ascii: bool) -> None:
    assert parse_json(json.dumps(document, ensure_ascii=is_ascii).encode()) == document


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_one_way(body: bytes) -> None:
    with contextlib.suppress(JSONError):
        parse_json(body)


@pytest.mark.parametrize(
    "body", [b"", b" ", b"NaN", b"[Infinity]", b"-Infinity", b"1e999", b"{", b"[1,]", b"<html>", b"[1]2"]
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(JSONError, match="not JSON"):
        parse_json(body)


@pytest.mark.parametrize("body", [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 65 + b"1" + b"}" * 65, b"[" * 1_000_000])
def test_deep_nesting_is_refused_before_parsing(body: bytes) -> None:
    with pytest.raises(JSONError, match="nested"):
        parse_json(body)


def test_nesting_up_to_the_limit_is_read() -> None:
    assert parse_json(b"[" * 64 + b"]" * 64)
    assert parse_json(json.dumps(["[" * 500, {"}": '\\"[['}] * 100).encode())


def test_brackets_within_an_endless_string_are_looked_at_once() -> None:
    with pytest.raises(JSONError):
        parse_json(b'["' + b'\\"[' * 3_000_000)


def test_too_many_bytes_and_too_many_values_are_refused() -> None:
    with pytest.raises(JSONError, match="too large"):
        parse_json(b'"12345"', JSONLimits(body_bytes=6))
    with pytest.raises(JSONError, match="too many"):
        parse_json(b"[" + b"[]," * 100 + b"[]]", JSONLimits(containers=100))


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'"a\\u0000b"', "a\ufffdb"),
        (b'"\\ud800"', "\ufffd"),
        (b'"\\udc00\\ud83d\\ude00"', "\ufffd\U0001f600"),
        (b'"\\ud83dx"', "\ufffdx"),
        (b'"\\\\u0000 \\\\ud800"', "\\u0000 \\ud800"),
        (b'"\xff\xc3\xa9"', "\ufffdé"),
        (b"\xef\xbb\xbf1", 1),
        (b'{"a":1,"a":2}', {"a": 2}),
    ],
)
def test_what_no_database_takes_is_replaced(body: bytes, value: Any) -> None:
    assert parse_json(body) == value


# --- lists read item by item -----------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    st.lists(DOCUMENTS, max_size=4),
    st.dictionaries(st.sampled_from("abc"), DOCUMENTS),
    st.integers(1, 40),
    st.booleans(),
)
def test_a_list_comes_out_the_same_however_it_is_cut(
    items: list[Any], rest: dict[str, Any], size: int, is_first: bool
) -> None:
    document = {"items": items, **rest} if is_first else {**rest, "items": items}
    body = json.dumps(document, indent=1 if size % 2 else None).encode()
    stream = JSONItems((body[at : at + size] for at in range(0, len(body), size)), "items")

    assert list(stream) == items
    assert stream.rest == rest


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "cut off"),
        (b"[]", "not the JSON object"),
        (b"{}", 'no list "items"'),
        (b'{"items": {}}', 'no list "items"'),
        (b'{"items": [1, 2', "cut off"),
        (b'{"items": [1, 2]', "cut off"),
        (b'{"items": [{"a": "', "cut off"),
        (b'{"items": [1 2]}', "not the JSON object"),
        (b'{"items": [1]} x', "goes on"),
        (b'{"items": [1], 5: 2}', "not the JSON object"),
        (b'{"items": [1,, 2]}', "not the JSON object"),
        (b'{"items": [tru"e"]}', "not JSON"),
        (b'{"items" [1]}', "not the JSON object"),
        (b'{"items": [NaN]}', "not JSON"),
        (b'{"items": [' + b"[" * 70 + b"]" * 70 + b"]}", "nested"),
    ],
)
def test_a_list_that_is_not_one_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(JSONError, match=why):
        list(JSONItems([body], "items"))


def test_an_item_that_does_not_end_is_refused() -> None:
    chunks = (b'{"items": ["' if index == 0 else b"x" * 1000 for index in range(10_000))
    with pytest.raises(JSONError, match="too large"):
        list(JSONItems(chunks, "items", JSONLimits(body_bytes=50_000)))


# --- compressed bodies -----------------------------------------------------------------------------------------------


def test_a_gzip_bomb_comes_out_in_small_pieces() -> None:
    unzipper = Unzipper("gzip")
    sizes = [len(piece) for piece in unzipper.feed(gzip.compress(b"0" * 20_000_000))]

    assert sum(sizes) == 20_000_000
    assert max(sizes) <= Unzipper.PIECE_BYTES
    assert unzipper.is_complete


def test_a_cut_or_false_gzip_body_is_noticed() -> None:
    unzipper = Unzipper("gzip")
    list(unzipper.feed(gzip.compress(b"abc" * 1000)[:-4]))
    assert not unzipper.is_complete
    with pytest.raises(JSONError, match="compressed as it says"):
        list(Unzipper("gzip").feed(b"{}"))
    with pytest.raises(JSONError, match="not asked for"):
        Unzipper("br")


# --- single values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2022-03-09T08:40:18Z", datetime(2022, 3, 9, 8, 40, 18, tzinfo=UTC)),
        ("2022-03-09T08:40:18.490771179Z", datetime(2022, 3, 9, 8, 40, 18, 490771, tzinfo=UTC)),
        ("2022-03-09T08:40:18.5ZD", datetime(2022, 3, 9, 8, 40, 18, 500000, tzinfo=UTC)),
        ("2022-03-09T10:40:18.000+02:00", datetime(2022, 3, 9, 8, 40, 18, tzinfo=UTC)),
        ("2022-03-09t08:40:60z", datetime(2022, 3, 9, 8, 40, 59, tzinfo=UTC)),
        ("2022-03-09 08:40:18", datetime(2022, 3, 9, 8, 40, 18, tzinfo=UTC)),
        ("2022-02-30T00:00:00Z", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("9999-12-31T23:59:59-23:00", None),
        ("2022-03-09T08:40:18+99:99", None),
        ("2022-03-09", None),
        ("\u0662\u0660\u0662\u0662-03-09T08:40:18Z", None),
        ("", None),
        (1646815218, None),
        (None, None),
    ],
)
def test_times_are_read_to_the_microsecond_in_utc(value: Any, moment: datetime | None) -> None:
    assert parsing.moment(value) == moment


def test_a_missing_truth_is_unknown_and_never_true() -> None:
    values: list[Any] = [True, False, None, 1, "true", []]
    assert [parsing.truth(value) for value in values] == [True, False, None, None, None, None]


def test_numbers_may_be_texts() -> None:
    values: list[Any] = [3, "12", "-1", "1e3", 1.5, True, None, "9" * 30, "\u0663"]
    assert [parsing.number(value) for value in values] == [3, 12, -1, None, None, None, None, None, None]


def test_texts_lose_what_could_deceive_a_reader() -> None:
    assert parsing.text("  a\n\tb\u202egnp\u0000\ud800\u2066  ") == "a bgnp"
    # A joiner within a Persian word.
    assert parsing.text("\u0645\u06cc\u200c\u062e") == "\u0645\u06cc\u200c\u062e"
    assert parsing.text("x" * 501) == "x" * 499 + "…"
    values: list[Any] = [None, 5, ["a"], {}]
    assert [parsing.text(value) for value in values] == [""] * 4


def test_an_id_is_kept_exactly_or_not_at_all() -> None:
    assert parsing.identifier(" Order Sync #2 ") == " Order Sync #2 "
    values: list[Any] = ["a\u0000", "a\nb", "x" * 501, 5, None, "\ud800"]
    assert [parsing.identifier(value) for value in values] == [""] * 6


def test_what_is_not_a_list_of_objects_is_none_of_them() -> None:
    assert parsing.documents([{"a": 1}, 2, None, "x", [{}]]) == [{"a": 1}]
    assert parsing.documents({"a": 1}) == []
    assert parsing.texts(["a", 1, "", {"b": 2}, "c"]) == ["a", "c"]
    assert parsing.document([1]) == {}


@pytest.mark.parametrize(
    "words",
    [
        "refused hunter2-fake-key here",
        "Authorization: Bearer abcdef123456",
        "token=abcdef, sorry",
        '{"api_key": "abcdef"}',
        "see https://files.example/x?sig=abcdef",
        "got eyJhbGciOiJIUzI1NiJ9.eyJhYmNkZWYiOjF9.abcdef",
    ],
)
def test_secrets_are_taken_out_of_a_vendors_words(words: str) -> None:
    clean = parsing.redacted(words, ["hunter2-fake-key"])

    assert "[secret]" in clean
    assert "abcdef" not in clean
    assert "hunter2" not in clean


def test_ordinary_words_are_left_alone() -> None:
    words = "Unknown reference 507f1f77bcf86cd799439011 in field _connectionId"
    assert parsing.redacted(words, ["", "a"]) == words
