"""Requests and responses as the whole site knows them: typed requests, page or fragment, the site's own middleware."""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.http import urlencode
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails
from django_structlog.middlewares import RequestMiddleware

from console.access.models import Tenant, User
from console.access.permissions import Permission

GetResponse = Callable[[HttpRequest], HttpResponse]

# allauth puts the one-time key of a password reset or an e-mail confirmation into the path.
_KEY_IN_PATH = re.compile(r"^(/accounts/(?:password/reset/key|confirm-email)/).+$")


class ConsoleRequest(HttpRequest):
    """A request after this site's middleware."""

    htmx: HtmxDetails
    csp_nonce: str


class SignedInRequest(ConsoleRequest):
    """A request of a person who is signed in."""

    user: User


class TenantRequest(SignedInRequest):
    """A signed-in request inside a tenant that the person may see; `console.access.decorators.requires` makes it."""

    tenant: Tenant
    permissions: frozenset[Permission]


def render_page(
    request: HttpRequest, page: str, fragment: str, context: Mapping[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """Answer with the whole `page`, or with its `fragment` alone where htmx asked for a part of the page.

    Boosted links and a history restore get the whole page: both replace the body. The answer varies by the header that
    decides, so no cache hands half a page to somebody who opens the address directly.
    """
    response = render(request, fragment if wants_fragment(request) else page, dict(context or {}), status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page, and not for all of it."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # ConsoleRequest declares it
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def client_address(request: HttpRequest) -> str:
    """The address of whoever sent the request, behind as many reverse proxies as PROXIES says; "" when unreadable.

    Each proxy appends the address it saw to X-Forwarded-For, so the entry that ours wrote is counted from the right;
    whatever stands further left is the client's own claim.
    """
    address = request.META.get("REMOTE_ADDR", "")
    if settings.PROXIES:
        forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
        if len(forwarded) >= settings.PROXIES:
            address = forwarded[-settings.PROXIES]
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return ""


# Machines ask these every few seconds.
_UNLOGGED_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


class RequestLogMiddleware(RequestMiddleware):
    """Logs each request with its id, never with its query: people paste webhook addresses into the search."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path in _UNLOGGED_PATHS:
            return cast(HttpResponse, self.get_response(request))
        return cast(HttpResponse, super().__call__(request))

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        path = _KEY_IN_PATH.sub(r"\1…", request.path)
        return f"{request.method} {path}"

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        structlog.contextvars.bind_contextvars(ip=client_address(request))

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        # Read before the base class clears it: support finds the log lines of a page by this header.
        response.headers["X-Request-ID"] = structlog.contextvars.get_contextvars().get("request_id", "")
        super().handle_response(request, response)


class HtmxSignInMiddleware:
    """When a session ends under an open page, its next htmx request moves the whole page to sign-in.

    htmx follows redirects by itself and would swap the sign-in form into the middle of the page.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # ConsoleRequest declares it
        sign_in = resolve_url(settings.LOGIN_URL)
        if not htmx or response.status_code != 302 or urlsplit(response.headers["Location"]).path != sign_in:
            return response
        after = urlencode({"next": htmx.current_url_abs_path or "/"})
        return HttpResponseClientRedirect(f"{sign_in}?{after}")


class NulMiddleware:
    """Refuses a NUL character in what a page is asked with: nobody can type one, and PostgreSQL's text holds none."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if any(_holds_nul(values) for values in (request.GET, request.POST)):
            raise BadRequest("A NUL character is no text.")
        return self.get_response(request)


def _holds_nul(values: QueryDict) -> bool:
    return any("\x00" in text for _, texts in values.lists() for text in texts)


class PrivateMiddleware:
    """What a signed-in person was shown is kept nowhere: after signing out, Back must not show a tenant again."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.user.is_authenticated and not response.has_header("Cache-Control"):
            patch_cache_control(response, private=True, no_store=True)
        return response


class TimeZoneMiddleware:
    """Shows times in the person's own time zone."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = getattr(request.user, "time_zone", "")
        try:
            zone = zoneinfo.ZoneInfo(name) if name else None
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            zone = None  # Stored before the system's time zone data lost it; the page must open all the same.
        with timezone.override(zone):
            return self.get_response(request)
