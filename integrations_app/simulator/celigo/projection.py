"""`include` and `exclude` of Celigo's lists: commas between fields, dots into nested ones."""

from __future__ import annotations

import re
from typing import Any

from integrations_app.simulator.celigo.errors import failed
from integrations_app.simulator.wire import Request

_CHARSET = re.compile(r"[A-Za-z0-9._,]*")

Fields = dict[str, Any]  # field name to the fields wanted inside it; {} is all of it


class Projection:
    """What a list's query keeps of each document. Raises RefusedError (400 invalid_query_params) for a bad one."""

    def __init__(self, request: Request) -> None:
        include, exclude = request.param("include") or "", request.param("exclude") or ""
        if not (_CHARSET.fullmatch(include) and _CHARSET.fullmatch(exclude)):
            raise failed(
                400, "invalid_query_params", "include and exclude take letters, digits, dots, underscores, commas."
            )
        if include and exclude:
            raise failed(400, "invalid_query_params", "Use include or exclude, not both.")
        self._included, self._excluded = _tree(include), _tree(exclude)
        self._excluded.pop("_id", None)

    def apply(self, document: dict[str, Any]) -> dict[str, Any]:
        """The part of a document that is asked for; `_id` is always part of it (Assumed, as with MongoDB)."""
        if self._included:
            kept: dict[str, Any] = _only(document, {**self._included, "_id": {}})
            return kept
        rest: dict[str, Any] = _without(document, self._excluded)
        return rest


def _tree(text: str) -> Fields:
    root: Fields = {}
    for path in filter(None, text.split(",")):
        branch = root
        for name in filter(None, path.split(".")):
            branch = branch.setdefault(name, {})
    return root


def _only(value: Any, fields: Fields) -> Any:
    if not fields:
        return value
    if isinstance(value, list):
        return [_only(item, fields) for item in value]
    if isinstance(value, dict):
        return {name: _only(value[name], inner) for name, inner in fields.items() if name in value}
    return value


def _without(value: Any, fields: Fields) -> Any:
    if isinstance(value, list):
        return [_without(item, fields) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without(inner, fields[name]) if name in fields else inner
        for name, inner in value.items()
        if name not in fields or fields[name]
    }
