"""The form that edits a vendor's document: drawn from what the vendor lets be written, and from the redacted copy.

A secret shown as its mark stays as it is while the mark stays; a value in its place replaces it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson
from django import forms

from integrations_app.services import edits
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations.base import ABSENT
from integrations_app.vendors.base import FieldKind
from integrations_app.vendors.capabilities import EditRules

# A document of this size is edited at the vendor's, or by its API.
LONGEST_JSON = 1_000_000
_DEEPEST = 60


class JSONText(forms.CharField):
    """A text that is JSON; its clean value is what it says, ABSENT when the field is left empty."""

    def __init__(self, **options: Any) -> None:
        widget = forms.Textarea(attrs={"data-editor": "json", "spellcheck": "false", "autocomplete": "off"})
        super().__init__(widget=widget, max_length=LONGEST_JSON, strip=False, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text.strip():
            return ABSENT
        return parsed(text)


def parsed(text: str) -> Any:
    """The JSON a person typed; raises ValidationError that says where it goes wrong."""
    try:
        value = json.loads(text, parse_constant=_refuse, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise forms.ValidationError(
            f"This is no JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise forms.ValidationError(f"This is no JSON that can be sent: {error}") from error
    if _is_too_deep(value):
        raise forms.ValidationError(f"This is nested deeper than {_DEEPEST} levels.")
    _check_exact(value)
    return value


def _check_exact(value: Any) -> None:
    """Refuses what would reach the vendor as something else, or not at all: numbers too large to be held exactly, and
    halves of a character (an escape like \\ud800 alone).
    """
    try:
        is_exact = orjson.loads(orjson.dumps(value)) == value
    except TypeError as error:
        raise forms.ValidationError(f"This is no JSON that can be sent: {error}.") from error
    if not is_exact:
        raise forms.ValidationError("A number in it is too large to be sent as it stands.")


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"“{name[:60]}” stands twice in one object.")
        found[name] = value
    return found


def _is_too_deep(value: Any) -> bool:
    """Level by level: a recursion over what somebody typed would end where they want it to."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            item
            for branch in level
            if isinstance(branch, dict | list)
            for item in (branch.values() if isinstance(branch, dict) else branch)
        ]
        if not level:
            return False
    return True


def pretty(value: Any) -> str:
    """JSON for an editor; "" for no such field."""
    return "" if edits.is_absent(value) else json.dumps(value, indent=2, ensure_ascii=False)


class EditForm(forms.Form):
    """The declared fields of one document. `changes` are those that differ from what was shown."""

    base = forms.CharField(widget=forms.HiddenInput, max_length=64)
    key = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, *args: Any, document: Mapping[str, Any], rules: EditRules, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shown = {found.key: found for found in edits.form_fields(document, rules)}
        for number, found in enumerate(self._shown.values()):
            self.fields[f"f{number}"] = _form_field(found)
        self._names = {key: f"f{number}" for number, key in enumerate(self._shown)}

    @property
    def changes(self) -> dict[str, Any]:
        """New values by key, of those fields that the person changed."""
        changed = {}
        for key, found in self._shown.items():
            value = _lines_as_before(found, self.cleaned_data[self._names[key]])
            if not edits.same(_typed(found), value):
                changed[key] = value
        return changed

    def show_errors(self, error: InvalidError) -> None:
        """Put a service's complaints beside the fields they are about."""
        for key, text in error.errors.items():
            self.add_error(self._names.get(key), text)


def _lines_as_before(found: edits.FormField, value: Any) -> Any:
    """Browsers send a text's lines with CR LF; that alone is no change."""
    if isinstance(value, str) and "\r\n" not in str(found.value):
        return value.replace("\r\n", "\n")
    return value


def _typed(found: edits.FormField) -> Any:
    """The value as the untouched form gives it back."""
    if found.declared.kind is FieldKind.TEXT and not _is_structure(found.value):
        return "" if edits.is_absent(found.value) or found.value is None else str(found.value)
    if found.declared.kind is FieldKind.TRUTH:
        return found.value is True
    return found.value


def _is_structure(value: Any) -> bool:
    """Whether a value, in a field for text too, takes JSON to write it down (a secret's mark does)."""
    return isinstance(value, dict | list) and not edits.is_absent(value)


def _form_field(found: edits.FormField) -> forms.Field:
    declared, value = found.declared, found.value
    options: dict[str, Any] = {"label": found.label, "help_text": declared.help, "required": declared.is_required}
    if declared.kind is FieldKind.TRUTH:
        return forms.BooleanField(**{**options, "required": False}, initial=value is True)
    if declared.kind is not FieldKind.TEXT or _is_structure(value):
        return JSONText(**options, initial=pretty(value))
    widget = forms.Textarea(attrs={"rows": 4}) if declared.is_long else forms.TextInput(attrs={"autocomplete": "off"})
    return forms.CharField(
        **options, widget=widget, max_length=declared.max_length or None, initial=_typed(found), strip=False
    )


class DocumentForm(forms.Form):
    """The whole document as JSON, without what the vendor sets itself."""

    base = forms.CharField(widget=forms.HiddenInput, max_length=64)
    key = forms.CharField(widget=forms.HiddenInput, max_length=64)
    document = JSONText(label="Document", help_text="What the vendor sets itself (ids, times, counters) is left out.")

    def __init__(self, *args: Any, document: Mapping[str, Any], rules: EditRules, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rules = rules
        self._shown = {name: value for name, value in document.items() if name not in rules.server_owned}
        self.fields["document"].initial = pretty(self._shown)

    def clean_document(self) -> dict[str, Any]:
        value = self.cleaned_data["document"]
        if not isinstance(value, dict) or edits.is_absent(value):
            raise forms.ValidationError("The document is an object: { … }.")
        if theirs := sorted(self._rules.server_owned & value.keys()):
            raise forms.ValidationError(f"The vendor sets this itself; take it out: {', '.join(theirs)}.")
        return value

    @property
    def changes(self) -> dict[str, Any]:
        """New values by key, ABSENT for a field that was taken out."""
        typed = self.cleaned_data["document"]
        keys = edits.differing_keys(self._shown, typed, self._rules)
        return {key: edits.value_of(typed, key, self._rules) for key in keys}

    def show_errors(self, error: InvalidError) -> None:
        """Put a service's complaints beside the document."""
        for key, text in error.errors.items():
            self.add_error("document", f"{key}: {text}" if key else text)
