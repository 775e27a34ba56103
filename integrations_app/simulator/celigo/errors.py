"""Celigo's two shapes of error: `{message}` for 401 and 403, `{errors: [...]}` for everything else."""

from __future__ import annotations

from typing import Any

from integrations_app.simulator.wire import Response

Problem = dict[str, str]


class RefusedError(Exception):
    """A request is answered with `response` and nothing else happens."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def denied(status: int, message: str) -> RefusedError:
    """401 or 403: no `errors` array."""
    headers = [("WWW-Authenticate", "Bearer")] if status == 401 else []
    return RefusedError(Response.of_json({"message": message}, status, headers))


def failed(
    status: int, code: str, message: str, field: str = "", headers: list[tuple[str, str]] | None = None
) -> RefusedError:
    """Any other failure, with one error in the array."""
    return RefusedError(Response.of_json({"errors": [problem(code, message, field)]}, status, headers))


def problem(code: str, message: str, field: str = "") -> Problem:
    """One error of the array."""
    return {"code": code, "message": message} | ({"field": field} if field else {})


def refused(problems: list[Problem], *, beside: dict[str, Any] | None = None) -> RefusedError:
    """422 with several errors at once; `beside` stands next to the array (`steps`)."""
    return RefusedError(Response.of_json({"errors": problems, **(beside or {})}, 422))
