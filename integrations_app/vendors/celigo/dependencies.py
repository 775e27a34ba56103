"""Reads what uses an integration and what it uses, from an answer whose shape is documented nowhere.

Assumed, as in our contract: an object of lists by resource type, of entries with id, name and the ids each depends on.
But any object or list that holds entries is read: grouped by direction, by type, by both, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from integrations_app.vendors.capabilities import RemoteItem
from integrations_app.vendors.celigo.reading import ID_LENGTH
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import documents, identifier, text, truth

USES, USED_BY = "uses", "used by"

_DIRECTIONS = {
    "uses": USES,
    "using": USES,
    "dependencies": USES,
    "dependson": USES,
    "usedby": USED_BY,
    "usedin": USED_BY,
    "dependents": USED_BY,
    "references": USED_BY,
    "referencedby": USED_BY,
}
_DEEPEST = 5
_LOOKS_LIKE_AN_ID = re.compile("[0-9a-f]{24}")


def read(answer: Any, integration_id: str) -> Iterator[RemoteItem]:
    """Each thing named in the answer once for each direction; an answer that holds none gives none."""
    seen: set[tuple[str, str, str]] = set()
    for model, direction, entry in _entries(answer, "", "", 0):
        item = _item(model, direction, entry, integration_id)
        key = (str(item.values["direction"]), str(item.values["model"]), item.remote_id)
        if item.remote_id and item.remote_id != integration_id and key not in seen:
            seen.add(key)
            yield item


def _entries(value: Any, model: str, direction: str, depth: int) -> Iterator[tuple[str, str, Any]]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            if isinstance(each, str) or (isinstance(each, dict) and _id_of(each)):
                yield model, direction, each
            else:
                yield from _entries(each, model, direction, depth + 1)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, dict) and _LOOKS_LIKE_AN_ID.fullmatch(name):
                yield model, direction, {"id": name, **inner}
                continue
            word = _DIRECTIONS.get(name.replace("_", "").lower())
            yield from _entries(inner, model if word else name, word or direction, depth + 1)


def _item(model: str, direction: str, entry: Any, integration_id: str) -> RemoteItem:
    if isinstance(entry, str):
        entry = {"id": entry}
    remote_id = _id_of(entry)
    own_model = text(entry.get("model"), 60) or text(entry.get("resourceType"), 60) or text(model, 60)
    if not direction and _depends_on(entry, integration_id):
        direction = USED_BY
    values = {
        "direction": direction,
        "model": own_model.removesuffix("s").lower(),
        "has_access": truth(entry.get("access")),
    }
    return RemoteItem(remote_id, text(entry.get("name"), 300) or remote_id, values, entry)


def _id_of(entry: Mapping[str, Any]) -> str:
    return identifier(entry.get("id"), ID_LENGTH) or identifier(entry.get("_id"), ID_LENGTH)


def _depends_on(entry: Mapping[str, Any], integration_id: str) -> bool:
    """Whether the entry says that it depends on the integration itself."""
    named = object_of(entry.get("dependencyIds"))
    found = [inner for value in named.values() if isinstance(value, list) for inner in value]
    return integration_id in found or any(_id_of(each) == integration_id for each in documents(found))
