"""Every field of Membrane's integration document and how the pages show it.

Source: Membrane API reference, "List all integrations" (36 fields, 31 of the connection), and what newer descriptions
of the API add. What a customer or a connector may keep a secret in (`parameters`, `meta`, `optionsConfig`, `spec`, logs
of errors, the link that reconnects) is secret until proven otherwise; `optionsConfig` whole: its keys are not fixed.
"""

from __future__ import annotations

from integrations_app.vendors.base import DocumentField, FieldKind

_FACTS = (
    DocumentField("id", "Integration id", FieldKind.CODE),
    DocumentField("uuid", "UUID", FieldKind.CODE),
    DocumentField("key", "Key", FieldKind.CODE),
    DocumentField("name", "Name"),
    DocumentField("description", "Description"),
    DocumentField("state", "State", FieldKind.CODE),
    DocumentField("revision", "Revision", FieldKind.CODE),
    DocumentField("createdAt", "Created", FieldKind.TIME),
    DocumentField("updatedAt", "Last changed", FieldKind.TIME),
    DocumentField("archivedAt", "Archived", FieldKind.TIME),
    DocumentField("isDeactivated", "Deactivated", FieldKind.TRUTH),
    DocumentField("isReadOnly", "Read only", FieldKind.TRUTH),
    DocumentField("isTest", "Test integration", FieldKind.TRUTH),
    DocumentField("isConnected", "Connected", FieldKind.TRUTH),
    DocumentField("logoUri", "Logo", FieldKind.ADDRESS),
    DocumentField("meta", "Metadata", FieldKind.SECRET),
)

_CONNECTOR = (
    DocumentField("connectorId", "Connector", FieldKind.CODE, "App and connector"),
    DocumentField("connectorVersion", "Connector version", FieldKind.CODE, "App and connector"),
    DocumentField("externalAppId", "External app", FieldKind.CODE, "App and connector"),
    DocumentField("appUuid", "External app UUID", FieldKind.CODE, "App and connector"),
    DocumentField("appUri", "Address of the app", FieldKind.ADDRESS, "App and connector"),
    DocumentField("authType", "Kind of sign-in", FieldKind.CODE, "App and connector"),
    DocumentField("authOptions", "Sign-in options", FieldKind.SECRET, "App and connector"),
    DocumentField("oAuthCallbackUri", "OAuth callback address", FieldKind.ADDRESS, "App and connector"),
    DocumentField("parameters", "Parameters", FieldKind.SECRET, "App and connector"),
    DocumentField("hasMissingParameters", "Parameters are missing", FieldKind.TRUTH, "App and connector"),
    DocumentField("optionsConfig", "Settings of the sign-in options", FieldKind.SECRET, "App and connector"),
    DocumentField("spec", "Connector specification", FieldKind.SECRET, "App and connector"),
)

_CAPABILITIES = (
    DocumentField("hasDocumentation", "Documentation", FieldKind.TRUTH, "What the connector offers"),
    DocumentField("hasOperations", "Operations", FieldKind.TRUTH, "What the connector offers"),
    DocumentField("operationsCount", "Number of operations", FieldKind.NUMBER, "What the connector offers"),
    DocumentField("hasData", "Data collections", FieldKind.TRUTH, "What the connector offers"),
    DocumentField("dataCollectionsCount", "Number of data collections", FieldKind.NUMBER, "What the connector offers"),
    DocumentField("hasEvents", "Events", FieldKind.TRUTH, "What the connector offers"),
    DocumentField("eventsCount", "Number of events", FieldKind.NUMBER, "What the connector offers"),
    DocumentField("hasGlobalWebhooks", "Global webhooks", FieldKind.TRUTH, "What the connector offers"),
    DocumentField("hasUdm", "Unified data model", FieldKind.TRUTH, "What the connector offers"),
)

