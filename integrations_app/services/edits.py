"""Documents as keys and values that may be written: what a form shows, what was changed, what secret marks stand for.

A key is a top-level name of the vendor's document, or "<list>/<item id>/<name>" for a field that every item of a list
has (`EditRules`). A value that is not there is `ABSENT`. Works on whole documents and on redacted ones alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from integrations_app.services.documents import Redactor, canonical, is_secret_mark
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations.base import ABSENT
from integrations_app.services.redaction import MARK
from integrations_app.vendors.capabilities import EditableField, EditRules

Document = Mapping[str, Any]

_UNKNOWN_MARK = "A secret was moved or mistyped: the mark {} stands for no secret of this integration."


def is_absent(value: Any) -> bool:
    """Whether a value stands for no such field."""
    return bool(value == ABSENT)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: true is not 1, the order of an object's fields does not count."""
    return canonical(one) == canonical(other)


@dataclass(frozen=True)
class FormField:
    """One field of a form: its key, the declaration behind it, the label with the item's name, and the value now."""

    key: str
    declared: EditableField
    label: str
    value: Any


def form_fields(document: Document, rules: EditRules) -> list[FormField]:
    """The declared fields as this document has them, those of list items one for each item."""
    found: list[FormField] = []
    for declared in rules.fields:
        if not declared.per:
            found.append(FormField(declared.name, declared, declared.label, document.get(declared.name, ABSENT)))
            continue
        for item_id, item in _items(document, declared.per, rules):
            key = f"{declared.per}/{item_id}/{declared.name}"
            label = f"{declared.label} of {item.get(rules.item_name) or item_id}"
            found.append(FormField(key, declared, label, item.get(declared.name, ABSENT)))
    return found


def value_of(document: Document, key: str, rules: EditRules) -> Any:
    """The value under a key, ABSENT when the document has no such field or item."""
    per, _, rest = key.partition("/")
    if not rest:
        return document.get(key, ABSENT)
    item_id, _, name = rest.rpartition("/")
    return next((item.get(name, ABSENT) for found, item in _items(document, per, rules) if found == item_id), ABSENT)


def label_of(key: str, document: Document, rules: EditRules) -> str:
    """What people call a key: a declared field's label, else the vendor's own name."""
    return next((found.label for found in form_fields(document, rules) if found.key == key), key)


def applied(document: Document, changes: Mapping[str, Any], rules: EditRules) -> dict[str, Any]:
    """The document with the changes made; what belongs to an item that is not there is left out."""
    changed = dict(document)
    for key, value in changes.items():
        per, _, rest = key.partition("/")
        if rest:
            item_id, _, name = rest.rpartition("/")
            changed[per] = [
                _with(item, name, value) if _has_id(item, item_id, rules) else item for item in changed.get(per) or []
            ]
        else:
            changed = _with(changed, key, value)
    return changed


def differing_keys(before: Document, after: Document, rules: EditRules) -> list[str]:
    """The keys whose values differ between two documents, server-owned ones left out.

    Where a list differs in nothing but declared fields of its items, the keys of those items are given, else its own.
    """
    keys: list[str] = []
    for name in dict.fromkeys([*before, *after]):
        if name in rules.server_owned or same(before.get(name, ABSENT), after.get(name, ABSENT)):
            continue
        inner = _differing_items(before, after, name, rules)
        keys.extend(inner or [name])
    return keys


def check_writable(keys: Iterator[str] | Mapping[str, Any], rules: EditRules) -> None:
    """Raises InvalidError for a key that the vendor sets itself, or that no rule knows."""
    per_fields = {(field.per, field.name) for field in rules.fields if field.per}
    for key in keys:
        per, _, rest = key.partition("/")
        name = rest.rpartition("/")[2]
        if (rest and (per, name) not in per_fields) or (not rest and key in rules.server_owned):
            raise InvalidError({key: "The vendor sets this itself; it cannot be changed here."})


def _differing_items(before: Document, after: Document, per: str, rules: EditRules) -> list[str]:
    declared = [field for field in rules.fields if field.per == per]
    was, now = dict(_items(before, per, rules)), dict(_items(after, per, rules))
    if not declared or list(was) != list(now) or len(was) != len(before.get(per) or []):
        return []
    names = {field.name for field in declared}
    keys = []
    for item_id, item in was.items():
        for name in dict.fromkeys([*item, *now[item_id]]):
            if not same(item.get(name, ABSENT), now[item_id].get(name, ABSENT)):
                if name not in names:
                    return []
                keys.append(f"{per}/{item_id}/{name}")
    return keys


def _items(document: Document, per: str, rules: EditRules) -> Iterator[tuple[str, Mapping[str, Any]]]:
    listed = document.get(per)
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, Mapping) and isinstance(item.get(rules.item_id), str):
            yield item[rules.item_id], item


def _has_id(item: Any, item_id: str, rules: EditRules) -> bool:
    return isinstance(item, Mapping) and item.get(rules.item_id) == item_id


def _with(document: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    changed = dict(document)
    if is_absent(value):
        changed.pop(name, None)
    else:
        changed[name] = value
    return changed


class Secrets:
    """What the secret marks in a form's values stand for: the secrets of the documents the form was drawn from."""

    def __init__(self, redactor: Redactor, *documents: Document) -> None:
        self._values: dict[str, Any] = {}
        self._redactor = redactor
        for document in documents:
            self._collect(document)

    def put_back(self, value: Any) -> Any:
        """The value with every mark {"$secret": fingerprint} replaced by its secret; raises InvalidError for others."""
        if is_secret_mark(value):
            return self._secret(value[MARK])
        if isinstance(value, Mapping):
            return {self._name(name): self.put_back(item) for name, item in value.items()}
        return [self.put_back(item) for item in value] if isinstance(value, list) else value

    def _name(self, name: str) -> str:
        """A field's name that gave itself away as a secret is shown as its mark too."""
        if name.startswith(f"{MARK} "):
            return str(self._secret(name.removeprefix(f"{MARK} ")))
        return name[1:] if name.startswith("$$secret") else name

    def _secret(self, fingerprint: Any) -> Any:
        if fingerprint not in self._values:
            raise InvalidError({"": _UNKNOWN_MARK.format(str(fingerprint)[:20])})
        return self._values[fingerprint]

    def _collect(self, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, item in value.items():
                self._values[self._redactor.fingerprint_of(name)] = name
                self._collect(item)
        elif isinstance(value, list):
            for item in value:
                self._collect(item)
        elif value is not None and value != "":
            self._values[self._redactor.fingerprint_of(value)] = value
