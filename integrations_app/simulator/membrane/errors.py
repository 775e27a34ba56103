"""Membrane's error body: `{type, key?, message, data?}`. Source: Membrane API reference, "Errors"."""

from __future__ import annotations

from typing import Any

from integrations_app.simulator.wire import Response


class RefusedError(Exception):
    """A request is answered with `response` and nothing else happens."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def refused(
    status: int,
    message: str,
    *,
    key: str = "",
    data: dict[str, Any] | None = None,
    headers: list[tuple[str, str]] | None = None,
) -> RefusedError:
    """A bad_request error with its key and data, where it has some."""
    body: dict[str, Any] = {"type": "bad_request", "message": message}
    body |= {"key": key} if key else {}
    body |= {"data": data} if data else {}
    return RefusedError(Response.of_json(body, status, headers))


def not_authenticated(message: str) -> RefusedError:
    """401: the token is missing or bad."""
    return refused(401, message, key="not_authenticated")


def access_denied(message: str) -> RefusedError:
    """403: the token is good, but too weak."""
    return refused(403, message, key="access_denied")


def not_found(message: str) -> RefusedError:
    """404."""
    return refused(404, message, key="not_found")
