"""Holds an answer of the simulator against what the vendor's contract promises for that operation and status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

DATA_DIR = Path(__file__).parents[2] / "data"


class Contract:
    """One vendor's OpenAPI document."""

    def __init__(self, vendor: str) -> None:
        self._document = json.loads((DATA_DIR / "contracts" / f"{vendor}.contract.json").read_text())

    def check(self, method: str, path: str, status: int, body: Any) -> None:
        """Fail unless `path` (as the contract writes it) may answer `status` with this body."""
        responses = self._document["paths"][path][method.lower()]["responses"]
        assert str(status) in responses, f"{method} {path} is not documented to answer {status}"
        response = responses[str(status)]
        pointer = f"/paths/{path.replace('~', '~0').replace('/', '~1')}/{method.lower()}/responses/{status}"
        if "$ref" in response:
            pointer = response["$ref"].removeprefix("#")
        self._validate(f"#{pointer}/content/application~1json/schema", body)

    def check_schema(self, name: str, value: Any) -> None:
        """Fail unless `value` is a `name` of the contract's schemas."""
        self._validate(f"#/components/schemas/{name}", value)

    def fields(self, schema: str) -> set[str]:
        """The properties of one of the contract's schemas."""
        return set(self._document["components"]["schemas"][schema]["properties"])

    def _validate(self, reference: str, value: Any) -> None:
        schema = {**self._document, "$ref": reference}
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)


def published(title: str) -> Any:
    """A sample payload as its vendor publishes it."""
    return json.loads((DATA_DIR / "published-examples.json").read_text())[title]
