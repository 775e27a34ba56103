"""Which kinds of things belong to an integration, and the columns of their tables.

What holds a customer's own values or a way in (a connection's configuration, settings, forms, samples of records) is
secret as a whole until proven otherwise.
"""

from __future__ import annotations

from integrations_app.vendors.base import FieldKind
from integrations_app.vendors.capabilities import ListingColumn, ListingKind

# The objects named like a connection's type or an adaptor: addresses, headers, bodies, queries, credentials.
_CONFIGURATIONS = (
    "as2",
    "dynamodb",
    "file",
    "filesystem",
    "ftp",
    "http",
    "jdbc",
    "mcp",
    "mongodb",
    "netsuite",
    "netsuite_da",
    "rdbms",
    "rest",
    "s3",
    "salesforce",
    "van",
    "webhook",
    "wrapper",
)
_OWN_VALUES = ("settings", "settingsForm")
_SAMPLES = ("mockOutput", "mockResponse", "mockInput", "sampleData", "sampleResponseData", "rawData", "test")
_STEP_SECRETS = (
    "form",
    "sourceConnection.http",
    *(f"sourceConnection.{name}" for name in _CONFIGURATIONS if name != "http"),
)

_TYPE = ListingColumn("type", "Type", FieldKind.CODE)
_UPDATED = ListingColumn("updated_at", "Last changed", FieldKind.TIME)

_CONNECTION_COLUMNS = (
    _TYPE,
    ListingColumn("app", "App"),
    ListingColumn("is_online", "Online", FieldKind.TRUTH),
    _UPDATED,
)
_CONNECTION_SECRETS = (*_CONFIGURATIONS, *_OWN_VALUES)
_RESOURCE_COLUMNS = (
    ListingColumn("adaptor", "Adaptor", FieldKind.CODE),
    _TYPE,
    ListingColumn("connection_id", "Connection", FieldKind.CODE),
    _UPDATED,
)
_RESOURCE_SECRETS = (*_CONFIGURATIONS, *_OWN_VALUES, *_SAMPLES, "hooks")
_STEP_COLUMNS = (
    ListingColumn("place", "Step", FieldKind.NUMBER),
    _TYPE,
    ListingColumn("is_completed", "Done", FieldKind.TRUTH),
    ListingColumn("description", "Description"),
)

LISTINGS: tuple[ListingKind, ...] = (
    ListingKind(
        "flows",
        "Flows",
        "flow",
        (
            ListingColumn("is_on", "On", FieldKind.TRUTH),
            ListingColumn("schedule", "Schedule", FieldKind.CODE),
            ListingColumn("timezone", "Time zone"),
            ListingColumn("step_count", "Steps", FieldKind.NUMBER),
            ListingColumn("last_run_at", "Last run", FieldKind.TIME),
            _UPDATED,
        ),
        "This integration has no flows.",
        secret_paths=_OWN_VALUES,
    ),
    ListingKind(
        "errors",
        "Errors",
        "step with errors",
        (
            ListingColumn("flow", "Flow"),
            ListingColumn("step", "Step"),
            ListingColumn("count", "Open errors", FieldKind.NUMBER),
            ListingColumn("last_error_at", "Last error", FieldKind.TIME),
        ),
        "There are no open errors.",
    ),
    ListingKind(
        "exports",
        "Exports",
        "export",
        _RESOURCE_COLUMNS,
        "This integration has no exports.",
        secret_paths=_RESOURCE_SECRETS,
    ),
    ListingKind(
        "imports",
        "Imports",
        "import",
        _RESOURCE_COLUMNS,
        "This integration has no imports.",
        secret_paths=_RESOURCE_SECRETS,
    ),
    ListingKind(
        "connections",
        "Connections",
        "connection",
        _CONNECTION_COLUMNS,
        "No connections are registered with this integration.",
        secret_paths=_CONNECTION_SECRETS,
    ),
    ListingKind(
        "people",
        "People",
        "person",
        (
            ListingColumn("email", "E-mail"),
            ListingColumn("access_here", "Access here", FieldKind.CODE),
            ListingColumn("account_access", "Access to the account", FieldKind.CODE),
            ListingColumn("is_accepted", "Accepted", FieldKind.TRUTH),
            ListingColumn("last_sign_in_at", "Last signed in", FieldKind.TIME),
        ),
        "Nobody but the account's owner, whom Celigo does not list, has access.",
    ),
    ListingKind(
        "dependencies",
        "Dependencies",
        "dependency",
        (ListingColumn("direction", "Direction"), ListingColumn("model", "Kind", FieldKind.CODE)),
        "Nothing uses this integration, and it uses nothing.",
    ),
    ListingKind(
        "error_records",
        "Error records",
        "error record",
        (
            ListingColumn("at", "When", FieldKind.TIME),
            ListingColumn("code", "Code", FieldKind.CODE),
            ListingColumn("message", "Message"),
            ListingColumn("source", "Source", FieldKind.CODE),
            ListingColumn("trace_key", "Trace key", FieldKind.CODE),
            ListingColumn("is_retryable", "Can be tried again", FieldKind.TRUTH),
        ),
        "This step has no open errors.",
        is_tab=False,
        is_scoped=True,
        # Opens the record that failed, which is the end customer's data.
        secret_paths=("exportDataURI", "importDataURI"),
    ),
    ListingKind(
        "install_steps",
        "Install steps",
        "install step",
        _STEP_COLUMNS,
        "There is nothing to install.",
        secret_paths=_STEP_SECRETS,
    ),
    ListingKind(
        "uninstall_steps",
        "Uninstall steps",
        "uninstall step",
        _STEP_COLUMNS,
        "There are no steps to uninstall this integration.",
        is_tab=False,
        secret_paths=_STEP_SECRETS,
    ),
    ListingKind(
        "revisions",
        "Celigo revisions",
        "Celigo revision",
        (
            ListingColumn("at", "When", FieldKind.TIME),
            ListingColumn("kind", "Kind", FieldKind.CODE),
            ListingColumn("status", "Status", FieldKind.CODE),
            ListingColumn("note", "Note"),
            ListingColumn("by", "By user", FieldKind.CODE),
        ),
        "Celigo keeps no revisions of this integration.",
        is_tab=False,
        secret_paths=tuple(f"installSteps[].{path}" for path in _STEP_SECRETS),
    ),
    ListingKind(
        "audit",
        "Celigo audit",
        "audit entry",
        (
            ListingColumn("at", "When", FieldKind.TIME),
            ListingColumn("who", "Who"),
            ListingColumn("source", "From", FieldKind.CODE),
            ListingColumn("event", "Event", FieldKind.CODE),
            ListingColumn("what", "What", FieldKind.CODE),
            ListingColumn("field", "Field", FieldKind.CODE),
            ListingColumn("before", "Before", FieldKind.DOCUMENT),
            ListingColumn("after", "After", FieldKind.DOCUMENT),
        ),
        "Celigo's audit log has nothing about this integration.",
        # Of any field of any document; the columns show what is no secret at its place.
        secret_paths=("deletedInfo", "fieldChanges[].oldValue", "fieldChanges[].newValue"),
    ),
    ListingKind(
        "account_connections",
        "Connections of the account",
        "connection",
        _CONNECTION_COLUMNS,
        "This account has no connections.",
        is_tab=False,
        is_of_account=True,
        secret_paths=_CONNECTION_SECRETS,
    ),
)
