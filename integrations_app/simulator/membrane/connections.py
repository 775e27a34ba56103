"""The connections of one tenant to a pretend Membrane workspace's integrations, in every way they can fail.

Field names, states and error shapes: Membrane API reference, "Connections" and "Errors".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from integrations_app.simulator.membrane.documents import PUBLISHED_NUMBER, Document, Workspace, placeholder_error
from integrations_app.simulator.names import DATA_DATE, digest, stamp

_NEVER_CONNECTED = ("CONFIGURATION_ERROR", "SETUP_FAILED", "BUILDING")


@dataclass(frozen=True)
class Tenant:
    """One tenant of a workspace and its connections."""

    workspace: Workspace
    key: str

    @property
    def internal_id(self) -> str:
        """What shows up as tenantId and userId; the key itself is the caller's own name for the tenant."""
        return self.workspace.identifier(f"tenant:{self.key}", 0)

    def connection(self, number: int, integration: Document) -> Document | None:
        """This tenant's connection to integration `number`, or None when it never connected."""
        if integration.get("state") in _NEVER_CONNECTED and number != PUBLISHED_NUMBER:
            return None
        shape = CONNECTION_SHAPES[(number + self._offset) % len(CONNECTION_SHAPES)]
        if number == PUBLISHED_NUMBER:
            shape = _published_connection
        if shape is None:
            return None
        document = self._plain(number, integration)
        shape(self, number, document)
        return document

    @property
    def _offset(self) -> int:
        return digest(self.workspace.salt, self.key, "shapes")[0]

    def _plain(self, number: int, integration: Document) -> Document:
        created = datetime.fromisoformat(integration["createdAt"]) + timedelta(hours=number % 24)
        return {
            "id": self.workspace.identifier(f"connection:{self.key}", number),
            "name": integration["name"],
            "userId": self.internal_id,
            "tenantId": self.internal_id,
            "type": "connector",
            "key": f"{integration.get('key', 'app')}-main",
            "isTest": integration.get("isTest", False),
            "connected": True,
            "disconnected": False,
            "isDefunct": False,
            "state": "READY",
            "errors": [],
            "integrationId": integration["id"],
            "connectorId": integration["connectorId"],
            "externalAppId": integration["externalAppId"],
            "connectorVersion": integration["connectorVersion"],
            "authOptionKey": "default",
            "createdAt": stamp(created),
            "updatedAt": stamp(DATA_DATE - timedelta(days=number % 19)),
            "lastActiveAt": stamp(DATA_DATE - timedelta(hours=number % 300)),
            "nextCredentialsRefreshAt": stamp(DATA_DATE + timedelta(hours=1)),
            "retryAttempts": 0,
            "canTest": True,
            "canRefreshCredentials": True,
            "isDeactivated": integration.get("isDeactivated", False),
            "meta": {},
        }


# --- shapes of connections ----------------------------------------------------------------------------------------


def _connected(tenant: Tenant, number: int, document: Document) -> None:
    """Works."""


def _error(document: Document, key: str, message: str) -> Document:
    return {
        "type": "connection",
        "key": key,
        "message": message,
        "data": {"connectionId": document["id"], "connectorKey": document["key"].removesuffix("-main")},
    }


def _cut(document: Document) -> None:
    """Not connected: the new flag and the deprecated one always agree."""
    document["connected"], document["disconnected"] = False, True


def _defunct(tenant: Tenant, number: int, document: Document) -> None:
    """Access is lost for good: the end customer has to sign in again."""
    _cut(document)
    document["isDefunct"] = True
    document["retryAttempts"] = 8
    document["requestError"] = _error(
        document, "connection_is_defunct", "The external app rejected the stored credentials"
    ) | {
        "causedByError": {
            "type": "connection",
            "key": "access_token_expired",
            "message": "Token endpoint answered 400 invalid_grant",
        }
    }
    document["error"] = _error(document, "connection_is_defunct", "The external app rejected the stored credentials")
    del document["nextCredentialsRefreshAt"]


def _defunct_retrying(tenant: Tenant, number: int, document: Document) -> None:
    """Defunct, and a retry is still planned: the documentation shows exactly this."""
    _defunct(tenant, number, document)
    document["retryAttempts"] = 3
    document["nextRetryTimestamp"] = stamp(DATA_DATE + timedelta(hours=2))


