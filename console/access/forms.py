"""The forms of the site's own pages."""

from __future__ import annotations

import zoneinfo
from typing import Any, ClassVar, cast

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.http import QueryDict

from console.access.models import Role, Tenant, User

_ZONES = tuple((name, name.replace("_", " ")) for name in sorted(zoneinfo.available_timezones()))


class LabelsField(forms.CharField):
    """Labels typed with commas between them; cleans to a list."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        return [label.strip() for label in text.split(",") if label.strip()]

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def validate(self, value: Any) -> None:
        for label in value:
            if len(label) > 40:
                raise forms.ValidationError("“%(label)s” is longer than 40 characters.", params={"label": label})


class TenantForm(forms.ModelForm[Tenant]):
    """A new tenant."""

    labels = LabelsField(
        required=False, help_text="Separated by commas, for example EU, tier 1. Access can be given by label."
    )

    class Meta:
        model = Tenant
        fields = ("name", "slug", "external_id", "colour", "time_zone", "notes")
        labels: ClassVar = {"slug": "Address", "external_id": "Your own id for it"}
        help_texts: ClassVar = {
            "slug": "Stands in every link to this tenant and never changes, for example larkspur.",
            "external_id": "For example its number in your CRM; the search finds it.",
            "colour": "A stripe above every page of this tenant, so that nobody edits the wrong one.",
        }
        widgets: ClassVar = {
            "time_zone": forms.Select(choices=_ZONES),
            "notes": forms.Textarea(attrs={"rows": 3}),
            "slug": forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        }


class TenantSettingsForm(TenantForm):
    """The settings of a tenant; `version` is the one the form was drawn from."""

    version = forms.IntegerField(widget=forms.HiddenInput)

    class Meta(TenantForm.Meta):
        fields = ("name", "external_id", "owner", "colour", "time_zone", "notes")

    def __init__(self, *args: Any, owners: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = owners  # type: ignore[attr-defined]  # a ModelChoiceField
        self.fields["owner"].help_text = "Who looks after this tenant here. Says nothing about access."

    def move_to(self, stored: Tenant) -> list[tuple[str, str]]:
        """After a conflict: draw the form from the version stored now, keep what was typed, and return what differs
        there as (label, stored value), so that the person chooses before saving again."""
        data = cast(QueryDict, self.data).copy()
        data["version"] = str(stored.version)
        self.data = data
        differing = [name for name in self._meta.fields or () if getattr(stored, name) != self.cleaned_data.get(name)]
        shown = [(str(self.fields[name].label), str(getattr(stored, name) or "nothing")) for name in differing]
        labels = sorted(stored.labels.values_list("name", flat=True))
        if labels != sorted(self.cleaned_data["labels"]):
            shown.append(("Labels", ", ".join(labels) or "none"))
        return shown


class GrantForm(forms.Form):
    """Give somebody a role at one tenant: an account that exists, or an invitation for one that does not."""

    email = forms.EmailField(label="E-mail")
    role = forms.ModelChoiceField(Role.objects.none(), to_field_name="slug", empty_label=None)
    expires_at = forms.DateTimeField(
        required=False,
        label="Ends",
        help_text="Leave empty for access without an end.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
    )
    reason = forms.CharField(required=False, max_length=300, help_text="Goes to the audit log.")
    ticket = forms.CharField(required=False, max_length=80)

    def __init__(self, *args: Any, roles: list[Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["role"]
        field.queryset = Role.objects.filter(id__in=[role.id for role in roles])  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("expires_at") and not cleaned.get("reason"):
            self.add_error("reason", "Access with an end is a support pass: say what it is for.")
        return cleaned


class NewPasswordForm(forms.Form):
    """A person's first password, typed twice, with their name and time zone."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    time_zone = forms.ChoiceField(choices=_ZONES, initial="UTC")
    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), help_text="At least 12 characters."
    )
    password_again = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        password = cleaned.get("password")
        if password and password != cleaned.get("password_again"):
            self.add_error("password_again", "The two passwords differ.")
        if password:
            user = User(email=cleaned.get("email", ""), name=cleaned.get("name", ""))
            try:
                validate_password(password, user)
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned


class FirstUserForm(NewPasswordForm):
    """The owner of a new installation."""

    email = forms.EmailField(label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "username"}))
    field_order = ("name", "email", "password", "password_again", "time_zone")


class ProfileForm(forms.ModelForm[User]):
    class Meta:
        model = User
        fields = ("name", "time_zone")
        widgets: ClassVar = {"time_zone": forms.Select(choices=_ZONES)}
        help_texts: ClassVar = {"time_zone": "Every time on every page is shown in this zone."}
