"""The steps of an installation as pages and operations know them: what the next one asks for, and the answers to it.

A step was described by its vendor's client (`SupportsSteps`); here the description is read again as hostile input, from
the redacted listing for a page and from a fresh reading for sending. A page answers by the number of a field and of a
choice, so that it needs no value that redaction took out; the worker puts the vendor's own names and values back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from integrations_app.services.documents import Redactor, is_secret_mark, load, plain
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations.base import ABSENT, Change
from integrations_app.services.redaction import is_secret_text, is_suspicious_name

WANTS = ("connection", "form", "document", "address", "stack", "nothing")
KINDS = ("text", "long", "number", "truth", "choice", "choices", "json", "secret", "hidden")
FIELDS_SHOWN = 80
TEXT_LENGTH = 10_000
ID_LENGTH = 200
PLACE_DEPTH = 20
# A member of an object whose value is a text, in JSON that may be wrong elsewhere.
_MEMBER = re.compile(r'"(?P<name>[^"\\]{1,200})"(?P<colon>\s{0,20}:\s{0,20})"(?P<value>(?:[^"\\]|\\.)*+)"')
# The last call of an uninstallation, after all its steps: it has no step of its own at the vendor.
FINISH = "finish"


@dataclass(frozen=True)
class StepField:
    """One question of a form. `default` None is none, or one that is hidden (`has_hidden_default`)."""

    number: int
    name: str
    kind: str
    label: str
    help: str
    is_required: bool
    default: Any
    has_hidden_default: bool
    choices: tuple[tuple[Any, str], ...]


@dataclass(frozen=True)
class Step:
    """One step in its place (from 1). Of a step that is not the next one only the first five are known."""

    place: int
    name: str
    type: str
    description: str
    is_done: bool
    wants: str = ""
    note: str = ""
    connection_type: str = ""
    connection_name: str = ""
    address: str = ""
    fields: tuple[StepField, ...] = ()
    form_id: str = ""

    @property
    def href(self) -> str:
        """The step's address where it may be a link: https to a host, without a name or password in it; else ""."""
        try:
            parts = urlsplit(self.address)
            is_safe = parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
        except ValueError:
            return ""
        return self.address if is_safe and self.address.isprintable() and "\\" not in self.address else ""

    @property
    def identity(self) -> dict[str, Any]:
        """What a form says of the step it was drawn from."""
        return {"place": self.place, "type": self.type, "name": self.name, "form_id": self.form_id}


# --- reading -----------------------------------------------------------------------------------------------------


def read(items: Iterable[Mapping[str, Any]]) -> list[Step]:
    """The steps of a listing's items ({"name", "values"} each), in their order."""
    return [_step(item, number) for number, item in enumerate(items, 1)]


def following(steps: Sequence[Step], *, uninstall: bool) -> Step | None:
    """The next step to do; None when nothing is left.

    Uninstalling ends with a call of its own: an integration that is still there after all its steps waits for that.
    """
    undone = next((step for step in steps if not step.is_done), None)
    if undone is not None or not uninstall or not steps:
        return undone
    name = "Take the integration away"
    return Step(steps[-1].place + 1, name, FINISH, "All steps are done; this ends it.", is_done=False, wants="nothing")


def _step(item: Mapping[str, Any], number: int) -> Step:
    values = _object(item.get("values"))
    place = values.get("place")
    form = _object(values.get("form"))
    wants = form.get("wants")
    return Step(
        place=place if isinstance(place, int) and not isinstance(place, bool) else number,
        name=_text(item.get("name"), 300) or f"Step {number}",
        type=_text(values.get("type"), 40),
        description=_text(values.get("description"), 2000),
        is_done=values.get("is_completed") is True,
        wants=wants if wants in WANTS else "document",
        note=_text(form.get("note"), 500),
        connection_type=_text(form.get("connection_type"), 60),
        connection_name=_text(form.get("connection_name"), 300),
        address=_text(form.get("address"), 2000),
        fields=tuple(_field(_object(each), at) for at, each in enumerate(_list(form.get("fields"))[:FIELDS_SHOWN])),
        form_id=_text(form.get("form_id"), 40),
    )


