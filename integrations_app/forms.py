"""The forms of the product's pages. Which fields a vendor wants is said by its client; no form names a vendor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict

from console.access.models import User
from integrations_app.models import Credential
from integrations_app.services.errors import InvalidError
from integrations_app.vendors.base import BindingField, CredentialField, SearchField, VendorClient

# How often an account's list is read by itself; 0: only when somebody asks.
INTERVALS = (
    (0, "Only when asked"),
    (900, "Every 15 minutes"),
    (3600, "Every hour"),
    (14_400, "Every 4 hours"),
    (86_400, "Every day"),
)


class SecretInput(forms.PasswordInput):
    """A secret on its way in: never filled in again after an error, never remembered by the browser."""

    def __init__(self) -> None:
        super().__init__(render_value=False, attrs={"autocomplete": "off", "spellcheck": "false"})


def show_errors(form: forms.Form, error: InvalidError) -> None:
    """Put a service's complaints beside the fields they are about; what belongs to none goes on top."""
    prefixed = {name.split("-", 1)[-1]: name for name in form.fields}
    for name, text in error.errors.items():
        form.add_error(prefixed.get(name), text)


def _credential_field(field: CredentialField, *, required: bool = True) -> forms.CharField:
    widget = SecretInput() if field.is_secret else forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    return forms.CharField(label=field.label, help_text=field.help, widget=widget, max_length=4000, required=required)


def _binding_field(field: BindingField) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    return forms.CharField(
        label=field.label, help_text=field.help, widget=widget, max_length=200, required=field.is_required
    )


class VendorForm(forms.Form):
    """Fields that follow from a vendor's client: `secret-<name>` of its credential, `binding-<name>` of its binding."""

    def add_credential_fields(self, client: type[VendorClient], *, required: bool = True) -> None:
        for field in client.credential_fields:
            self.fields[f"secret-{field.name}"] = _credential_field(field, required=required)

    def add_binding_fields(self, client: type[VendorClient], values: Mapping[str, str] | None = None) -> None:
        for field in client.binding_fields:
            self.fields[f"binding-{field.name}"] = _binding_field(field)
            self.fields[f"binding-{field.name}"].initial = (values or {}).get(field.name, "")

    def _with_prefix(self, prefix: str) -> dict[str, str]:
        return {
            name.removeprefix(prefix): value for name, value in self.cleaned_data.items() if name.startswith(prefix)
        }

    @property
    def secret_fields(self) -> dict[str, str]:
        return self._with_prefix("secret-")

    @property
    def binding(self) -> dict[str, str]:
        return self._with_prefix("binding-")


