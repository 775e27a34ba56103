"""Celigo's two shapes of error: `{message}` for 401 and 403, `{errors: [...]}` for everything else."""

from __future__ import annotations

from integrations_app.simulator.wire import Response


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
    error = {"code": code, "message": message} | ({"field": field} if field else {})
    return RefusedError(Response.of_json({"errors": [error]}, status, headers))
