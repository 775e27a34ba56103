"""A write's plan as plain JSON for its row and its page, and the answers a person gives to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from integrations_app.services.documents import Redactor, plain, plain_json
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations.base import Plan, Question
from integrations_app.vendors.base import DocumentField
from integrations_app.vendors.errors import VendorRejectedError

TEXT_LENGTH = 20_000
FACTS_SHOWN = 50
ITEMS_SHOWN = 200
ANSWER_LENGTH = 500
# An audit row tells what changed, it is no second copy of the document.
_AUDIT_TEXT = 300
_AUDIT_CHANGES = 50
# What stands in place of a secret that a vendor quotes; shorter ones would take letters out of every word.
_HIDDEN = "[secret]"
_SHORTEST_SECRET = 4
# What of an answer to an installation's step is no secret.
_TELLING = frozenset(("name", "type", "connection_id", "stack_id"))


def shown(plan: Plan, *, note: str = "") -> dict[str, Any]:
    """The plan as stored: {"consequence", "changes", "facts", "questions", "note"}. Without the evidence."""
    facts = [
        {
            "text": plain(fact.text, 500),
            "items": [plain(item, 300) for item in fact.items[:ITEMS_SHOWN]],
            "hidden": max(0, len(fact.items) - ITEMS_SHOWN),
            "tone": fact.tone,
        }
        for fact in plan.facts[:FACTS_SHOWN]
    ]
    return {
        "consequence": plain(plan.consequence, 1000),
        "changes": [_readable(asdict(change)) for change in plan.changes],
        "facts": facts,
        "questions": [plain_json(asdict(question), 1000) for question in plan.questions],
        "note": note,
    }


def _readable(value: Any) -> Any:
    """A JSON value as a page may show it: control characters out, lines kept, very long texts cut."""
    if isinstance(value, str):
        return "\n".join(plain(line, TEXT_LENGTH) for line in value[: TEXT_LENGTH * 2].split("\n"))
    if isinstance(value, Mapping):
        return {plain(str(name), 300): _readable(item) for name, item in value.items()}
    return [_readable(item) for item in value] if isinstance(value, list | tuple) else value


def questions(plan: Mapping[str, Any]) -> list[Question]:
    """The questions of a stored plan."""
    found = []
    for kept in plan.get("questions", []):
        choices = tuple((str(value), str(label)) for value, label in kept["choices"])
        found.append(Question(**{**kept, "choices": choices}))
    return found


def checked_answers(plan: Mapping[str, Any], answers: Mapping[str, str]) -> dict[str, str]:
    """The answers to the plan's questions, and nothing else that was posted. Raises InvalidError by question name."""
    given: dict[str, str] = {}
    errors: dict[str, str] = {}
    for question in questions(plan):
        answer = answers.get(question.name, "").strip()[:ANSWER_LENGTH]
        if refusal := _refusal(question, answer):
            errors[question.name] = refusal
        given[question.name] = answer
    if errors:
        raise InvalidError(errors)
    return given


def _refusal(question: Question, answer: str) -> str:
    if question.kind == "typed_name":
        return "" if answer == question.expects else f"Type the name exactly: {question.expects}"
    if not answer:
        return "This needs an answer." if question.is_required else ""
    if question.kind in ("choice", "conflict") and answer not in {value for value, _ in question.choices}:
        return "Choose one of those offered."
    return ""


def reasons(error: Exception, secrets: Sequence[str] = ()) -> list[dict[str, str]]:
    """What the vendor gave as its reasons, for the page: [{"code", "field", "text"}].

    A refusal may quote what was sent to the vendor: `secrets` (see `secrets_of`) are taken out of it, and whatever else
    has the look of one.
    """
    if not isinstance(error, VendorRejectedError):
        return []
    redactor = Redactor((), lambda _: "")

    def shown(text: str, limit: int) -> str:
        for secret in secrets:
            text = text.replace(secret, _HIDDEN)
        return plain(redactor.redact_text(text), limit)

    return [
        {"code": shown(code, 100), "field": shown(field, 200), "text": shown(text, 500)}
        for code, field, text in error.reasons
    ]


def secrets_of(
    params: Mapping[str, Any], evidence: Mapping[str, Any], fields: Iterable[DocumentField]
) -> tuple[str, ...]:
    """Every text of what was asked for, and of what was about to be sent, that no page may show; the longest first.

    `fields` are those of the vendor's documents. Of the answers to a step of an installation only the vendor's JSON
    knows which are secret, so all of them count as such, but for a connection's name and type.
    """
    found: set[str] = set()

    def note(secret: bytes) -> str:
        found.add(secret.decode("utf-8", "replace"))
        return ""

    redactor = Redactor(fields, note)
    for part in (params.get("changes"), params.get("document"), evidence.get("after"), evidence.get("answers")):
        redactor.redact(part)
    found.update(_texts(params.get("given")))
    return tuple(sorted((text for text in found if len(text) >= _SHORTEST_SECRET), key=len, reverse=True))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name not in _TELLING:
                yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def for_audit(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The changes for an audit row: {"label", "before", "after"}, cut to length."""
    return [
        {name: plain_json(change[name], _AUDIT_TEXT) for name in ("label", "before", "after")}
        for change in plan.get("changes", [])[:_AUDIT_CHANGES]
    ]
