"""The pages that say what went wrong, each with the request's id, by which support finds it in the log."""

from __future__ import annotations

from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string


def _request_id() -> str:
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    # The request itself is what was wrong, so the page is drawn without it.
    return HttpResponse(render_to_string("400.html", {"request_id": _request_id()}), status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    context = {"reason": str(exception), "request_id": _request_id()}
    return render(request, "403.html", context, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The same page for what never was and for what belongs to somebody else."""
    return render(request, "404.html", {"request_id": _request_id()}, status=404)


def server_error(request: HttpRequest, *args: Any) -> HttpResponse:
    # Whatever broke may break again: no request, no context processors, no query.
    return HttpResponse(render_to_string("500.html", {"request_id": _request_id()}), status=500)
