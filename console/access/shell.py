"""What the shell shows around every page. The product registers its counts here, since the site knows no product."""

from __future__ import annotations

from collections.abc import Callable

from console.access.models import User

Counter = Callable[[User], int]

_counters: dict[str, Counter] = {}


def register_counter(name: str, counter: Counter) -> None:
    """Show `counter(user)` in the shell as `name`; called from an AppConfig's ready()."""
    _counters[name] = counter


def counters() -> dict[str, Counter]:
    return dict(_counters)
