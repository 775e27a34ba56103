"""What a service refuses, in words a page can show; nothing was changed when one of these is raised."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import models


class StaleError(Exception):
    """Somebody changed the thing since the form was drawn. `current` is the row as it is now."""

    def __init__(self, current: models.Model) -> None:
        super().__init__(
            f"“{current}” was changed by somebody else meanwhile. Look at it again, then repeat your change."
        )
        self.current = current


class InvalidError(Exception):
    """What was asked cannot be done. `errors` maps a field to its text; "" is the request as a whole."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = dict(errors)
