"""Every address of the site. Only this module names integrations_app; the rest of `console` does not know it."""

from __future__ import annotations

from django.urls import include, path

from console import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("accounts/", include("allauth.urls")),
    path("", include("console.access.urls")),
    path("", include("console.audit.urls")),
    path("", include("integrations_app.urls")),
]

handler400 = "console.errors.bad_request"
handler403 = "console.errors.permission_denied"
handler404 = "console.errors.not_found"
handler500 = "console.errors.server_error"
