"""Row-level security on PostgreSQL: the second lock behind the checks in the code; see `console/access/scope.py`."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations

# The same reach as `console.access.policy` works out, said once more where no view can forget to ask.
_FUNCTION = """
CREATE FUNCTION console_tenants_in_scope() RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    WITH person AS (
        SELECT id FROM access_user
        WHERE is_active AND id::text = current_setting('console.scope', true)
    ), held AS (
        SELECT tenant_id, scope, label FROM access_grant
        WHERE (expires_at IS NULL OR expires_at > now())
        AND (
            user_id IN (SELECT id FROM person)
            OR team_id IN (SELECT team_id FROM access_teammember WHERE user_id IN (SELECT id FROM person))
        )
    )
    SELECT tenant_id FROM held WHERE scope = 'tenant'
    UNION SELECT tenant_id FROM access_tenantlabel WHERE name IN (SELECT label FROM held WHERE scope = 'label')
    UNION SELECT id FROM access_tenant WHERE EXISTS (SELECT 1 FROM held WHERE scope = 'all')
$$
"""

# Sub-selects, so that PostgreSQL works each of them out once for a statement and not once for a row.
_ALL = "(SELECT current_setting('console.scope', true)) = '*'"
_ANYBODY = "(SELECT current_setting('console.scope', true)) <> ''"
_IN_SCOPE = "tenant_id IN (SELECT console_tenants_in_scope())"

_OF_A_TENANT = (
    "vendoraccount", "integration", "integrationdocument", "integrationpart", "integrationalias", "quarantineditem",
    "snapshot", "syncrun", "job", "jobline", "schedule",
)  # fmt: skip
_OF_A_TENANT_OR_SHARED = ("credential", "secretchange")
_GATE = "account_id IN (SELECT id FROM integrations_app_vendoraccount)"
_SECRET = "credential_id IN (SELECT id FROM integrations_app_credential{})"  # noqa: S105  # SQL


def _rules() -> dict[str, str]:
    """What may be read and written, by table."""
    rules = {table: f"{_ALL} OR {_IN_SCOPE}" for table in (*_OF_A_TENANT, *_OF_A_TENANT_OR_SHARED)}
    rules["vendorgate"] = f"{_ALL} OR {_GATE}"
    rules["credentialsecret"] = f"{_ALL} OR {_SECRET.format(' WHERE tenant_id IS NOT NULL')}"
    return {f"integrations_app_{table}": rule for table, rule in rules.items()}


def _readable() -> dict[str, str]:
    """What may only be read besides: the company's own, named on pages of every tenant that uses it."""
    rules = {table: f"tenant_id IS NULL AND {_ANYBODY}" for table in _OF_A_TENANT_OR_SHARED}
    rules["credentialsecret"] = _SECRET.format("")
    return {f"integrations_app_{table}": rule for table, rule in rules.items()}


def _lock(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute(_FUNCTION)
    for table, rule in _rules().items():
        _secure(schema_editor, table)
        schema_editor.execute(f"CREATE POLICY tenant_scope ON {table} USING ({rule})")
    for table, rule in _readable().items():
        schema_editor.execute(f"CREATE POLICY shared_is_read ON {table} FOR SELECT USING ({rule})")
    # Written by whoever acts, read within one's scope, and neither changed nor deleted by anybody: no policy allows it.
    _secure(schema_editor, "audit_auditevent")
    seen = f"{_ALL} OR {_IN_SCOPE} OR (tenant_id IS NULL AND {_ANYBODY})"
    schema_editor.execute(f"CREATE POLICY read_in_scope ON audit_auditevent FOR SELECT USING ({seen})")
    schema_editor.execute("CREATE POLICY write_always ON audit_auditevent FOR INSERT WITH CHECK (true)")


def _secure(schema_editor: Any, table: str) -> None:
    """FORCE: the console owns its tables, and an owner would otherwise pass every policy."""
    schema_editor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    schema_editor.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def _unlock(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    for table in _rules():
        schema_editor.execute(f"DROP POLICY tenant_scope ON {table}")
    for table in _readable():
        schema_editor.execute(f"DROP POLICY shared_is_read ON {table}")
    for policy in ("read_in_scope", "write_always"):
        schema_editor.execute(f"DROP POLICY {policy} ON audit_auditevent")
    for table in (*_rules(), "audit_auditevent"):
        schema_editor.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        schema_editor.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    schema_editor.execute("DROP FUNCTION console_tenants_in_scope()")


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("integrations_app", "0001_initial"),
        ("access", "0001_initial"),
        ("audit", "0001_initial"),
    ]
    operations: ClassVar = [migrations.RunPython(_lock, _unlock)]
