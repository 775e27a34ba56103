"""The health page: is everything the console is made of there, and does the work flow?"""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from console.access.decorators import platform_admin
from console.http import SignedInRequest, render_page
from integrations_app.services import health


@require_safe
@platform_admin
def index(request: SignedInRequest) -> HttpResponse:
    context = {"section": "health", "checks": health.run_checks(), "queues": health.queue_figures()}
    return render_page(request, "health/index.html", "health/_checks.html", context)
