"""The form that edits a vendor's document: what it draws, sent back untouched, changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from integrations_app.edit_form import EditForm
from integrations_app.vendors import registry

FULL: dict[str, Any] = {
    "name": "Orders",
    "description": "two\nlines",
    "readme": "",
    "version": "1.2.0",
    "tag": {"$secret": "7f3a0c21"},
    "settings": {"token": {"$secret": "c21044aa"}, "retries": 3},
    "aliases": [{"alias": "orders"}],
    "flowGroupings": [{"_id": "5f0000000000000000000abc", "name": "Nightly", "settings": {"a": 1}}],
}


@pytest.mark.parametrize("document", [{"name": "Orders"}, FULL, {**FULL, "description": None, "settings": None}])
def test_a_form_sent_back_as_it_was_drawn_changes_nothing(document: dict[str, Any]) -> None:
    rules = registry.vendor("celigo").edit_rules
    assert rules is not None
    drawn = EditForm(document=document, rules=rules, initial={"base": "aa", "key": "k"})
    data = {field.html_name: field.value() for field in drawn if field.value() not in (None, False)}
    assert not any("$absent" in str(value) for value in data.values())
    sent = EditForm(data, document=document, rules=rules)
    assert sent.is_valid(), sent.errors
    assert sent.changes == {}