class AccountForm(VendorForm):
    """A new vendor account of one vendor: where, with which secret, bound to what."""

    name = forms.CharField(max_length=120, help_text="How you tell it from others, for example Production.")
    region = forms.ChoiceField()
    expires_on = forms.DateField(
        required=False,
        label="Secret expires on",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The home page reminds its owner before that day.",
    )
    every_seconds = forms.TypedChoiceField(label="Sync", coerce=int, choices=INTERVALS, initial=3600)

    def __init__(
        self,
        *args: Any,
        client: type[VendorClient],
        regions: Iterable[tuple[str, str]],
        shared: QuerySet[Credential] | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["region"].choices = list(regions)  # type: ignore[attr-defined]  # a ChoiceField
        if shared is not None and shared.exists():
            self.fields["credential"] = forms.ModelChoiceField(
                shared,
                required=False,
                label="Credential",
                empty_label="One of this tenant's own, typed below",
                help_text="A shared credential opens every tenant of the company at this vendor.",
            )
        self.add_credential_fields(client, required="credential" not in self.fields)
        self.add_binding_fields(client)
        order = ["name", "region", "credential", *(n for n in self.fields if n.startswith(("secret-", "binding-")))]
        self.order_fields([*order, "expires_on", "every_seconds"])
        self._client = client

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("credential"):
            for field in self._client.credential_fields:
                name = f"secret-{field.name}"
                if not cleaned.get(name) and name not in self.errors:
                    self.add_error(name, "Fill this in.")
        return cleaned


class AccountSettingsForm(forms.Form):
    """What may change without the secret."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    name = forms.CharField(max_length=120)
    owner = forms.ModelChoiceField(
        User.objects.none(), required=False, empty_label="Nobody", help_text="Is asked when the secret runs out."
    )
    expires_on = forms.DateField(
        required=False, label="Secret expires on", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    every_seconds = forms.TypedChoiceField(label="Sync", coerce=int, choices=INTERVALS)

    def __init__(self, *args: Any, owners: QuerySet[User], is_shared: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = owners  # type: ignore[attr-defined]  # a ModelChoiceField
        if is_shared:
            del self.fields["expires_on"]

    def move_to_stored(self) -> list[tuple[str, str]]:
        """After a conflict: draw the form from what is stored now (its `initial`), keep what was typed, and return what
        differs there as (label, stored value), so that the person chooses before saving again."""
        data = cast(QueryDict, self.data).copy()
        data["version"] = str(self.initial["version"])
        self.data = data
        differing = [
            name for name in self.fields if name != "version" and self.initial[name] != self.cleaned_data[name]
        ]
        return [(str(self[name].label), self._words(name)) for name in differing]

    def _words(self, name: str) -> str:
        value = self.initial[name]
        return dict(INTERVALS).get(value, f"every {value} s") if name == "every_seconds" else str(value or "nothing")


class ReplaceForm(VendorForm):
    """A new secret, and with it perhaps another region or binding."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    region = forms.ChoiceField()
    expires_on = forms.DateField(
        required=False, label="Expires on", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    reason = forms.CharField(required=False, max_length=300, help_text="Goes to the audit log.")

    def __init__(
        self,
        *args: Any,
        client: type[VendorClient],
        regions: Iterable[tuple[str, str]],
        binding: Mapping[str, str],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.add_credential_fields(client)
        choices = list(regions)
        if choices:
            self.fields["region"].choices = choices  # type: ignore[attr-defined]  # a ChoiceField
            self.add_binding_fields(client, binding)
        else:
            del self.fields["region"]
        secrets = [name for name in self.fields if name.startswith("secret-")]
        self.order_fields([*secrets, "region"])


class RemoveForm(forms.Form):
    """Something dangerous, confirmed by typing its name, with a reason."""

    name = forms.CharField(max_length=300)
    reason = forms.CharField(max_length=300)

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._expected = expected

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name.strip() != self._expected:
            raise forms.ValidationError("This is not its name.")
        return name


class SharedCredentialForm(VendorForm):
    """A new credential of the company."""

    name = forms.CharField(max_length=120)
    expires_on = forms.DateField(required=False, label="Expires on", widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, client: type[VendorClient], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_credential_fields(client)


class BindForm(VendorForm):
    """Binds a shared credential to a tenant: as a new vendor account."""

    tenant = forms.ModelChoiceField(User.objects.none(), to_field_name="slug", empty_label=None)
    name = forms.CharField(max_length=120, initial="Production", help_text="The vendor account's name at the tenant.")
    region = forms.ChoiceField()

    def __init__(
        self, *args: Any, client: type[VendorClient], regions: Iterable[tuple[str, str]], tenants: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].queryset = tenants  # type: ignore[attr-defined]  # a ModelChoiceField
        self.fields["region"].choices = list(regions)  # type: ignore[attr-defined]  # a ChoiceField
        self.add_binding_fields(client)


class SearchForm(forms.Form):
    """The filters a vendor itself offers for its live search."""

    def __init__(self, *args: Any, search_fields: Iterable[SearchField], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in search_fields:
            self.fields[field.name] = _search_field(field)

    @property
    def filters(self) -> dict[str, str]:
        """What was filled in, as texts; a ticked box is "1"."""
        values = ((name, "1" if value is True else value) for name, value in self.cleaned_data.items())
        return {name: str(value) for name, value in values if value not in (None, "", False)}


def _search_field(field: SearchField) -> forms.Field:
    common: dict[str, Any] = {"label": field.label, "help_text": field.help, "required": False}
    if field.kind == "truth":
        return forms.BooleanField(**common)
    if field.kind == "number":
        return forms.IntegerField(min_value=0, max_value=1_000_000, **common)
    if field.kind == "choice":
        # What leaving it out means is the vendor's to say, where it says so.
        has_blank = any(value == "" for value, _ in field.choices)
        return forms.ChoiceField(choices=[*(() if has_blank else [("", "Any")]), *field.choices], **common)
    return forms.CharField(max_length=200, **common)
