"""The built-in roles and the permissions each gives. They are rows too, for grants to point at, kept equal to this."""

from __future__ import annotations

from dataclasses import dataclass

from console.access.permissions import Permission

_SEE = frozenset(
    {Permission.INTEGRATION_VIEW, Permission.JOB_VIEW, Permission.VENDOR_ACCOUNT_VIEW, Permission.PEOPLE_VIEW}
)
_OPERATE = _SEE | {
    Permission.INTEGRATION_SYNC,
    Permission.INTEGRATION_SEARCH,
    Permission.SNAPSHOT_CREATE,
    Permission.REVISION_CREATE,
    Permission.ARCHIVE_INSPECT,
    Permission.VENDOR_ACCOUNT_TEST,
    Permission.JOB_CONTROL,
}
_EDIT = _OPERATE | {
    Permission.INTEGRATION_EDIT,
    Permission.INTEGRATION_CREATE,
    Permission.INTEGRATION_INSTALL,
    Permission.CONNECTION_REGISTER,
    Permission.ARCHIVE_DOWNLOAD,
}
_ADMINISTER = _EDIT | {
    Permission.INTEGRATION_DELETE,
    Permission.VENDOR_ACCOUNT_MANAGE,
    Permission.CREDENTIAL_MANAGE,
    Permission.PEOPLE_MANAGE,
    Permission.AUDIT_VIEW,
}


@dataclass(frozen=True)
class BuiltinRole:
    slug: str
    name: str
    summary: str
    permissions: frozenset[Permission]


OWNER = BuiltinRole(
    "owner", "Owner", "Everything, the tenant's settings included.", _ADMINISTER | {Permission.TENANT_SETTINGS}
)
ADMIN = BuiltinRole("admin", "Admin", "Connects vendor accounts and gives access to people.", _ADMINISTER)
EDITOR = BuiltinRole("editor", "Editor", "Works on integrations; no secrets, no people, no deleting.", _EDIT)
SUPPORT = BuiltinRole("support", "Support", "Finds, syncs, tests and takes snapshots; changes nothing.", _OPERATE)
VIEWER = BuiltinRole("viewer", "Viewer", "Looks, and changes nothing.", _SEE)
AUDITOR = BuiltinRole("auditor", "Auditor", "Looks, and reads the audit log.", _SEE | {Permission.AUDIT_VIEW})

BUILTIN_ROLES = (OWNER, ADMIN, EDITOR, SUPPORT, VIEWER, AUDITOR)
