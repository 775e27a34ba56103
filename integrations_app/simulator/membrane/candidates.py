"""Integrations that a workspace does not have but could: generated for a search, stored nowhere, without id and key.

Which fields such an item carries is Assumed: the reference requires only its name.
"""

from __future__ import annotations

from typing import Any

from integrations_app.simulator.membrane.documents import Workspace, slug
from integrations_app.simulator.membrane.query import ListQuery

# Apps nobody has integrated: name and auth type of those with a connector, name of those without.
CONNECTORS = (
    ("Parcelfinch", "oauth2"),
    ("Parcel Harbour", "client-credentials"),
    ("Lanternsign", "oauth2"),
    ("Mapleforms", "oauth2"),
)
EXTERNAL_APPS = ("Parcelfinch Labels", "Cloudberry HR", "Lantern Payroll", "Stonebridge Bank")
# Numbers of their connectors and apps: behind those of the integrated ones.
FIRST_CONNECTOR = 1000
FIRST_APP = 2000


def generate(workspace: Workspace, query: ListQuery) -> list[dict[str, Any]]:
    """The candidates a query asks for, from connectors first, then external apps, then the web."""
    made = []
    if query.from_connectors:
        made += [_from_connector(workspace, place) for place in range(len(CONNECTORS))]
    if query.from_external_apps:
        made += [_from_app(workspace, place) for place in range(len(EXTERNAL_APPS))]
    if query.connector_id is not None:
        made = [item for item in made if item.get("connectorId") == query.connector_id]
    if query.app_uuid is not None:
        made = []
    found = [item for item in made if query.search in item["name"].lower()]
    if query.from_web and query.search and query.connector_id is None and query.app_uuid is None:
        found.append(_from_web(query.search))
    return found


def _from_connector(workspace: Workspace, place: int) -> dict[str, Any]:
    name, auth_type = CONNECTORS[place]
    return {
        "name": name,
        "logoUri": f"https://static.membrane.example/logos/{slug(name)}.png",
        "connectorId": workspace.connector_id(FIRST_CONNECTOR + place),
        "externalAppId": workspace.identifier("app", FIRST_APP - 1 - place),
        "authType": auth_type,
        "appUri": f"https://{slug(name)}.example",
    }


def _from_app(workspace: Workspace, place: int) -> dict[str, Any]:
    name = EXTERNAL_APPS[place]
    return {
        "name": name,
        "logoUri": f"https://static.membrane.example/logos/{slug(name)}.png",
        "externalAppId": workspace.identifier("app", FIRST_APP + place),
        "appUri": f"https://{slug(name)}.example",
    }


def _from_web(search: str) -> dict[str, Any]:
    """The web knows everything, by name and address only."""
    return {"name": search.title(), "appUri": f"https://www.{slug(search) or 'search'}.example"}
