"""JSON Patch (RFC 6902) on a document of which only some places may be written."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from integrations_app.simulator.celigo.documents import Document
from integrations_app.simulator.celigo.errors import Problem, problem, refused

# Celigo help centre, "Integration API endpoints" and "Flow API endpoints": their tables of PATCH paths.
INTEGRATION_PATHS = re.compile(r"/(settings|version|tag|updateInProgress|aliases|flowGroupings/\d+/settings)(/.*)?")
FLOW_PATHS = re.compile(
    r"/(name|description|schedule|timezone|disabled|runPageGeneratorsInParallel|aliases"
    r"|pageGenerators/\d+/(schedule|skipRetries)|routers/\d+/(name|branches/\d+/(name|description)))(/.*)?"
)
_INDEX = re.compile(r"0|[1-9]\d{0,5}")

# Looks at the document before an operation; what it returns refuses the operation.
Guard = Callable[[Document, str], Problem | None]


class _NoSuchPlaceError(Exception):
    """The path leads nowhere in this document."""


def patched(document: Document, operations: Any, allowed: re.Pattern[str], guard: Guard | None = None) -> Document:
    """The document after all operations. Raises RefusedError (422), naming all that is wrong, and then none is done."""
    if not isinstance(operations, list) or not operations:
        raise refused([problem("invalid_field", "The body must be a list of operations.")])
    changed = copy.deepcopy(document)
    found = [each for operation in operations if (each := _do(changed, operation, allowed, guard)) is not None]
    if found:
        raise refused(found)
    return changed


def _do(document: Document, operation: Any, allowed: re.Pattern[str], guard: Guard | None) -> Problem | None:
    """Do one operation in place; the problem when it cannot be done."""
    path = operation.get("path") if isinstance(operation, dict) else None
    if not isinstance(path, str):
        return problem("invalid_field", "An operation needs op and path.", "path")
    if not allowed.fullmatch(path):
        return problem("invalid_field", f"{path} may not be patched.", path)
    kind = operation.get("op")
    if kind not in ("add", "remove", "replace", "test") or (kind != "remove" and "value" not in operation):
        return problem("invalid_field", f"{kind!r} is not done here.", path)
    stopped = guard(document, path) if guard is not None and kind != "test" else None
    if stopped is not None:
        return stopped
    try:
        return _apply(document, kind, path, copy.deepcopy(operation.get("value")))
    except _NoSuchPlaceError:
        return problem("invalid_field", f"There is no {path}.", path)


def _apply(document: Document, kind: str, path: str, value: Any) -> Problem | None:
    names = [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    parent: Any = document
    for name in names[:-1]:
        parent = _inside(parent, name)
    last = names[-1]
    if kind == "test":
        return (
            None if _inside(parent, last) == value else problem("invalid_field", f"{path} holds something else.", path)
        )
    if isinstance(parent, list):
        _change_list(parent, kind, last, value)
    elif not isinstance(parent, dict):
        raise _NoSuchPlaceError
    elif kind == "remove":
        _inside(parent, last)
        del parent[last]
    else:
        # Assumed: replacing what is not there yet sets it, as every sample of the vendor says replace.
        parent[last] = value
    return None


def _inside(parent: Any, name: str) -> Any:
    if isinstance(parent, dict) and name in parent:
        return parent[name]
    if isinstance(parent, list) and _INDEX.fullmatch(name) and int(name) < len(parent):
        return parent[int(name)]
    raise _NoSuchPlaceError


def _change_list(parent: list[Any], kind: str, name: str, value: Any) -> None:
    if kind == "add" and (name == "-" or name == str(len(parent))):
        parent.append(value)
        return
    _inside(parent, name)
    if kind == "add":
        parent.insert(int(name), value)
    elif kind == "remove":
        del parent[int(name)]
    else:
        parent[int(name)] = value