_CONNECTION = (
    DocumentField("connection.id", "Connection id", FieldKind.CODE, "Connection"),
    DocumentField("connection.name", "Name", FieldKind.TEXT, "Connection"),
    DocumentField("connection.key", "Key", FieldKind.CODE, "Connection"),
    DocumentField("connection.type", "Type", FieldKind.CODE, "Connection"),
    DocumentField("connection.state", "State", FieldKind.CODE, "Connection"),
    DocumentField("connection.connected", "Connected", FieldKind.TRUTH, "Connection"),
    DocumentField("connection.disconnected", "Disconnected (older flag)", FieldKind.TRUTH, "Connection"),
    DocumentField("connection.isDefunct", "Access lost for good", FieldKind.TRUTH, "Connection"),
    DocumentField("connection.isDeactivated", "Deactivated", FieldKind.TRUTH, "Connection"),
    DocumentField("connection.isTest", "Test connection", FieldKind.TRUTH, "Connection"),
    DocumentField("connection.userId", "Tenant's user id", FieldKind.CODE, "Connection"),
    DocumentField("connection.tenantId", "Tenant id", FieldKind.CODE, "Connection"),
    DocumentField("connection.integrationId", "Integration id", FieldKind.CODE, "Connection"),
    DocumentField("connection.connectorId", "Connector", FieldKind.CODE, "Connection"),
    DocumentField("connection.connectorVersion", "Connector version", FieldKind.CODE, "Connection"),
    DocumentField("connection.externalAppId", "External app", FieldKind.CODE, "Connection"),
    DocumentField("connection.authOptionKey", "Sign-in option", FieldKind.CODE, "Connection"),
    DocumentField("connection.createdAt", "Created", FieldKind.TIME, "Connection"),
    DocumentField("connection.updatedAt", "Last changed", FieldKind.TIME, "Connection"),
    DocumentField("connection.archivedAt", "Archived", FieldKind.TIME, "Connection"),
    DocumentField("connection.lastActiveAt", "Last active", FieldKind.TIME, "Connection"),
    DocumentField("connection.nextCredentialsRefreshAt", "Next refresh of access", FieldKind.TIME, "Connection"),
    DocumentField("connection.nextRetryTimestamp", "Next try", FieldKind.TIME, "Connection"),
    DocumentField("connection.retryAttempts", "Tries so far", FieldKind.NUMBER, "Connection"),
    DocumentField("connection.canTest", "Can be tested", FieldKind.TRUTH, "Connection"),
    DocumentField("connection.canRefreshCredentials", "Access can be refreshed", FieldKind.TRUTH, "Connection"),
    DocumentField("connection.buildingAgentSessionId", "Building agent's session", FieldKind.CODE, "Connection"),
    DocumentField("connection.meta", "Metadata", FieldKind.SECRET, "Connection"),
    # Only the full form of a connection has these; a list does not promise to leave them out.
    DocumentField("connection.connectorParameters", "Connector parameters", FieldKind.SECRET, "Connection"),
    DocumentField("connection.input", "What was typed in", FieldKind.SECRET, "Connection"),
    DocumentField("connection.credentials", "Credentials", FieldKind.SECRET, "Connection"),
    DocumentField("connection.user", "Tenant", FieldKind.SECRET, "Connection"),
    DocumentField("connection.integration", "Integration", FieldKind.SECRET, "Connection"),
)

_ACTION = "Connection: what the tenant has to do"
_CLIENT_ACTION = (
    DocumentField("connection.clientAction.type", "Kind", FieldKind.CODE, _ACTION),
    DocumentField("connection.clientAction.description", "What to do", FieldKind.TEXT, _ACTION),
    # The link lets whoever holds it finish the sign-in.
    DocumentField("connection.clientAction.uiUrl", "Link", FieldKind.SECRET, _ACTION),
    DocumentField("connection.clientAction.agentInstructions", "Instructions for agents", FieldKind.TEXT, _ACTION),
    DocumentField(
        "connection.clientAction.handoffAgentInstructions", "Instructions for handing over", FieldKind.TEXT, _ACTION
    ),
)


def _errors(path: str, heading: str) -> tuple[DocumentField, ...]:
    """An error and the one that caused it. What lies deeper is hidden whole: its logs cannot be told from the rest."""
    cause = f"{path}.causedByError"
    return (
        *_error(path, "", heading),
        *_error(cause, "Caused by: ", heading),
        DocumentField(f"{cause}.causedByError", "Earlier causes", FieldKind.SECRET, heading),
    )


def _error(path: str, prefix: str, heading: str) -> tuple[DocumentField, ...]:
    return (
        DocumentField(f"{path}.message", f"{prefix}message", FieldKind.TEXT, heading),
        DocumentField(f"{path}.type", f"{prefix}type", FieldKind.CODE, heading),
        DocumentField(f"{path}.key", f"{prefix}key", FieldKind.CODE, heading),
        DocumentField(f"{path}.data", f"{prefix}details", FieldKind.DOCUMENT, heading),
        DocumentField(f"{path}.stack", f"{prefix}stack", FieldKind.SECRET, heading),
        DocumentField(f"{path}.logs", f"{prefix}logs", FieldKind.SECRET, heading),
    )


DOCUMENT_FIELDS: tuple[DocumentField, ...] = (
    *_FACTS,
    *_CONNECTOR,
    *_CAPABILITIES,
    *_errors("errors[]", "Errors"),
    *_CONNECTION,
    *_CLIENT_ACTION,
    *_errors("connection.requestError", "Connection: last refused call"),
    *_errors("connection.errors[]", "Connection: errors"),
    *_errors("connection.error", "Connection: error (older field)"),
)
