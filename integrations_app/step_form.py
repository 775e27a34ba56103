"""The form of one step of an installation, drawn from what the step asks for.

What was typed comes back after an error, but for secrets: they leave the browser once, and are typed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict

from integrations_app.edit_form import JSONText, pretty
from integrations_app.forms import SecretInput
from integrations_app.services import step_forms
from integrations_app.services.documents import Redactor, is_secret_mark
from integrations_app.services.edits import is_absent
from integrations_app.services.errors import InvalidError
from integrations_app.services.step_forms import Step, StepField

# Secrets of a new connection that are typed beside its document, so that they never stand on the screen.
SECRETS = 3
CONNECTIONS_OFFERED = 500
DOCUMENT_LENGTH = 100_000
LABELS_LENGTH = 40_000
CARRIED_LENGTH = 4_000
IDENTITY = ("place", "type", "name", "form_id")
_HOW = (("existing", "Use a connection that is there"), ("new", "Make a new connection"))


@dataclass(frozen=True)
class Carried:
    """Something that was typed into a form that does not fit any more, shown so that it is not lost."""

    label: str
    text: str


class StepForm(forms.Form):
    """`given` are the answers for `step_forms.to_send`, once the form is valid."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        step: Step,
        connections: Sequence[tuple[str, str]] | None = None,
        before: Iterable[Mapping[str, Any]] = (),
        **kwargs: Any,
    ) -> None:
        """`connections` are (id, label), None where nobody knows them. `before` are the changes a write that came to
        nothing had planned: its answers are filled in again.
        """
        # A copy, from which `scrub` may take secrets.
        self._typed = data.copy() if data is not None else None
        super().__init__(self._typed, **kwargs)
        self.step = step
        self._documents: list[str] = []
        self._secrets: list[str] = []
        match step.wants:
            case "connection":
                self._add_connection(connections)
            case "stack":
                self.fields["stack_id"] = _id_field("Id of the stack")
            case "document":
                self._add_document("answers", "Answers", initial="{}")
            case "form":
                for field in step.fields:
                    self._add_answer(field)
        self._fill_in({str(change.get("label")): change.get("after") for change in before})

    # --- fields ----------------------------------------------------------------------------------------------------

    def _add_connection(self, connections: Sequence[tuple[str, str]] | None) -> None:
        self.fields["how"] = forms.ChoiceField(
            label="Connection", choices=_HOW, widget=forms.RadioSelect, initial="existing"
        )
        if connections is None or len(connections) > CONNECTIONS_OFFERED:
            self.fields["connection"] = _id_field("Id of the connection", required=False)
        else:
            choices = [("", "Choose…" if connections else "None of this type is there"), *connections]
            self.fields["connection"] = forms.ChoiceField(label="Connection to use", choices=choices, required=False)
        known = {"name": self.step.connection_name, "type": self.step.connection_type}
        self._add_document("document", "New connection, as the vendor's API has it", initial=pretty(known))
        told = "Secrets may stand in it, or below, where nobody sees them. None is ever shown again."
        self.fields["document"].help_text = told
        for number in range(1, SECRETS + 1):
            place = _id_field(f"Place of secret {number}", required=False)
            place.widget.attrs["placeholder"] = "http.auth.token"
            self.fields[f"secret_place_{number}"] = place
            self._add_secret(f"secret_{number}", f"Secret {number}", is_required=False)

    def _add_document(self, name: str, label: str, *, initial: str) -> None:
        field = JSONText(label=label, required=False, initial=initial)
        field.max_length = DOCUMENT_LENGTH
        self.fields[name] = field
        self._documents.append(name)

    def _add_secret(self, name: str, label: str, help_text: str = "", *, is_required: bool) -> None:
        self.fields[name] = forms.CharField(
            label=label,
            help_text=help_text,
            required=is_required,
            max_length=step_forms.TEXT_LENGTH,
            widget=SecretInput(),
            strip=False,
        )
        self._secrets.append(name)

    def _add_answer(self, field: StepField) -> None:
        if field.kind == "hidden":
            return
        name = name_of(field)
        is_required = field.is_required and not field.has_hidden_default
        if field.kind == "secret":
            told = field.help or "Sent to the vendor and never shown again."
            self._add_secret(name, field.label, told, is_required=is_required)
            return
        self.fields[name] = _answer_field(field, is_required)
        if field.kind == "json":
            self._documents.append(name)

    def _fill_in(self, answers: Mapping[str, Any]) -> None:
        """Answers by label, as a plan shows them; one whose value was a secret stays empty."""
        for field in self.step.fields:
            answer = answers.get(field.label)
            if answer is None or is_absent(answer) or is_secret_mark(answer) or field.kind in ("hidden", "secret"):
                continue
            initial = _initial_of(field, answer)
            if initial is not None:
                self.fields[name_of(field)].initial = initial

    # --- what was given --------------------------------------------------------------------------------------------

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.step.wants == "connection":
            self._clean_connection(cleaned)
        elif self.step.wants == "document":
            self._check("answers", cleaned, lambda found: step_forms.check_document(found))
        return cleaned

    def _clean_connection(self, cleaned: dict[str, Any]) -> None:
        if cleaned.get("how") != "new":
            if not cleaned.get("connection") and "connection" not in self.errors:
                self.add_error("connection", "Choose a connection.")
            return
        self._check("document", cleaned, lambda found: step_forms.check_document(found))
        for number in range(1, SECRETS + 1):
            place, secret = cleaned.get(f"secret_place_{number}", ""), cleaned.get(f"secret_{number}", "")
            if bool(place) is not bool(secret):
                self.add_error(f"secret_{number}" if place else f"secret_place_{number}", "Give both, or neither.")
            elif place and not self.errors:
                self._add_to_document(cleaned, f"secret_place_{number}", place, secret)

    def _add_to_document(self, cleaned: dict[str, Any], name: str, place: str, secret: str) -> None:
        try:
            cleaned["document"] = step_forms.with_secret(cleaned["document"], place, secret)
        except InvalidError as error:
            self.add_error(name, str(error))

    def _check(self, name: str, cleaned: dict[str, Any], check: Any) -> None:
        if name in self.errors:
            return
        try:
            found = cleaned.get(name)
            cleaned[name] = check({} if is_absent(found) else found)
        except InvalidError as error:
            self.add_error(name, str(error))

    @property
    def given(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        match self.step.wants:
            case "connection" if cleaned["how"] == "new":
                return {"connection": cleaned["document"]}
            case "connection":
                return {"connection_id": cleaned["connection"]}
            case "stack":
                return {"stack_id": cleaned["stack_id"]}
            case "document":
                return {"document": cleaned["answers"]}
            case "form":
                return {"fields": self._answers(cleaned)}
        return {}

    def _answers(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        answers = {}
        for field in self.step.fields:
            if field.kind == "hidden":
                continue
            answer = _answer(field, cleaned[name_of(field)])
            if answer is not None:
                answers[str(field.number)] = answer
        return answers

    # --- shown once more --------------------------------------------------------------------------------------------

    def scrub(self, redactor: Redactor) -> None:
        """Take the secrets out of what was typed, before the form is shown again."""
        if self._typed is None:
            return
        for name in self._documents:
            if text := self._typed.get(name, ""):
                self._typed[name] = step_forms.text_without_secrets(str(text)[:DOCUMENT_LENGTH], redactor)
        for name in self._secrets:
            if name in self._typed:
                self._typed[name] = ""

    @property
    def has_secrets(self) -> bool:
        return bool(self._secrets)

    @property
    def secrets(self) -> list[forms.BoundField]:
        """The places of secrets of a new connection, and the secrets."""
        return [self[name] for name in self.fields if name.startswith("secret_")]

    @property
    def labels(self) -> str:
        """The labels of what is no secret by the name of its field: what a form that is out of date says of itself."""
        secret = {*self._secrets, "key", "how"}
        told = {name: str(field.label or name)[:100] for name, field in self.fields.items() if name not in secret}
        return json.dumps(told)

    def show_errors(self, error: InvalidError) -> None:
        """Put a service's complaints beside the fields they are about."""
        for name, text in error.errors.items():
            self.add_error(name if name in self.fields else None, text)


def carried(data: QueryDict, redactor: Redactor) -> list[Carried]:
    """What was typed into a form whose step is no longer next; secrets were never named in it, and stay out."""
    try:
        labels = json.loads(data.get("labels", "")[:LABELS_LENGTH])
    except ValueError:
        return []
    found = []
    for name, label in list(labels.items())[:100] if isinstance(labels, dict) else ():
        text = ", ".join(data.getlist(str(name)))[:CARRIED_LENGTH]
        if text and text != "{}":
            found.append(Carried(str(label)[:100], step_forms.text_without_secrets(text, redactor)))
    return found


def name_of(field: StepField) -> str:
    """A field's name in the form: the same in every form that asks the same question."""
    return "f-" + hashlib.sha256(f"{field.kind}:{field.name}".encode()).hexdigest()[:12]


# --- single fields -------------------------------------------------------------------------------------------------


def _id_field(label: str, *, required: bool = True) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    return forms.CharField(label=label, max_length=step_forms.ID_LENGTH, required=required, widget=widget)


def _answer_field(field: StepField, is_required: bool) -> forms.Field:
    options: dict[str, Any] = {"label": field.label, "help_text": _help(field), "required": is_required}
    default = field.default
    match field.kind:
        case "truth":
            return forms.BooleanField(**{**options, "required": False}, initial=default is True)
        case "number":
            return forms.DecimalField(**options, initial=default, max_digits=20)
        case "choice":
            choices = [("", "Choose…" if is_required else "Nothing"), *_numbered(field)]
            return forms.ChoiceField(**options, choices=choices, initial=_number_of(field, default))
        case "choices":
            chosen = [_number_of(field, each) for each in default] if isinstance(default, list) else []
            widget = forms.CheckboxSelectMultiple if len(field.choices) <= 12 else forms.SelectMultiple
            return forms.MultipleChoiceField(**options, choices=_numbered(field), initial=chosen, widget=widget)
        case "json":
            found = JSONText(**options, initial="" if default is None else pretty(default))
            found.max_length = DOCUMENT_LENGTH
            return found
    widget_of_text = forms.Textarea(attrs={"rows": 4}) if field.kind == "long" else forms.TextInput()
    widget_of_text.attrs["autocomplete"] = "off"
    initial = "" if default is None else str(default)
    return forms.CharField(
        **options, initial=initial, widget=widget_of_text, max_length=step_forms.TEXT_LENGTH, strip=False
    )


def _help(field: StepField) -> str:
    kept = "The vendor holds a value that is not shown; it stays if this is left empty."
    return f"{field.help} {kept}".strip() if field.has_hidden_default else field.help


def _numbered(field: StepField) -> list[tuple[str, str]]:
    return [(str(number), label) for number, (_, label) in enumerate(field.choices)]


def _number_of(field: StepField, value: Any) -> str:
    return next((str(number) for number, (held, _) in enumerate(field.choices) if held == value), "")


def _initial_of(field: StepField, answer: Any) -> Any:
    labels = [label for _, label in field.choices]
    if field.kind == "choice":
        return str(labels.index(answer)) if answer in labels else None
    if field.kind == "choices":
        return [str(labels.index(each)) for each in answer if each in labels] if isinstance(answer, list) else None
    if field.kind == "json":
        return pretty(answer)
    return answer if isinstance(answer, str | int | float | bool) else None


def _answer(field: StepField, cleaned: Any) -> Any:
    """The value for `step_forms.to_send`; None for a field that was left alone and has nothing to say."""
    if is_absent(cleaned):
        return None
    match field.kind:
        case "choice":
            return int(cleaned) if cleaned else None
        case "choices":
            return [int(each) for each in cleaned] if cleaned or field.default else None
        case "number":
            if cleaned is None:
                return None
            return int(cleaned) if cleaned == cleaned.to_integral_value() else float(cleaned)
        case "text" | "long":
            # Emptied by the person, it is sent empty; empty all along, it is not sent.
            return cleaned if cleaned or field.default not in (None, "") else None
        case "secret":
            return cleaned or None
    return cleaned
