"""Reads what a step of an installation asks for into a neutral description of a form. Pure: no call, no clock.

A step's JSON comes from whoever wrote the integration app, so every part of it may be missing, of another type, or far
too large. What cannot be drawn as fields is asked for as one JSON document.
Source: Celigo help, "Integration apps" (steps); Celigo's skills for clients, "Forms" (`fieldMap`, `layout`, `options`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from integrations_app.vendors.celigo.reading import is_masked
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import identifier, text

Document = Mapping[str, Any]

# Beyond these a form is no form any more: nobody fills 80 fields in, and a page stays small.
FIELDS = 80
CHOICES = 300
ALL_CHOICES = 2000
NAME_LENGTH = 200
LABEL_LENGTH = 200
HELP_LENGTH = 600
DEFAULT_LENGTH = 4000
ADDRESS_LENGTH = 2000

_WANTS = {
    "connection": "connection",
    "template_zip": "nothing",
    "form": "form",
    "url": "address",
    "stack": "stack",
    "hidden": "nothing",
}
_KINDS = {
    "text": "text",
    "textarea": "long",
    "number": "number",
    "checkbox": "truth",
    "toggle": "truth",
    "switch": "truth",
    "select": "choice",
    "radio": "choice",
    "radiogroup": "choice",
    "refreshableselect": "choice",
    "multiselect": "choices",
    "refreshablemultiselect": "choices",
    "editor": "json",
    "json": "json",
    "keyvalue": "json",
    "hidden": "hidden",
    "password": "secret",
}
# Shown by the vendor's own page, asking for nothing.
_NO_INPUT = frozenset(("label", "labeltitle", "text_only", "divider", "link", "button"))
_SECRET_NAME = re.compile(r"token|secret|passw|passphrase|pwd|credential|(api|access|private).?key|auth(?!or)", re.I)

_NO_FORM = "The vendor describes no fields for this step. If it needs answers, give them as a JSON object."
_BUILT_THERE = (
    "This form is built by a function at the vendor, which only its own page runs. Give the answers as a JSON object."
)
_TOO_LARGE = "The vendor's form is too large or too odd to be drawn here. Give the answers as a JSON object."


def describe(step: Document, kind: str) -> dict[str, Any]:
    """What one step asks for, as plain JSON.

    {"wants": "connection", "form", "document", "address", "stack" or "nothing"; "note": why it is so, or "";
    "connection_type", "connection_name"; "address"; "fields": [{"name", "kind", "label", "help", "is_required",
    "default" (None: none), "choices": [{"id": any scalar, "label"}]}]; "form_id": changes when the questions do}.
    A field's `kind` is text, long, number, truth, choice, choices, json, secret or hidden. No default of a secret one
    is told, nor one that is Celigo's mask.
    """
    wants = _WANTS.get(kind) or _guess(step)
    source = object_of(step.get("sourceConnection"))
    asked: dict[str, Any] = {
        "wants": wants,
        "note": "",
        "connection_type": text(source.get("type"), 60),
        "connection_name": text(source.get("name"), 300),
        "address": _address(step) if wants == "address" else "",
        "fields": [],
    }
    if wants == "form":
        asked |= _form(step)
    return {**asked, "form_id": _form_id(asked, kind)}


def _guess(step: Document) -> str:
    """What a step of a kind that nobody documented is most likely to ask for."""
    if isinstance(step.get("form"), dict):
        return "form"
    if isinstance(step.get("sourceConnection"), dict):
        return "connection"
    return "address" if _address(step) else "form"


def _address(step: Document) -> str:
    found = (identifier(step.get(name), ADDRESS_LENGTH) for name in ("url", "installURL", "uninstallURL"))
    return next(filter(None, found), "")


def _form_id(asked: Document, kind: str) -> str:
    """In the shape of Celigo's ids. Defaults are left out: they may differ with each reading and change no question."""
    fields = [{name: value for name, value in field.items() if name != "default"} for field in asked["fields"]]
    told = json.dumps([kind, {**asked, "fields": fields}], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:24]


# --- fields ------------------------------------------------------------------------------------------------------


def _form(step: Document) -> dict[str, Any]:
    form = object_of(step.get("form"))
    if not form:
        built = bool(step.get("initFormFunction"))
        return {"wants": "document", "note": _BUILT_THERE if built else _NO_FORM}
    fields: list[dict[str, Any]] = []
    names: set[str] = set()
    choices = 0
    for key, field in _in_order(form):
        described = _field(key, field)
        if described is None or len(fields) >= FIELDS:
            return {"wants": "document", "note": _TOO_LARGE}
        # The same name twice is the same answer: the vendor's page shows one of them, as other answers are.
        if described["kind"] == "none" or described["name"] in names:
            continue
        choices += len(described["choices"])
        if choices > ALL_CHOICES:
            return {"wants": "document", "note": _TOO_LARGE}
        names.add(described["name"])
        fields.append(described)
    if not fields:
        return {"wants": "document", "note": _NO_FORM}
    return {"fields": fields}