def _retrying(tenant: Tenant, number: int, document: Document) -> None:
    """A refresh failed; Membrane tries again by itself."""
    document["retryAttempts"] = 2
    document["nextRetryTimestamp"] = stamp(DATA_DATE + timedelta(hours=3))
    document["requestError"] = _error(document, "access_token_expired", "Refreshing the access token failed")


def _limited(tenant: Tenant, number: int, document: Document) -> None:
    """The external app itself answers that there were too many requests."""
    document["requestError"] = _error(document, "rate_limit_exceeded", "The external app answered 429")


def _must_connect(tenant: Tenant, number: int, document: Document) -> None:
    """Waits for the end customer to sign in."""
    _cut(document)
    document["state"] = "CLIENT_ACTION_REQUIRED"
    document["canTest"] = document["canRefreshCredentials"] = False
    document["clientAction"] = {
        "type": "connect",
        "description": f"Sign in to {document['name']} to finish this connection",
        "uiUrl": f"https://ui.membrane.example/connect/{document['id']}",
        "agentInstructions": "Show the link to the user and poll this connection",
        "handoffAgentInstructions": "Hand over to the user; nothing else can be done from here",
    }


def _must_answer(tenant: Tenant, number: int, document: Document) -> None:
    """Waits for the end customer to type something in; an MCP connection, without an address to go to."""
    _cut(document)
    document["type"] = "mcp"
    document["state"] = "CLIENT_ACTION_REQUIRED"
    document["clientAction"] = {"type": "provide-input", "description": "Enter the subdomain of your account"}


def _connection_building(tenant: Tenant, number: int, document: Document) -> None:
    """An agent is building it."""
    _cut(document)
    document["state"] = "BUILDING"
    document["buildingAgentSessionId"] = tenant.workspace.identifier("session", number)


def _connection_failed(tenant: Tenant, number: int, document: Document) -> None:
    """Its setup failed."""
    _cut(document)
    document["state"] = "SETUP_FAILED"
    document["errors"] = [{"type": "configuration", "message": "The connection test function threw an error"}]


def _connection_disconnecting(tenant: Tenant, number: int, document: Document) -> None:
    """Being taken apart: no longer connected."""
    _cut(document)
    document["state"] = "DISCONNECTING"


def _connection_archived(tenant: Tenant, number: int, document: Document) -> None:
    """The tenant's connection was archived and switched off."""
    _cut(document)
    document["archivedAt"] = document["updatedAt"]
    document["isDeactivated"] = True


def _published_connection(tenant: Tenant, number: int, document: Document) -> None:
    """The connection of the reference page's sample: all 31 fields, whether or not they go together."""
    document.update(
        isTest=True,
        disconnected=True,
        isDefunct=True,
        state="BUILDING",
        errors=[placeholder_error("a connection")],
        requestError=placeholder_error("a request"),
        error=placeholder_error("a request"),
        nextRetryTimestamp=stamp(DATA_DATE + timedelta(hours=2)),
        retryAttempts=123,
        archivedAt=document["updatedAt"],
        isDeactivated=True,
        buildingAgentSessionId=tenant.workspace.identifier("session", number),
        clientAction={
            "type": "connect",
            "description": "Sign in to finish this connection",
            "uiUrl": f"https://ui.membrane.example/connect/{document['id']}",
            "agentInstructions": "Show the link to the user and poll this connection",
        },
    )
    del document["type"]  # newer than the sample


ConnectionShape = Callable[[Tenant, int, Document], None]
# 24 of them against 25 shapes of integrations, so that over a few rounds every pair meets.
CONNECTION_SHAPES: tuple[ConnectionShape | None, ...] = (
    _connected,
    _connected,
    _connected,
    _defunct,
    _connected,
    None,
    _connected,
    _must_connect,
    _connected,
    _retrying,
    _connected,
    None,
    _connected,
    _defunct_retrying,
    _connected,
    _connected,
    _limited,
    _must_answer,
    _connected,
    _connection_building,
    _connection_failed,
    _connected,
    _connection_archived,
    _connection_disconnecting,
)