def _field(field: Mapping[str, Any], number: int) -> StepField:
    kind, default = field.get("kind"), field.get("default")
    name = field.get("name")
    return StepField(
        number=number,
        name=name if isinstance(name, str) else f"field {number + 1}",
        kind=kind if kind in KINDS else "text",
        label=_text(field.get("label"), 300) or f"Field {number + 1}",
        help=_text(field.get("help"), 1000),
        is_required=field.get("is_required") is True,
        default=None if _holds_mark(default) else default,
        has_hidden_default=_holds_mark(default),
        choices=tuple(_choice(_object(each), at) for at, each in enumerate(_list(field.get("choices")))),
    )


def _choice(choice: Mapping[str, Any], number: int) -> tuple[Any, str]:
    return choice.get("id"), _text(choice.get("label"), 300) or f"Choice {number + 1}"


def _holds_mark(value: Any) -> bool:
    if isinstance(value, Mapping):
        return is_secret_mark(value) or any(_holds_mark(each) for each in value.values())
    return isinstance(value, list) and any(_holds_mark(each) for each in value)


def _text(value: Any, limit: int) -> str:
    return plain(value, limit) if isinstance(value, str) else ""


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# --- what a person typed -----------------------------------------------------------------------------------------


def check_document(found: Any) -> dict[str, Any]:
    """A JSON object that may be sent. Raises InvalidError in words for the field it was typed into."""
    if not isinstance(found, dict):
        raise InvalidError({"": "This must be a JSON object: {…}."})
    if _holds_mark(found):
        raise InvalidError({"": 'A {"$secret": …} stands for a value that is not here: type the value itself.'})
    return found


def with_secret(document: Mapping[str, Any], place: str, secret: str) -> dict[str, Any]:
    """A document with one more value at a dotted place ("http.auth.token"). Raises InvalidError."""
    steps = [step.strip() for step in place.split(".")]
    if not all(steps) or len(steps) > PLACE_DEPTH:
        raise InvalidError({"": "Name its place in the document, such as http.auth.token."})
    whole = dict(document)
    inner = whole
    for step in steps[:-1]:
        below = inner.get(step, {})
        if not isinstance(below, Mapping):
            raise InvalidError(
                {"": f"“{plain(step, 60)}” holds a value in the document, so nothing can stand below it."}
            )
        inner[step] = dict(below)
        inner = inner[step]
    inner[steps[-1]] = secret
    return whole


def without_secrets(document: Any, redactor: Redactor) -> Any:
    """The document as it may be shown once more: what looks secret in it is "" again."""
    return _emptied(load(redactor.redact(document)))


