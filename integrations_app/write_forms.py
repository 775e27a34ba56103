"""The forms that ask for a new integration, or a copy of one. What they may hold is said by the vendor's client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from integrations_app.edit_form import JSONText, pretty
from integrations_app.services import edits
from integrations_app.services.clone_targets import Target
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations.base import ABSENT
from integrations_app.vendors.base import FieldKind
from integrations_app.vendors.capabilities import EditableField

# What a vendor's form has first is what people fill in; the rest is there, folded.
_SHOWN_AT_ONCE = 2
_PREFIX = "field-"
_SANDBOX = {"": None, "yes": True, "no": False}


class CreateForm(forms.Form):
    """The fields of a vendor's document that a new integration may have; `document` are those that were filled in."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, *args: Any, fields: Sequence[EditableField], values: Mapping[str, Any], **kwargs: Any) -> None:
        """`values` are what it begins with, by the fields' names."""
        super().__init__(*args, **kwargs)
        self._declared = {f"{_PREFIX}{field.name}": field for field in fields}
        for name, field in self._declared.items():
            self.fields[name] = _field(field, values.get(field.name, ABSENT))

    @property
    def document(self) -> dict[str, Any]:
        """The new document: what was left empty is not in it."""
        given = {name: self.cleaned_data[name] for name in self._declared}
        return {self._declared[name].name: value for name, value in given.items() if not _is_empty(value)}

    @property
    def main(self) -> list[BoundField]:
        """The fields everybody sees."""
        return [self[name] for name in list(self._declared)[:_SHOWN_AT_ONCE]]

    @property
    def more(self) -> list[BoundField]:
        """The folded ones."""
        return [self[name] for name in list(self._declared)[_SHOWN_AT_ONCE:]]

    @property
    def is_more_open(self) -> bool:
        """Whether something in the folded part must be seen: a mistake, or what was filled in before."""
        return any(field.errors or field.value() for field in self.more)

    def show_errors(self, error: InvalidError) -> None:
        """Put a service's complaints beside the fields they are about."""
        for name, text in error.errors.items():
            self.add_error(f"{_PREFIX}{name}" if f"{_PREFIX}{name}" in self.fields else None, text)


def _is_empty(value: Any) -> bool:
    return value == "" or value is False or edits.is_absent(value)


def _field(declared: EditableField, value: Any) -> forms.Field:
    options: dict[str, Any] = {
        "label": declared.label,
        "help_text": declared.help,
        "required": declared.is_required,
        "initial": None if edits.is_absent(value) else value,
    }
    if declared.kind is FieldKind.TRUTH:
        return forms.BooleanField(**{**options, "required": False})
    if declared.kind is not FieldKind.TEXT:
        return JSONText(**{**options, "initial": pretty(value)})
    widget = forms.Textarea(attrs={"rows": 4}) if declared.is_long else forms.TextInput(attrs={"autocomplete": "off"})
    return forms.CharField(**options, widget=widget, max_length=declared.max_length or None)


class CloneForm(forms.Form):
    """Where a copy goes and what it is called: at most `name_length` letters, 0 for as many as one likes.

    Which connections it goes through is asked once the vendor was read.
    """

    key = forms.CharField(widget=forms.HiddenInput, max_length=64)
    account = forms.ChoiceField(label="Clone into", widget=forms.RadioSelect)
    is_sandbox = forms.ChoiceField(
        label="Sandbox",
        required=False,
        choices=(("", "As the vendor does by itself"), ("yes", "Into the sandbox"), ("no", "Into production")),
        help_text="For accounts that still have the vendor's old sandbox.",
    )
    environment = forms.CharField(
        label="Environment",
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="The vendor's id of an environment, to clone into that one.",
    )

    def __init__(self, *args: Any, targets: Sequence[Target], name_length: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        possible = [target.account for target in targets if not target.reason]
        self.fields["account"].choices = [(str(account.pk), str(account)) for account in possible]  # type: ignore[attr-defined]  # a ChoiceField
        self.fields["name"] = forms.CharField(
            max_length=name_length or None, widget=forms.TextInput(attrs={"autocomplete": "off"})
        )

    @property
    def params(self) -> dict[str, Any]:
        """What the operation is asked with."""
        given = self.cleaned_data
        return {
            "account": given["account"],
            "name": given["name"],
            "environment": given["environment"],
            "is_sandbox": _SANDBOX[given["is_sandbox"]],
        }

    @property
    def more(self) -> list[BoundField]:
        """The folded fields."""
        return [self["is_sandbox"], self["environment"]]

    @property
    def is_more_open(self) -> bool:
        return any(field.errors or field.value() for field in self.more)
