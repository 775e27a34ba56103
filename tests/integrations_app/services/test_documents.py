"""Redaction and comparison of vendor documents."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations_app.services import documents
from integrations_app.services.documents import Redactor
from integrations_app.services.redaction import is_secret_text, is_suspicious_name
from integrations_app.vendors import registry
from integrations_app.vendors.base import DocumentField, FieldKind

FIELDS = (
    DocumentField("name", "Name"),
    DocumentField("_id", "Id", FieldKind.CODE),
    DocumentField("settings", "Settings", FieldKind.SECRET),
    DocumentField("workflows[].name", "Name"),
    DocumentField("workflows[].workflowId", "Id", FieldKind.CODE),
    DocumentField("extra", "Extra", FieldKind.DOCUMENT),
    DocumentField("credentials[].type", "Type"),
)


def fingerprint(plain: bytes) -> str:
    return hashlib.sha256(b"test" + plain).hexdigest()[:8]


def redactor() -> Redactor:
    return Redactor(FIELDS, fingerprint)


def redacted(document: Any) -> Any:
    return orjson.loads(redactor().redact(document))


def key_of(number: int, form: str) -> str:
    """A key as machines make them; `number` picks one."""
    raw = hashlib.sha256(str(number).encode()).digest()
    return {
        "hex": raw.hex(),
        "base64": base64.urlsafe_b64encode(raw).decode().rstrip("="),
        "stripe": f"sk_live_{raw.hex()[:24]}",
        "github": f"ghp_{raw.hex()[:36]}",
        "signed": f"eyJhbGciOiJIUzI1NiJ9.{base64.urlsafe_b64encode(raw).decode().rstrip('=')}.{raw.hex()[:20]}",
    }[form]


keys = st.builds(key_of, st.integers(0, 10**6), st.sampled_from(["hex", "base64", "stripe", "github", "signed"]))
passwords = st.text("abcdefghijklmnopqrstuvwxyz0123456789!$", min_size=8, max_size=16).map(lambda text: "pw" + text)
words = st.text("abcdefg hij", max_size=12)
names = st.sampled_from(["note", "label", "value", "config", "items", "a b", "x"])
trees = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | words,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(names, inside, max_size=3),
    max_leaves=8,
)
SUSPICIOUS = ("token", "accessToken", "client_secret", "password", "Authorization", "apiKey", "X-Api-Key", "signature",
              "webhookUrl", "web_hook", "private_key", "sessionId", "credentials", "bearer")  # fmt: skip


def placed(tree: Any, name: str, secret: str, way: int) -> dict[str, Any]:
    """The secret somewhere in a document, in one of the ways vendors put it there."""
    ways: list[dict[str, Any]] = [
        {"settings": {name: {"deep": [secret, 1]}, "rest": tree}},
        {"settings": secret, "x": tree},
        {"config": [{SUSPICIOUS[len(name) % len(SUSPICIOUS)]: secret}, tree]},
        {"note": f"https://user:{secret}@files.example/x", "x": tree},
        {"note": f"see https://files.example/a.zip?X-Amz-Signature={secret}&x=1", "x": tree},
        {"workflows": [{"name": "a", "config": {"Authorization": f"Bearer {secret}"}}], "x": tree},
        {"extra": {"headers": [f"password={secret}", tree]}},
        {"note": '{"token": "' + secret + '"}', "x": tree},
        {"url": f"https://hooks.example/services/T01/{secret}", "x": tree},
        {"settings": {secret: tree}},
    ]
    return ways[way % len(ways)]


@given(trees, names, keys, st.integers(0, 9))
def test_no_key_planted_anywhere_survives_redaction(tree: Any, name: str, secret: str, way: int) -> None:
    assert secret.encode() not in redactor().redact(placed(tree, name, secret, way))


@given(trees, names, passwords, st.integers(0, 8))
def test_no_password_planted_where_its_place_or_name_tells_survives(
    tree: Any, name: str, secret: str, way: int
) -> None:
    assert secret.encode() not in redactor().redact(placed(tree, name, secret, way))


@given(trees, st.sampled_from(["note", "value", "x", "label"]), keys)
def test_no_key_survives_in_a_field_nobody_knows(tree: Any, name: str, secret: str) -> None:
    assert secret.encode() not in redactor().redact({"deep": [{name: secret, "rest": tree}]})


def test_the_search_for_planted_secrets_would_find_one() -> None:
    """What the tests above look for is there when nothing is redacted."""
    secret = key_of(1, "hex")
    for way in range(10):
        assert secret.encode() in documents.canonical(placed(None, "note", secret, way))


@given(st.text(max_size=40) | keys)
def test_a_text_for_a_column_never_holds_a_key(text: str) -> None:
    secret = key_of(7, "base64")
    assert secret not in redactor().redact_text(f"{text} {secret}")


@pytest.mark.parametrize("name", SUSPICIOUS)
def test_a_name_that_speaks_of_secrets_hides_its_value(name: str) -> None:
    assert is_suspicious_name(name)


@pytest.mark.parametrize(
    "name", ["tokenExpiresAt", "credentialType", "webhookCount", "name", "author", "passengers", "keyboard", "sortKey"]
)
def test_a_name_that_speaks_of_other_things_hides_nothing(name: str) -> None:
    assert not is_suspicious_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "Nightly reconciliation of marketplace payouts, refunds and fees against ledger 7",
        "customer-integrations-nordics-warehouse-2",
        "syncOrdersFromShopifyToNetSuiteEveryNight",
        "مزامنة الطلبات مع المستودع",
        "🛒 Orders → 📦 warehouse",
        "https://static.example.com/connectors/hubspot/logo.png",
        "2026-11-20T09:00:00.123456789Z",
        "basic information about authorization and tokens",
        "io.membrane.connectors.salesforce.accounts",
        "ines.okafor@larkspur.example",
    ],
)
def test_what_people_write_is_shown(text: str) -> None:
    assert not is_secret_text(text, None)
    assert redactor().redact_text(text) == text


def test_ids_are_shown_where_they_are_declared_or_named_as_ids() -> None:
    document = {
        "_id": "5f7c0a1b2c3d4e5f6a7b8c9d",
        "flowId": "0d6e3c1a-7a54-4f0e-9c35-2f6f7ad0a111",
        "workflows": [{"workflowId": "5f7c0a1b2c3d4e5f6a7b8c9d", "name": "Orders"}],
        "_connectorIds": ["5f7c0a1b2c3d4e5f6a7b8c9d"],
    }
    assert redacted(document) == document


def test_what_is_not_set_stays_not_set_and_what_is_set_is_told_apart() -> None:
    found = redacted({"settings": {"a": "", "b": None, "c": [], "d": "one", "e": "two", "f": "one", "g": True, "h": 5}})
    settings = found["settings"]
    assert (settings["a"], settings["b"], settings["c"]) == ("", None, [])
    assert settings["d"] == settings["f"] != settings["e"]
    assert all(documents.is_secret_mark(settings[name]) for name in "defgh")


def test_declared_fields_below_a_suspicious_name_are_shown() -> None:
    assert redacted({"credentials": [{"type": "oauth2", "value": "abc"}]}) == {
        "credentials": [{"type": "oauth2", "value": "abc"}]
    }


def test_a_vendor_cannot_write_a_mark_of_ours() -> None:
    shown = redacted({"extra": {"$secret": "00000000"}})["extra"]
    assert not documents.is_secret_mark(shown)
    assert list(shown) == ["$$secret"]


def test_canonical_bytes_do_not_depend_on_order_and_take_what_json_allows() -> None:
    assert documents.canonical({"b": 1, "a": [1, "é"]}) == documents.canonical({"a": [1, "é"], "b": 1})
    odd = {"a": "\ud800", "n": 2**70, "z": "\x00"}
    assert documents.load(documents.canonical(odd)) == odd


def test_plain_text_has_no_control_characters_and_fits() -> None:
    assert documents.plain("a\x00b\nc\u202e", 10) == "ab c"
    assert documents.plain("x" * 50, 10) == "x" * 9 + "…"


@pytest.mark.parametrize("vendor", registry.VENDORS, ids=lambda vendor: str(vendor.slug))
def test_a_secret_field_of_a_vendor_hides_all_below_it(vendor: Any) -> None:
    secret_paths = [field.path for field in vendor.document_fields if field.is_secret and "[]" not in field.path]
    for path in secret_paths:
        document: Any = {"inside": ["plain words", {"more": "other words"}]}
        for step in reversed(path.split(".")):
            document = {step: document}
        shown = Redactor(vendor.document_fields, fingerprint).redact(document)
        assert b"words" not in shown, path


# --- comparing ---------------------------------------------------------------------------------------------------


def compared(before: Any, after: Any) -> documents.Diff:
    return documents.diff(redactor().redact(before), redactor().redact(after))


def told(diff: documents.Diff) -> list[tuple[str, str, Any, Any]]:
    return [(change.path, change.kind, change.before, change.after) for change in diff.changes]


def test_changed_added_and_removed_fields_are_told_with_their_path() -> None:
    diff = compared({"name": "a", "x": 1, "same": 2}, {"name": "b", "y": [1], "same": 2})
    assert told(diff) == [
        ("name", "changed", "a", "b"),
        ("x", "removed", 1, None),
        ("y", "added", None, [1]),
    ]
    assert diff.equal_paths == ("same",)


def test_list_items_are_matched_by_their_id() -> None:
    before = {"workflows": [{"workflowId": "1", "name": "Orders", "on": True}, {"workflowId": "2", "name": "Refunds"}]}
    after = {"workflows": [{"workflowId": "2", "name": "Refunds"}, {"workflowId": "1", "name": "Orders", "on": False}]}
    diff = compared(before, after)
    assert told(diff) == [("workflows[1].on", "changed", True, False)]
    assert [change.kind for change in diff.moved] == ["moved"]
    assert [(section.title, section.equal_count) for section in diff.sections] == [("workflows “Orders”", 2)]


def test_one_more_value_in_front_is_one_addition() -> None:
    diff = compared({"tags": ["b", "c"]}, {"tags": ["a", "b", "c"]})
    assert told(diff) == [("tags[0]", "added", None, "a")]


def test_what_the_vendor_touches_by_itself_is_noise() -> None:
    diff = compared({"updatedAt": "1", "lastModified": "x", "n": 1}, {"updatedAt": "2", "lastModified": "y", "n": 1})
    assert diff.changes == ()
    assert [change.path for change in diff.noise] == ["lastModified", "updatedAt"]


def test_secrets_are_compared_by_fingerprint() -> None:
    diff = compared({"settings": {"key": "one", "old": "x"}}, {"settings": {"key": "two", "old": "x"}})
    (change,) = diff.changes
    assert (change.path, change.is_secret) == ("settings.key", True)
    assert b"one" not in orjson.dumps(change.before)
    assert diff.equal_paths == ("settings.old",)


@given(trees, trees)
def test_equal_documents_have_no_difference_and_others_have_one(before: Any, after: Any) -> None:
    assert not documents.diff(documents.canonical(before), documents.canonical(before))
    differs = documents.canonical(before) != documents.canonical(after)
    assert bool(documents.diff(documents.canonical(before), documents.canonical(after))) == differs


@pytest.mark.parametrize("repeated", ["a-", "eyJ-", "eyJaaaaaa-", "token ", "sk_live_-", "a.b", "Bearer ", "aB/"])
def test_a_text_made_to_keep_a_worker_busy_is_read_in_no_time(repeated: str) -> None:
    """Reading every character once takes a fraction of a second; once for every other character, half an hour."""
    text = repeated * (100_000 // len(repeated))
    began = time.process_time()
    redactor().redact_text(text)
    redactor().redact({"name": text, text: 1})
    assert time.process_time() - began < 20


def test_two_documents_of_a_great_many_named_items_are_compared_in_no_time() -> None:
    def document(value: int) -> bytes:
        items = [{"_id": f"{n}", "name": f"item {n}", "a": value, "b": 1, "c": 2} for n in range(20_000)]
        return orjson.dumps({"items": items})

    began = time.process_time()
    found = documents.diff(document(1), document(2))
    assert time.process_time() - began < 20
    assert len(found.sections) == 20_000
    assert {section.equal_count for section in found.sections} == {4}


@pytest.mark.parametrize(
    ("path", "value", "is_hidden"),
    [
        ("settings.warehouse", "WEST", True),
        ("settings", {"warehouse": "WEST"}, True),
        ("name", "Orders", False),
        ("workflows[0].name", "Orders", False),
        ("workflows.0.name", "Orders", False),
        ("http.headers[0].apiToken", "short", True),
        ("extra.note", key_of(1, "stripe"), True),
        ("settings", None, False),
        ("", "Orders", False),
        ("$secret", "Orders", True),
        ("a." * 500, "Orders", False),
    ],
)
def test_a_value_told_without_its_document_is_as_secret_as_its_place(path: str, value: Any, is_hidden: bool) -> None:
    found = redactor().redact_at(path, value)
    assert ("$secret" in str(found)) is is_hidden
    assert is_hidden or found == value
