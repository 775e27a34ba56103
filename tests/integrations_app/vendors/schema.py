"""The fields a vendor's contract promises, as the paths by which a client's `document_fields` name them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from integrations_app.vendors.base import DocumentField

CONTRACTS_DIR = Path(__file__).parents[2] / "data" / "contracts"


def leaves(vendor: str, schema: str) -> list[str]:
    """The paths of all leaves of a contract's schema; a schema inside itself is one leaf."""
    contract = json.loads((CONTRACTS_DIR / f"{vendor}.contract.json").read_text())
    schemas = contract["components"]["schemas"]
    return list(_leaves({"$ref": f"#/components/schemas/{schema}"}, schemas, "", ()))


def hidden(vendor: str, schema: str, fields: tuple[DocumentField, ...]) -> set[str]:
    """The leaves that no field shows: by itself, in parts, or as part of a whole that is folded or a secret."""
    shown = {field.path for field in fields}
    return {
        leaf
        for leaf in leaves(vendor, schema)
        if not any(_is_within(leaf, path) or _is_within(path, leaf) for path in shown)
    }


def _is_within(leaf: str, path: str) -> bool:
    return leaf == path or leaf.startswith((f"{path}.", f"{path}["))


def _leaves(schema: dict[str, Any], schemas: dict[str, Any], path: str, within: tuple[str, ...]) -> Iterator[str]:
    for part in schema.get("allOf", ()):
        schema = {**schema, **part}
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        if name in within:
            yield path
            return
        yield from _leaves(schemas[name], schemas, path, (*within, name))
    elif schema.get("type") == "array":
        inner = list(_leaves(schema["items"], schemas, f"{path}[]", within))
        yield from [path] if inner == [f"{path}[]"] else inner
    elif "properties" in schema:
        for name, inner_schema in schema["properties"].items():
            yield from _leaves(inner_schema, schemas, f"{path}.{name}" if path else name, within)
    else:
        yield path
