"""What may be written of an integration, and what is wrong with a document that was sent.

Source: Celigo help centre, "Integration API endpoints" and "Integration Apps"; field lengths as the vendor's command
line states them. Fields nobody knows are dropped without a word, as clients have seen.
"""

from __future__ import annotations

import re
from typing import Any

from integrations_app.simulator.celigo.documents import NAME_LENGTH, Document
from integrations_app.simulator.celigo.errors import Problem, problem

DESCRIPTION_LENGTH = 5120
MODES = ("install", "settings", "uninstall")
_TEXTS = {"name": NAME_LENGTH, "description": DESCRIPTION_LENGTH, "readme": 0, "version": 0, "tag": 0}
_TRUTHS = frozenset({"updateInProgress", "sandbox"})
_GROUPINGS = frozenset({"flowGroupings", "apiGroupings"})
_LISTS = frozenset({"install", "installSteps", "uninstallSteps", "changeEditionSteps", "aliases", *_GROUPINGS})
_IDS = frozenset({"_connectorId", "_parentId", "_sourceId", "_templateId", "_environmentId"})
WRITABLE = frozenset({*_TEXTS, *_TRUTHS, *_LISTS, *_IDS, "mode", "settings", "settingsForm"})
OBJECT_ID = re.compile(r"[0-9a-f]{24}")


def writable(document: Document) -> Document:
    """The part of a sent document that is taken."""
    return {name: value for name, value in document.items() if name in WRITABLE}


def problems_of(document: Document) -> list[Problem]:
    """Everything that is wrong with the fields of an integration."""
    found = [] if document.get("name") else [problem("missing_required_field", "name is required", "name")]
    for name, value in document.items():
        if name != "name" or value:
            found += _problems_of_field(name, value)
    return found


def _problems_of_field(name: str, value: Any) -> list[Problem]:
    if name in _TEXTS:
        return _problems_of_text(name, value, _TEXTS[name])
    if name in _TRUTHS and not isinstance(value, bool):
        return [problem("invalid_field", f"{name} must be true or false", name)]
    if name == "mode" and value not in MODES:
        return [problem("invalid_field", "mode is not allowed", name)]
    if name == "settingsForm" and not isinstance(value, dict):
        return [problem("invalid_field", "settingsForm must be an object", name)]
    if name in _IDS and not (isinstance(value, str) and OBJECT_ID.fullmatch(value)):
        return [problem("invalid_ref", f"{name} must be an id", name)]
    if name not in _LISTS:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return [problem("invalid_field", f"{name} must be a list of objects", name)]
    return [found for place, item in enumerate(value) for found in _problems_of_item(name, place, item)]


def _problems_of_text(name: str, value: Any, longest: int) -> list[Problem]:
    if not isinstance(value, str):
        return [problem("invalid_field", f"{name} must be text", name)]
    if longest and len(value) > longest:
        return [problem("invalid_field", f"{name} is longer than {longest} characters", name)]
    return []


def _problems_of_item(name: str, place: int, item: Document) -> list[Problem]:
    if name in _GROUPINGS and not isinstance(item.get("name"), str):
        return [problem("missing_required_field", "a grouping needs a name", f"{name}.{place}.name")]
    if name != "aliases":
        return []
    alias = item.get("alias")
    if not isinstance(alias, str) or not alias:
        return [problem("missing_required_field", "an alias needs a name", f"aliases.{place}.alias")]
    if OBJECT_ID.fullmatch(alias):
        return [problem("invalid_field", "an alias may not look like an id", f"aliases.{place}.alias")]
    return []
