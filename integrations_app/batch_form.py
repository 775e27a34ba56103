"""The forms that ask one thing of a whole selection: a field and its new value, or a revision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.http import QueryDict

from integrations_app.edit_form import JSONText
from integrations_app.models import Integration
from integrations_app.services import edits
from integrations_app.vendors import registry
from integrations_app.vendors.base import FieldKind
from integrations_app.vendors.capabilities import EditableField

_TRUTHS = (("yes", "Yes"), ("no", "No"))


def offered_fields(integrations: Iterable[Integration]) -> dict[str, EditableField]:
    """The fields by name that can be set over these integrations: those of any of their vendors that are no part of a
    list inside the document.
    """
    found: dict[str, EditableField] = {}
    for vendor in dict.fromkeys(integration.vendor for integration in integrations):
        rules = registry.vendor(vendor).edit_rules
        for declared in rules.fields if rules is not None else ():
            if not declared.per:
                found.setdefault(declared.name, declared)
    return found


def has_field(integration: Integration, wanted: EditableField) -> bool:
    """Whether the vendor of an integration offers this field, and of this kind."""
    rules = registry.vendor(integration.vendor).edit_rules
    fields = rules.fields if rules is not None else ()
    return any((one.name, one.kind, one.per) == (wanted.name, wanted.kind, "") for one in fields)


class KeptForm(forms.Form):
    """A form that comes back with what was typed, and with hidden values as they are now."""

    def renew(self, name: str, value: object) -> None:
        """Put another value into a hidden field: sent again, the form stands against what was looked at then."""
        data = cast(QueryDict, self.data).copy()
        data[name] = str(value)
        self.data = data


class ValueForm(KeptForm):
    """The new value of one field, and why."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=64)
    count = forms.CharField(widget=forms.HiddenInput, max_length=10)

    def __init__(self, *args: Any, declared: EditableField, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._declared = declared
        self.fields["value"] = _value_field(declared)
        self.fields["reason"] = forms.CharField(
            label="Reason",
            required=False,
            max_length=300,
            widget=forms.TextInput(attrs={"autocomplete": "off"}),
            help_text="Stands in the audit log with every change.",
        )

    def clean_value(self) -> Any:
        value = self.cleaned_data["value"]
        if self._declared.kind is FieldKind.TRUTH:
            return value == "yes"
        if edits.is_absent(value):
            raise forms.ValidationError("Type the value as JSON; null and {} are values too.")
        # Browsers send a text's lines with CR LF.
        return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _value_field(declared: EditableField) -> forms.Field:
    options: dict[str, Any] = {"label": declared.label, "help_text": declared.help, "required": declared.is_required}
    if declared.kind is FieldKind.TRUTH:
        return forms.ChoiceField(**{**options, "required": True}, choices=_TRUTHS, widget=forms.RadioSelect)
    if declared.kind is not FieldKind.TEXT:
        return JSONText(**options)
    widget = forms.Textarea(attrs={"rows": 4}) if declared.is_long else forms.TextInput(attrs={"autocomplete": "off"})
    return forms.CharField(**options, widget=widget, max_length=declared.max_length or None, strip=False)


class RevisionForm(KeptForm):
    """A revision to be taken, of one integration or of many."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=64)
    count = forms.CharField(widget=forms.HiddenInput, max_length=10, required=False)
    note = forms.CharField(
        label="Note",
        required=False,
        max_length=300,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Stands with the revision at the vendor.",
    )
    only_if_changed = forms.BooleanField(
        label="Only if something changed since the last one",
        required=False,
        initial=True,
    )

    @property
    def params(self) -> dict[str, Any]:
        """What the operation is asked with."""
        return {"note": self.cleaned_data["note"], "only_if_changed": self.cleaned_data["only_if_changed"]}


class RevisionPolicyForm(KeptForm):
    """When the vendor keeps revisions without anybody asking."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    is_nightly = forms.BooleanField(
        label="Every night",
        required=False,
        help_text="Of each integration in which something changed since its last one.",
    )
    before_writes = forms.BooleanField(
        label="Before each change made here",
        required=False,
        help_text="Where none can be taken, the change is not sent, unless the vendor takes none of that integration.",
    )
