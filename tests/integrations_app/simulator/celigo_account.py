"""A caller of one pretend Celigo account who holds every request and every answer to the contract."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import requests
from jsonschema import Draft202012Validator

from integrations_app.simulator.server import SimulatorServer
from integrations_app.simulator.wire import Account
from tests.integrations_app.simulator.contract import DATA_DIR, Contract

CONTRACT = json.loads((DATA_DIR / "contracts" / "celigo.contract.json").read_text())
contract = Contract("celigo")
Document = dict[str, Any]


def template_of(path: str) -> str:
    """The path as the contract writes it; words win over places for an id."""
    parts = path.split("?")[0].strip("/").split("/")
    fitting: list[tuple[int, str]] = []
    for known in CONTRACT["paths"]:
        names = known.strip("/").split("/")
        if len(names) == len(parts) and all(n.startswith("{") or n == p for n, p in zip(names, parts, strict=True)):
            fitting.append((known.count("{"), known))
    return min(fitting)[1]


class CeligoAccount:
    """Plain `requests` with the account's token. `call` raises for an answer that the contract does not know."""

    def __init__(self, simulator: SimulatorServer, account: Account, suffix: str = "") -> None:
        self.simulator = simulator
        self.account = account
        self.base = f"{simulator.url}/celigo"
        self._headers = {"Authorization": f"Bearer {account.credential['api_token']}{suffix}"}

    def raw(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        address = path if path.startswith("http") else self.base + path
        headers = {**self._headers, **kwargs.pop("headers", {})}
        return requests.request(method, address, headers=headers, timeout=20, **kwargs)

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> requests.Response:
        answer = self.raw(method, path, json=body, params=params)
        template = template_of(path.removeprefix(self.base))
        operation = CONTRACT["paths"][template][method.lower()]
        if body is not None and answer.status_code < 400:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            Draft202012Validator({**CONTRACT, **schema}).validate(body)
        assert str(answer.status_code) in operation["responses"], (method, template, answer.status_code, answer.text)
        if answer.content:
            contract.check(method, template, answer.status_code, answer.json())
        return answer

    def get(self, path: str, **params: Any) -> Any:
        """The JSON behind a path, [] for 204."""
        answer = self.call("GET", path, **params)
        assert answer.status_code in (200, 201, 204), answer.text
        return answer.json() if answer.content else []

    def listed(self) -> list[Document]:
        # Asked often, and held to the contract in test_celigo.py.
        found: list[Document] = self.raw("GET", "/v1/integrations").json()
        return found

    def pick(self, wanted: Callable[[Document], bool]) -> str:
        """The id of the first integration like that."""
        return str(next(document["_id"] for document in self.listed() if wanted(document)))

    def one(self, identifier: str) -> Document:
        found: Document = self.get(f"/v1/integrations/{identifier}")
        return found

    def operations(self) -> list[str]:
        """What the ledger says was carried out, in order."""
        return [entry["operation"] for entry in self.simulator.world.ledger(self.account.name)]


def codes(answer: requests.Response) -> list[tuple[str, str]]:
    """The errors of an answer as (code, field)."""
    return [(error["code"], error.get("field", "")) for error in answer.json()["errors"]]


def is_plain(document: Document) -> bool:
    """With flows and connections, no Integration App, nothing in its way."""
    return bool(document.get("numFlows", 0) >= 2 and "_connectorId" not in document and document["flowGroupings"])


def is_half_installed(document: Document) -> bool:
    return document.get("mode") == "install"


HEX = re.compile(r"[0-9a-f]{24}")