def text_without_secrets(text: str, redactor: Redactor) -> str:
    """JSON as somebody typed it, right or not, with "" in place of what looks like a secret."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return _MEMBER.sub(_emptied_member, redactor.redact_text(text))
    if not isinstance(found, dict | list):
        return redactor.redact_text(text)
    return json.dumps(without_secrets(found, redactor), indent=2, ensure_ascii=False)


def _emptied_member(match: re.Match[str]) -> str:
    is_secret = is_suspicious_name(match["name"]) or is_secret_text(match["value"], None)
    return f'"{match["name"]}"{match["colon"]}""' if is_secret else match[0]


def _emptied(value: Any) -> Any:
    if is_secret_mark(value):
        return ""
    if isinstance(value, Mapping):
        return {name: _emptied(each) for name, each in value.items()}
    return [_emptied(each) for each in value] if isinstance(value, list) else value


# --- what is sent ------------------------------------------------------------------------------------------------


def to_send(step: Step, given: Mapping[str, Any]) -> dict[str, Any]:
    """The answers as the vendor wants them, from what the page gave; `step` is a fresh reading. Raises InvalidError.

    `given` is {} or one of {"connection_id": id}, {"connection": document}, {"stack_id": id}, {"document": {...}},
    {"fields": {"<number>": value}}; the value of a choice is its number, of several a list of them.
    """
    match step.wants:
        case "connection":
            return _connection(given)
        case "stack":
            return {"_stackId": _identifier(given.get("stack_id"), "stack_id", "Give the id of the stack.")}
        case "document":
            return dict(_object(given.get("document")))
        case "form":
            return _form_values(step, _object(given.get("fields")))
    return {}


def _connection(given: Mapping[str, Any]) -> dict[str, Any]:
    document = _object(given.get("connection"))
    if document:
        return {"connection": dict(document)}
    return {"_connectionId": _identifier(given.get("connection_id"), "connection_id", "Choose a connection.")}


def _identifier(value: Any, name: str, refusal: str) -> str:
    if not isinstance(value, str) or not value or len(value) > ID_LENGTH or not value.isprintable():
        raise InvalidError({name: refusal})
    return value


def _form_values(step: Step, given: Mapping[str, Any]) -> dict[str, Any]:
    """A value by the vendor's name; a field that was left alone sends the vendor's own default, or nothing."""
    values: dict[str, Any] = {}
    for field in step.fields:
        key = str(field.number)
        value = _value(field, given[key]) if key in given and field.kind != "hidden" else field.default
        if value is None or (value in ("", []) and field.is_required):
            if field.is_required:
                raise InvalidError({f"field-{field.number}": f"{field.label} needs an answer."})
            continue
        values[field.name] = value
    return values


def _value(field: StepField, given: Any) -> Any:
    if given is None or field.kind not in ("choice", "choices"):
        return given
    numbers = given if isinstance(given, list) else [given]
    if not all(isinstance(number, int) and 0 <= number < len(field.choices) for number in numbers):
        raise InvalidError({f"field-{field.number}": f"{field.label}: choose one of those offered."})
    chosen = [field.choices[number][0] for number in numbers]
    return chosen if field.kind == "choices" else chosen[0] if chosen else None


# --- what may be shown of it -------------------------------------------------------------------------------------


def changes(step: Step, given: Mapping[str, Any], redactor: Redactor) -> tuple[Change, ...]:
    """The answers for the plan, without any secret: a new connection by its name and type, no more of it."""
    done = Change(step_key(step.place), f"Step {step.place}: {step.name}", "to do", "done")
    return (done, *_answers_shown(step, given, redactor))


def step_key(place: int) -> str:
    """The key under which a plan tells which step it is about: always its first change."""
    return f"step-{place}"


def _answers_shown(step: Step, given: Mapping[str, Any], redactor: Redactor) -> list[Change]:
    if step.wants == "connection":
        document = _object(given.get("connection"))
        if document:
            told = {name: document.get(name) for name in ("name", "type") if isinstance(document.get(name), str)}
            return [Change("connection", "New connection", ABSENT, load(redactor.redact(told)))]
        return [Change("connection", "Connection", ABSENT, _shown("id", given.get("connection_id"), redactor))]
    if step.wants == "stack":
        return [Change("stack", "Stack", ABSENT, _shown("id", given.get("stack_id"), redactor))]
    if step.wants == "document":
        answers = load(redactor.redact(_object(given.get("document"))))
        return [Change("answers", "Answers", ABSENT, answers)] if answers else []
    fields = _object(given.get("fields")) if step.wants == "form" else {}
    return [_answer(field, fields[str(field.number)], redactor) for field in step.fields if str(field.number) in fields]


def _answer(field: StepField, given: Any, redactor: Redactor) -> Change:
    if field.kind in ("choice", "choices"):
        numbers = given if isinstance(given, list) else [given]
        labels = [field.choices[n][1] for n in numbers if isinstance(n, int) and 0 <= n < len(field.choices)]
        shown: Any = labels if field.kind == "choices" else "".join(labels[:1])
    else:
        shown = _shown("token" if field.kind == "secret" else field.name, given, redactor)
    return Change(f"answer-{field.number}", field.label, ABSENT, shown)


def _shown(name: str, value: Any, redactor: Redactor) -> Any:
    """One value as in a document that has it under this name; under "token" it is a secret whatever it is."""
    return next(iter(load(redactor.redact({name: value})).values()))


__all__ = [
    "FINISH",
    "Step",
    "StepField",
    "changes",
    "check_document",
    "following",
    "read",
    "step_key",
    "text_without_secrets",
    "to_send",
    "with_secret",
    "without_secrets",
]
