"""What belongs to the integrations of a pretend Celigo account, made from numbers alone like the integrations.

Integration `n` has the flows 16n, 16n+1, ...; flow `f` the exports and imports 2f and 2f+1; integration `n` the
connections 4n to 4n+2. So an id leads back to all that is above it without a table. Field names and types: Celigo
developer reference and help centre.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from integrations_app.simulator.celigo.documents import Document, Maker
from integrations_app.simulator.names import APPS, OBJECTS, Dice, digest, number_in, stamp

FLOWS_PER_INTEGRATION = 16
CONNECTIONS_PER_INTEGRATION = 4
STEPS_PER_FLOW = 2  # of each kind
# Beyond this many, all open errors of an integration stand at one step.
CROWDED = 100
MASK = "******"

Step = tuple[str, str]  # "export" or "import", and its id


@lru_cache(maxsize=8192)
def _counts(salt: str, number: int) -> tuple[int, int, int]:
    """Flows, connections and open errors of an integration."""
    maker = Maker(salt)
    document = maker.integration(number)
    flows = 3 if maker.is_half_installed(number) else document.get("numFlows", 0)
    return flows, len(maker.connection_ids(number)), document.get("numError", 0)


class Resources:
    """Makes flows, exports, imports and connections."""

    def __init__(self, maker: Maker) -> None:
        self._maker = maker

    # --- how many, and which ids ---------------------------------------------------------------------------------

    def flow_count(self, number: int) -> int:
        """Flows of integration `number`; a half installed one has them when it is installed."""
        return 0 if self._maker.is_half_installed(number) else self.flow_count_installed(number)

    def flow_count_installed(self, number: int) -> int:
        """The same, once nothing is left to install."""
        return _counts(self._maker.salt, number)[0]

    def connection_count(self, number: int) -> int:
        """Connections made for integration `number`."""
        return _counts(self._maker.salt, number)[1]

    def index_of(self, kind: str, identifier: str) -> int | None:
        """The number inside an id of this kind."""
        return number_in(f"{self._maker.salt}:{kind}", identifier) if len(identifier) == 24 else None

    def integration_of(self, kind: str, index: int) -> int:
        """The number of the integration that the `index`th thing of a kind belongs to."""
        if kind == "connection":
            return index // CONNECTIONS_PER_INTEGRATION
        return (index if kind == "flow" else index // STEPS_PER_FLOW) // FLOWS_PER_INTEGRATION

    def flow_id(self, number: int, place: int) -> str:
        """The id of a flow of integration `number`."""
        return self._maker.identifier("flow", number * FLOWS_PER_INTEGRATION + place)

    def ids(self, kind: str, number: int, flows: int) -> list[str]:
        """The ids of one kind below integration `number`, when it has that many flows."""
        first = number * FLOWS_PER_INTEGRATION
        if kind == "flow":
            return [self._maker.identifier("flow", first + place) for place in range(flows)]
        steps = [step for place in range(flows) for step in self.steps(first + place)]
        return [identifier for each, identifier in steps if each == kind]

    def steps(self, flow: int) -> list[Step]:
        """The exports and imports of a flow, in the order records pass them."""
        first, shape = flow * STEPS_PER_FLOW, flow % 3
        steps = [("export", first)]
        if shape == 1:
            steps.append(("export", first + 1))
        steps.append(("import", first))
        if shape == 2:
            steps.append(("import", first + 1))
        return [(kind, self._maker.identifier(kind, index)) for kind, index in steps]

    # --- open errors ---------------------------------------------------------------------------------------------

    def errors_at(self, number: int) -> dict[tuple[str, str], int]:
        """Open errors of integration `number` as generated, by flow id and step id."""
        flows, _, errors = _counts(self._maker.salt, number)
        if not errors or not flows:
            return {}
        first = number * FLOWS_PER_INTEGRATION
        at_second = errors // 4 if flows > 1 and errors <= CROWDED else 0
        places = [(first, self._last_step(first), errors - at_second)]
        if at_second:
            places.append((first + 1, self._last_step(first + 1), at_second))
        return {(self._maker.identifier("flow", flow), step): count for flow, step, count in places}

    def _last_step(self, flow: int) -> str:
        return self.steps(flow)[-1][1]

    def newest_error_at(self, number: int, flow_id: str) -> datetime:
        """When the newest open error of a flow happened; the integration's own `lastErrorAt` for its first flow."""
        newest = datetime.fromisoformat(self._maker.integration(number)["lastErrorAt"])
        return newest if flow_id == self.flow_id(number, 0) else newest - timedelta(seconds=90)

    # --- documents -----------------------------------------------------------------------------------------------

    def make(self, kind: str, index: int) -> Document:
        """The document of the `index`th thing of a kind."""
        if kind == "flow":
            return self._flow(index)
        return self._connection(index) if kind == "connection" else self._step(kind, index)

    def _common(self, kind: str, index: int, dice: Dice, name: str) -> Document:
        changed = dice.moment(20, 300)
        return {
            "_id": self._maker.identifier(kind, index),
            "createdAt": stamp(changed - timedelta(days=dice.number(1, 200))),
            "lastModified": stamp(changed + timedelta(milliseconds=dice.number(0, 999))),
            "name": name,
        }

    def _flow(self, index: int) -> Document:
        number, place = divmod(index, FLOWS_PER_INTEGRATION)
        dice = Dice(self._maker.salt, "flow", index)
        integration = self._maker.integration(number)
        has_errors = any(flow == self._maker.identifier("flow", index) for flow, _ in self.errors_at(number))
        subject = dice.pick(OBJECTS)
        flow = self._common(
            "flow", index, dice, f"{subject.capitalize()} {dice.pick(('hourly', 'nightly', 'on demand'))}"
        )
        flow |= {
            "description": f"Moves {subject}",
            "disabled": dice.chance(20) and not has_errors,
            "_integrationId": integration["_id"],
            "skipRetries": False,
            "autoResolveMatchingTraceKeys": True,
            "free": False,
            "pageGenerators": [{"_exportId": self.steps(index)[0][1], "skipRetries": False}],
            **self._processors(index),
        }
        if dice.chance(60):
            flow |= {"schedule": f"? {dice.number(0, 59)} 0,6,12,18 ? * *", "timezone": "America/New_York"}
        if dice.chance(80) or has_errors:
            flow["lastExecutedAt"] = stamp(dice.moment(0, 12))
        groupings = integration.get("flowGroupings", [])
        if groupings:
            flow["_flowGroupingId"] = groupings[place % len(groupings)]["_id"]
        if "_connectorId" in integration:
            flow["_connectorId"] = integration["_connectorId"]
        return flow

    def _processors(self, index: int) -> Document:
        """What follows the first export: steps in a row, or a router with branches."""
        rest = [
            {"type": kind, f"_{kind}Id": identifier, "responseMapping": {"fields": [], "lists": []}}
            for kind, identifier in self.steps(index)[1:]
        ]
        if index % 3 != 2:
            return {"pageProcessors": rest}
        branches = [
            {"name": name, "branchId": digest(self._maker.salt, index, name).hex()[:11], "pageProcessors": [step]}
            for name, step in zip(("Matched", "Rest"), rest, strict=True)
        ]
        router = {"id": digest(self._maker.salt, index, "router").hex()[:11], "name": "By region",
                  "routeRecordsTo": "first_matching_branch", "routeRecordsUsing": "input_filters",
                  "branches": branches}  # fmt: skip
        return {"routers": [router]}

    def _step(self, kind: str, index: int) -> Document:
        number = self.integration_of(kind, index)
        dice = Dice(self._maker.salt, kind, index)
        connections = self._maker.connection_ids(number)
        subject = dice.pick(OBJECTS)
        verb = "Get" if kind == "export" else "Create"
        step = self._common(kind, index, dice, f"{verb} {subject}")
        step |= {
            "apiIdentifier": f"{kind[0]}{digest(self._maker.salt, kind, index).hex()[:9]}",
            "_connectionId": connections[index % len(connections)],
            "_integrationId": self._maker.identifier("integration", number),
            "oneToMany": False,
            "adaptorType": "HTTPExport" if kind == "export" else "HTTPImport",
        }
        path = f"/{subject.replace(' ', '-')}"
        if kind == "export":
            return step | {
                "type": "delta",
                "asynchronous": True,
                "isLookup": index % STEPS_PER_FLOW == 1,
                "pageSize": dice.pick((20, 100)),
                "delta": {"dateFormat": "YYYY-MM-DDTHH:mm:ss[Z]"},
                "http": {"relativeURI": f"{path}?since={{{{{{lastExportDateTime}}}}}}", "method": "GET"},
            }
        return step | {"http": {"relativeURI": [path], "method": ["POST"]}, "mappings": []}

    def _connection(self, index: int) -> Document:
        number, place = divmod(index, CONNECTIONS_PER_INTEGRATION)
        dice = Dice(self._maker.salt, "connection", index)
        slug, app = dice.pick(APPS)
        connection = self._common("connection", index, dice, f"{app} {number + 1}")
        connection |= {
            "offline": place == 0 and self._maker.has_offline_connection(number),
            "queues": [{"name": connection["_id"], "size": dice.pick((0, 0, 0, 12))}],
            "settings": {},
        }
        if slug == "netsuite":
            return connection | {"type": "netsuite", "netsuite": _netsuite(dice)}
        http = {
            "formType": "http",
            "mediaType": "json",
            "baseURI": f"https://{slug}.vendor.example/api",
            "auth": {"type": "token", "token": {"location": "header", "token": MASK}},
            "ping": {"relativeURI": "/me", "method": "GET"},
            "encrypted": MASK,
        }
        return connection | {"type": "http", "assistant": slug.replace("-", ""), "http": http}


def _netsuite(dice: Dice) -> dict[str, Any]:
    return {
        "account": f"TSTDRV{dice.number(1_000_000, 9_999_999)}",
        "authType": "token",
        "tokenId": MASK,
        "tokenSecret": MASK,
        "wsdlVersion": "2023.1",
    }


def steps_of(flow: Document) -> list[Step]:
    """The kinds and ids of a flow's exports and imports, in order, wherever in the document they stand."""
    found: list[Step] = []

    def look(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                look(item)
        elif isinstance(value, dict):
            found.extend((kind, value[f"_{kind}Id"]) for kind in ("export", "import") if f"_{kind}Id" in value)
            look(list(value.values()))

    look([flow.get(name) for name in ("pageGenerators", "pageProcessors", "routers")])
    return list(dict.fromkeys(found))
