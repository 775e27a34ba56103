"""What machines ask about the console: is it alive, is it ready, what are its figures."""

from __future__ import annotations

import hmac
import ipaddress

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView

from console.access.decorators import public
from console.http import client_address


@public
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while this process answers at all; touches nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@public
@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when the database answers and is migrated, else 503. A dead broker or worker never takes the pages away."""
    try:
        problem = _database_problem()
    except DatabaseError:
        problem = "The database does not answer."
    return JsonResponse({"ready": not problem, "problem": problem}, status=503 if problem else 200)


def _database_problem() -> str:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(missing)} migrations are not applied; run manage.py migrate." if missing else ""


@public
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' figures, for this machine or for who holds METRICS_TOKEN (`Authorization: Bearer …`); else 403."""
    if not (_holds_token(request) if settings.METRICS_TOKEN else _is_loopback(request)):
        raise PermissionDenied("Metrics are for this machine, or for who holds METRICS_TOKEN.")
    response: HttpResponse = ExportToDjangoView(request)
    return response


def _holds_token(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(given.encode(), settings.METRICS_TOKEN.encode())


def _is_loopback(request: HttpRequest) -> bool:
    address = client_address(request)
    return bool(address) and ipaddress.ip_address(address).is_loopback
