"""What a service refuses, in words a page can show; nothing was changed when one of these is raised."""

from __future__ import annotations

from collections.abc import Mapping

from console.access.services import StaleError

__all__ = ["InvalidError", "StaleError"]


class InvalidError(Exception):
    """What was asked cannot be done. `errors` maps a field to its text; "" is the request as a whole."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = dict(errors)


class WaitError(Exception):
    """What was begun goes on later: the job gives its worker back. `reason` completes "waiting: ..." for the person."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.reason = reason
