"""Addresses of the site's own pages. `t/<slug:tenant>/` in front is what `requires` reads the tenant from."""

from __future__ import annotations

from django.urls import include, path

from console.access.views import invitation, me, people, tenants

# The product adds a tenant's own page to these, under the name `tenants:`.
tenant_patterns = [
    path("tenants/", tenants.index, name="index"),
    path("tenants/new/", tenants.create, name="create"),
    path("t/<slug:tenant>/settings/", tenants.settings, name="settings"),
]
people_urls = (
    [
        path("t/<slug:tenant>/people/", people.index, name="index"),
        path("t/<slug:tenant>/people/<uuid:pk>/remove/", people.remove, name="remove"),
        path("t/<slug:tenant>/people/pass/end/", people.end_pass, name="end_pass"),
        path("t/<slug:tenant>/people/invitations/<uuid:pk>/withdraw/", people.withdraw, name="withdraw"),
    ],
    "people",
)

urlpatterns = [
    path("", include(people_urls)),
    path("me/", me.detail, name="me"),
    path("invitations/<str:token>/", invitation.accept, name="invitation"),
]
