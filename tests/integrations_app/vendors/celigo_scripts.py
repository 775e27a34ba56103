"""A Celigo client against a server that answers with exactly what a test says, and the requests it sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from integrations_app.vendors.base import LOOPBACK_NETWORKS, Connection, Region, RemoteIntegration
from integrations_app.vendors.celigo import CeligoClient
from tests.integrations_app.vendors.hostile import HostileServer, answer

ID = "66d1f0000000000000001001"
OTHER_ID = "66d1f0000000000000002002"
FLOW, STEP = "66d1f0000000000000003003", "66d1f0000000000000009009"
SHOP, LEDGER = "66d1f0000000000000005005", "66d1f0000000000000006006"
INBOUND, OUTBOUND = "66d1f0000000000000011011", "66d1f0000000000000012012"

PAGE = answer(b"<html>not the API</html>", Content_Type="text/html")


def scripted(server: HostileServer, token: str = "fake-token-of-a-test") -> CeligoClient:
    """A client whose only place is this server; files are below /files."""
    region = Region("scripted", "Scripted", {"api": f"{server.url}/v1", "files": f"{server.url}/files"})
    return CeligoClient(Connection(region, {"api_token": token}, allowed_networks=LOOPBACK_NETWORKS))


def said(document: Any, status: int = 200, **headers: str) -> bytes:
    """An answer with this JSON."""
    return answer(json.dumps(document).encode(), f"{status} Said", Content_Type="application/json", **headers)


def empty(status: int = 204) -> bytes:
    """An answer without a body."""
    return answer(b"", f"{status} Said")


def failed(status: int, *errors: dict[str, Any], **beside: Any) -> bytes:
    """A refusal in Celigo's general shape."""
    return said({"errors": list(errors), **beside}, status)


@dataclass(frozen=True)
class Sent:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: Any


def sent(server: HostileServer) -> list[Sent]:
    """What the client sent, in order."""
    return [_read(request) for request in server.requests]


def _read(request: bytes) -> Sent:
    head, _, body = request.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Sent(method, target, headers, json.loads(body) if body else None)


def document(**fields: Any) -> dict[str, Any]:
    """An integration as Celigo answers it, with what only a server sets."""
    return {
        "_id": ID,
        "name": "Orders",
        "mode": "settings",
        "createdAt": "2026-03-01T09:30:00.000Z",
        "lastModified": "2026-03-14T16:05:12.481Z",
        "lastErrorAt": "2026-03-14T04:11:09.000Z",
        "numFlows": 2,
        "numError": 7,
        "numRegisteredConnections": 2,
        "numOfflineConnections": 1,
        "_registeredConnectionIds": [SHOP, LEDGER],
        "_registeredLookupCacheIds": ["cache"],
        "_sourceId": OTHER_ID,
        "sandbox": False,
        "settings": {"warehouse": "EAST"},
        "flowGroupings": [
            {"_id": INBOUND, "name": "Inbound", "settings": {"batch": 50}},
            {"_id": OUTBOUND, "name": "Outbound", "settings": {"batch": 9}},
        ],
        **fields,
    }


def integration(**fields: Any) -> RemoteIntegration:
    """The same, read."""
    return CeligoClient.read_integration(document(**fields), CeligoClient.regions[0])
