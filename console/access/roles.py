"""The built-in roles: which permissions each grants. They are rows too (a grant points at one), kept equal to this table."""

from __future__ import annotations

from dataclasses import dataclass

from console.access.permissions import Permission as P

_SEE = frozenset({P.INTEGRATION_VIEW, P.JOB_VIEW, P.VENDOR_ACCOUNT_VIEW, P.PEOPLE_VIEW})
_OPERATE = _SEE | {P.INTEGRATION_SYNC, P.INTEGRATION_SEARCH, P.SNAPSHOT_CREATE, P.VENDOR_ACCOUNT_TEST, P.JOB_CONTROL}
_ADMINISTER = _OPERATE | {P.VENDOR_ACCOUNT_MANAGE, P.CREDENTIAL_MANAGE, P.PEOPLE_MANAGE, P.AUDIT_VIEW}


@dataclass(frozen=True)
class BuiltinRole:
    slug: str
    name: str
    summary: str
    permissions: frozenset[P]


OWNER = BuiltinRole("owner", "Owner", "Everything, the tenant's settings included.", _ADMINISTER | {P.TENANT_SETTINGS})
ADMIN = BuiltinRole("admin", "Admin", "Connects vendor accounts and gives access to people.", _ADMINISTER)
EDITOR = BuiltinRole("editor", "Editor", "Works on integrations; no secrets, no people.", _OPERATE)
SUPPORT = BuiltinRole("support", "Support", "Finds, syncs, tests and takes snapshots; changes nothing.", _OPERATE)
VIEWER = BuiltinRole("viewer", "Viewer", "Looks, and changes nothing.", _SEE)
AUDITOR = BuiltinRole("auditor", "Auditor", "Looks, and reads the audit log.", _SEE | {P.AUDIT_VIEW})

BUILTIN_ROLES = (OWNER, ADMIN, EDITOR, SUPPORT, VIEWER, AUDITOR)
