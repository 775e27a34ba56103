"""Every permission there is: what a person may do inside a tenant. Roles (`roles.py`) are sets of these."""

from __future__ import annotations

from django.db import models


class Permission(models.TextChoices):
    """`<thing>.<action>`; the label completes "You need a role that lets you …"."""

    INTEGRATION_VIEW = "integration.view", "see integrations and their history"
    JOB_VIEW = "job.view", "see jobs"

    INTEGRATION_SYNC = "integration.sync", "sync and refresh integrations"
    INTEGRATION_SEARCH = "integration.search", "search live at the vendor"
    SNAPSHOT_CREATE = "snapshot.create", "take snapshots"
    REVISION_CREATE = "revision.create", "have the vendor take revisions"
    ARCHIVE_INSPECT = "archive.inspect", "fetch template archives and look inside"
    VENDOR_ACCOUNT_TEST = "vendor_account.test", "test vendor accounts"
    JOB_CONTROL = "job.control", "cancel and retry jobs"

    INTEGRATION_EDIT = "integration.edit", "edit and restore integrations, switch and run flows, deal with errors"
    INTEGRATION_CREATE = "integration.create", "create and clone integrations"
    INTEGRATION_INSTALL = "integration.install", "run install steps"
    CONNECTION_REGISTER = "connection.register", "register connections"
    ARCHIVE_DOWNLOAD = "archive.download", "download template archives"

    INTEGRATION_DELETE = "integration.delete", "delete and uninstall integrations"

    VENDOR_ACCOUNT_VIEW = "vendor_account.view", "see vendor accounts"
    VENDOR_ACCOUNT_MANAGE = "vendor_account.manage", "add, change and remove vendor accounts"
    CREDENTIAL_MANAGE = "credential.manage", "set and replace secrets"

    PEOPLE_VIEW = "people.view", "see who has access"
    PEOPLE_MANAGE = "people.manage", "give and take access"

    TENANT_SETTINGS = "tenant.settings", "change the tenant's settings"
    AUDIT_VIEW = "audit.view", "read the audit log"

    @property
    def attribute(self) -> str:
        """The name templates use: `can.integration_sync`."""
        return self.value.replace(".", "_")
