"""Documents of any kind, made from the field names a client knows: what a hostile or broken vendor may send."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from integrations_app.vendors.base import DocumentField

# The first example builds tables of Unicode, and the machine is shared: neither says anything about the code.
unhurried = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def documents(fields: tuple[DocumentField, ...], *words: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the known names at about the known depths, each holding anything or one of `words`."""
    names = sorted({step.removesuffix("[]") for field in fields for step in field.path.split(".")})
    top = sorted({field.path.split(".")[0].removesuffix("[]") for field in fields})
    value = _JSON | st.sampled_from(words) if words else _JSON
    inner = st.dictionaries(st.sampled_from(names), value, max_size=5)
    nested = st.dictionaries(st.sampled_from(names), value | inner | st.lists(inner | value, max_size=2), max_size=5)
    return st.dictionaries(st.sampled_from(top), value | nested | st.lists(nested | value, max_size=3), max_size=8)