def _in_order(form: Document) -> Iterator[tuple[str, Document]]:
    """The fields as (key, document): those the layout names first, in its order; older forms list them."""
    keyed = object_of(form.get("fieldMap"))
    wanted = [name for name in _named_in(form.get("layout")) if isinstance(keyed.get(name), dict)]
    for key in dict.fromkeys([*wanted, *list(keyed)[: FIELDS * 4]]):
        yield key, object_of(keyed[key])
    for each in _listed_in(form):
        yield "", each


def _named_in(layout: Any) -> list[str]:
    """The keys a layout names, through its containers; each part looked at once, so that no depth costs anything."""
    names: list[str] = []
    waiting = [layout]
    looked = 0
    while waiting and looked < FIELDS * 4 and len(names) < FIELDS * 4:
        looked += 1
        part = object_of(waiting.pop(0))
        fields = part.get("fields")
        names += [name for name in (fields if isinstance(fields, list) else [])[: FIELDS * 4] if isinstance(name, str)]
        waiting += _some(part.get("containers")) + _some(part.get("fieldSets"))
    return names


def _listed_in(form: Document) -> list[Document]:
    found = _some(form.get("fields"))
    for group in _some(form.get("fieldSets")):
        found += _some(object_of(group).get("fields"))
    return [object_of(each) for each in found[: FIELDS * 4] if isinstance(each, dict)]


def _some(value: Any) -> list[Any]:
    return value[: FIELDS * 4] if isinstance(value, list) else []


def _field(key: str, field: Document) -> dict[str, Any] | None:
    """One field; None when it has no name that an answer could go by."""
    names = (identifier(name, NAME_LENGTH) for name in (field.get("name"), field.get("id"), key))
    name = next(filter(None, names), "")
    if not name:
        return None
    label = text(field.get("label"), LABEL_LENGTH) or name[:LABEL_LENGTH]
    kind = _kind(field, name, label)
    return {
        "name": name,
        "kind": kind,
        "label": label,
        "help": text(field.get("helpText") or field.get("description"), HELP_LENGTH),
        "is_required": field.get("required") is True and kind != "truth",
        "default": None if kind == "secret" else _default(field, kind),
        "choices": _choices(field.get("options")) if kind in ("choice", "choices") else [],
    }


def _kind(field: Document, name: str, label: str) -> str:
    kind = text(field.get("type"), 60).lower()
    if kind in _NO_INPUT:
        return "none"
    if kind == "hidden" or field.get("visible") is False:
        return "hidden"
    is_secret = text(field.get("inputType"), 60).lower() == "password" or _SECRET_NAME.search(f"{name} {label}")
    # A choice or a tick about a secret ("how to authenticate") is none.
    if is_secret and _KINDS.get(kind, "text") in ("text", "long", "json", "secret"):
        return "secret"
    known = _KINDS.get(kind)
    if known in ("choice", "choices") and not _choices(field.get("options")):
        known = "text" if known == "choice" else "json"
    if known is not None:
        return known
    return "json" if isinstance(_raw_default(field), dict | list) else "text"


def _raw_default(field: Document) -> Any:
    return field.get("defaultValue", field.get("value"))


def _default(field: Document, kind: str) -> Any:
    """What the vendor would fill in; None for nothing, for the mask and for what is too large to be filled in."""
    value = _raw_default(field)
    if value is None or is_masked(value):
        return None
    if len(json.dumps(value)) > DEFAULT_LENGTH:
        return None
    if kind == "truth":
        return value in (True, "true", "on")
    if kind in ("text", "long", "number") and not isinstance(value, str | int | float):
        return None
    return value


def _choices(options: Any) -> list[dict[str, Any]]:
    """The choices in any shape that forms have: [{items: [...]}], [{label, value}], [[value, label]], [text]."""
    found: list[dict[str, Any]] = []
    for option in _entries(options):
        if isinstance(option, dict):
            value, label = option.get("value", option.get("id")), option.get("label", option.get("text"))
        elif isinstance(option, list) and len(option) == 2:
            value, label = option
        else:
            value, label = option, None
        if value is None or not isinstance(value, str | int | float) or len(str(value)) > NAME_LENGTH * 2:
            continue
        found.append({"id": value, "label": text(label, LABEL_LENGTH) or text(str(value), LABEL_LENGTH)})
        if len(found) > CHOICES:
            return []  # more than a person can choose from: typed instead
    return found


def _entries(options: Any) -> Iterator[Any]:
    for option in options[: CHOICES + 1] if isinstance(options, list) else ():
        grouped = option.get("items") if isinstance(option, dict) else None
        if isinstance(grouped, list):
            yield from grouped[: CHOICES + 1]
        else:
            yield option
