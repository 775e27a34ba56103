"""Addresses of the product: each line leads to one view, one service, one template."""

from __future__ import annotations

from django.urls import include, path

from console.access.urls import tenant_patterns
from integrations_app.views import (
    archives,
    batches,
    changes,
    cloning,
    connections,
    creating,
    credentials,
    deleting,
    editing,
    error_records,
    flows,
    health,
    history,
    home,
    integrations,
    jobs,
    listing,
    live_search,
    restoring,
    revisions,
    search,
    selecting,
    tenant_history,
    tenants,
    vendor_accounts,
    welcome,
    wizard,
)

integration_urls = (
    [
        path("integrations/", integrations.fleet, name="fleet"),
        path("integrations/sync/", integrations.sync_fleet, name="sync_fleet"),
        path("t/<slug:tenant>/integrations/", integrations.index, name="index"),
        path("t/<slug:tenant>/integrations/sync/", integrations.sync, name="sync"),
        path("t/<slug:tenant>/integrations/new/", creating.create, name="create"),
        path("t/<slug:tenant>/integrations/choose/", selecting.choose, name="choose"),
        path("t/<slug:tenant>/integrations/set-field/", batches.set_field, name="set_field"),
        path("t/<slug:tenant>/integrations/revisions/", revisions.take_chosen, name="revisions"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/", integrations.detail, name="detail"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/refresh/", integrations.refresh, name="refresh"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/snapshot/", integrations.snapshot, name="snapshot"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/listings/<slug:kind>/read/", listing.read, name="read_listing"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/edit/", editing.edit, name="edit"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/clone/", cloning.clone, name="clone"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/revision/", revisions.take, name="revision"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/delete/", deleting.delete, name="delete"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/history/export/", history.export, name="history_export"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/history/refresh/", history.refresh, name="history_refresh"),
        path("t/<slug:tenant>/snapshots/<uuid:pk>/restore/", restoring.restore, name="restore"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/install/", wizard.install, name="install"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/uninstall/", wizard.uninstall, name="uninstall"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/flows/switch/", flows.switch, name="switch_flow"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/flows/run/", flows.run, name="run_flow"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/errors/retry/", error_records.retry, name="retry_errors"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/errors/resolve/", error_records.resolve, name="resolve_errors"),
        path(
            "t/<slug:tenant>/integrations/<uuid:pk>/connections/register/",
            connections.register,
            name="register_connections",
        ),
        path(
            "t/<slug:tenant>/integrations/<uuid:pk>/connections/unregister/",
            connections.unregister,
            name="unregister_connection",
        ),
        path("t/<slug:tenant>/integrations/<uuid:pk>/connections/ping/", connections.ping, name="ping_connection"),
        path("t/<slug:tenant>/integrations/<uuid:pk>/<slug:tab>/", integrations.tab, name="tab"),
    ],
    "integrations",
)
change_urls = (
    [
        path("t/<slug:tenant>/changes/<uuid:pk>/", changes.detail, name="detail"),
        path("t/<slug:tenant>/changes/<uuid:pk>/confirm/", changes.confirm, name="confirm"),
        path("t/<slug:tenant>/changes/<uuid:pk>/abandon/", changes.abandon, name="abandon"),
        path("t/<slug:tenant>/changes/<uuid:pk>/settle/", changes.settle, name="settle"),
        path("t/<slug:tenant>/changes/<uuid:pk>/look-again/", changes.look_again, name="look_again"),
        path("t/<slug:tenant>/changes/<uuid:pk>/undo/", changes.undo, name="undo"),
        path("t/<slug:tenant>/changes/batches/<uuid:pk>/", batches.detail, name="batch"),
        path("t/<slug:tenant>/changes/batches/<uuid:pk>/confirm/", batches.confirm, name="batch_confirm"),
        path("t/<slug:tenant>/changes/batches/<uuid:pk>/abandon/", batches.abandon, name="batch_abandon"),
        path("t/<slug:tenant>/changes/batches/<uuid:pk>/go-on/", batches.go_on, name="batch_go_on"),
        path("t/<slug:tenant>/changes/batches/<uuid:pk>/retry/", batches.retry, name="batch_retry"),
    ],
    "changes",
)
account_urls = (
    [
        path("t/<slug:tenant>/vendor-accounts/", vendor_accounts.index, name="index"),
        path("t/<slug:tenant>/vendor-accounts/new/", vendor_accounts.create, name="create"),
        path("t/<slug:tenant>/vendor-accounts/<uuid:pk>/", vendor_accounts.detail, name="detail"),
        path("t/<slug:tenant>/vendor-accounts/<uuid:pk>/test/", vendor_accounts.test, name="test"),
        path("t/<slug:tenant>/vendor-accounts/<uuid:pk>/sync/", vendor_accounts.sync, name="sync"),
        path("t/<slug:tenant>/vendor-accounts/<uuid:pk>/replace/", vendor_accounts.replace, name="replace"),
        path("t/<slug:tenant>/vendor-accounts/<uuid:pk>/edit/", vendor_accounts.edit, name="edit"),
        path("t/<slug:tenant>/vendor-accounts/<uuid:pk>/remove/", vendor_accounts.remove, name="remove"),
        path("t/<slug:tenant>/vendor-accounts/<uuid:pk>/revisions/", revisions.report, name="revisions"),
        path("t/<slug:tenant>/vendor-accounts/<uuid:pk>/revisions/take/", revisions.take_all, name="take_revisions"),
        path(
            "t/<slug:tenant>/vendor-accounts/<uuid:pk>/revisions/policy/",
            revisions.change_policy,
            name="revision_policy",
        ),
        path("t/<slug:tenant>/vendor-accounts/<uuid:pk>/search/", live_search.search, name="search"),
    ],
    "vendor_accounts",
)
archive_urls = (
    [
        path("t/<slug:tenant>/integrations/<uuid:pk>/archives/fetch/", archives.fetch, name="fetch"),
        path("t/<slug:tenant>/archives/<uuid:pk>/", archives.detail, name="detail"),
        path("t/<slug:tenant>/archives/<uuid:pk>/compare/", archives.compare, name="compare"),
        path("t/<slug:tenant>/archives/<uuid:pk>/download/", archives.download, name="download"),
    ],
    "archives",
)
job_urls = (
    [
        path("jobs/", jobs.fleet, name="fleet"),
        path("jobs/running/", jobs.running, name="running"),
        path("t/<slug:tenant>/jobs/", jobs.index, name="index"),
        path("t/<slug:tenant>/jobs/<uuid:pk>/", jobs.detail, name="detail"),
        path("t/<slug:tenant>/jobs/<uuid:pk>/cancel/", jobs.cancel, name="cancel"),
        path("t/<slug:tenant>/jobs/<uuid:pk>/retry/", jobs.retry, name="retry"),
    ],
    "jobs",
)
credential_urls = (
    [
        path("credentials/", credentials.index, name="index"),
        path("credentials/new/", credentials.create, name="create"),
        path("credentials/<uuid:pk>/", credentials.detail, name="detail"),
        path("credentials/<uuid:pk>/replace/", credentials.replace, name="replace"),
        path("credentials/<uuid:pk>/bind/", credentials.bind, name="bind"),
        path("credentials/<uuid:pk>/remove/", credentials.remove, name="remove"),
    ],
    "credentials",
)
history_urls = (
    [
        path("t/<slug:tenant>/history/", tenant_history.index, name="index"),
        path("t/<slug:tenant>/history/export/", tenant_history.export, name="export"),
    ],
    "history",
)
tenant_urls = ([*tenant_patterns, path("t/<slug:tenant>/", tenants.detail, name="detail")], "tenants")

urlpatterns = [
    path("", home.home, name="home"),
    path("", include(integration_urls)),
    path("", include(archive_urls)),
    path("", include(change_urls)),
    path("", include(account_urls)),
    path("", include(job_urls)),
    path("", include(credential_urls)),
    path("", include(tenant_urls)),
    path("", include(history_urls)),
    path("search", search.search, name="search"),
    path("health/", health.index, name="health"),
    path("welcome/", welcome.welcome, name="welcome"),
]
