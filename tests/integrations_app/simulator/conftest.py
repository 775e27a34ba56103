"""A simulator on a port of its own, and a plain client for it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from integrations_app.simulator.server import SimulatorServer


class Caller:
    """Plain `requests` against one simulator: what a stranger with the printed keys could do."""

    def __init__(self, server: SimulatorServer) -> None:
        self.server = server
        self.session = requests.Session()
        self.session.trust_env = False

    def request(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        return self.session.request(method, self.server.url + path, timeout=30, **kwargs)

    def get(self, path: str, **kwargs: Any) -> requests.Response:
        return self.request("GET", path, **kwargs)

    def accounts(self) -> dict[str, dict[str, Any]]:
        return {each["account"]: each for each in self.get("/").json()["accounts"]}

    def control(self, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> dict[str, Any]:
        answer = self.request(method, f"/_control/{path}", json=body)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    def alloy(self, account: str, path: str = "", version: str = "", **kwargs: Any) -> requests.Response:
        """`GET /integrations{path}` as an account's end user; `version` for the legacy generation."""
        known = self.accounts()[account]
        headers = {"Authorization": f"bearer {known['credential']['api_key']}"}
        if not version:
            headers["x-api-version"] = "2025-09"
        prefix = f"/{version}" if version else ""
        params = {"userId": known["binding"]["end_user_id"], **kwargs.pop("params", {})}
        return self.get(f"/alloy{prefix}/integrations{path}", headers=headers, params=params, **kwargs)

    def torq_token(self, account: str, grant: str = "client_credentials") -> requests.Response:
        keys = self.accounts()[account]["credential"]
        coded = base64.b64encode(f"{keys['client_id']}:{keys['client_secret']}".encode()).decode()
        return self.request(
            "POST",
            "/torq/auth/v1/auth/token",
            headers={"Authorization": f"Basic {coded}"},
            data={"grant_type": grant},
        )

    def torq(self, token: str, prefix: str = "/public/v1alpha", **params: str) -> requests.Response:
        return self.get(f"/torq{prefix}/integrations", headers={"Authorization": f"Bearer {token}"}, params=params)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SimulatorServer]:
    with SimulatorServer(0, tmp_path, seed=1) as running:
        yield running


@pytest.fixture
def caller(server: SimulatorServer) -> Iterator[Caller]:
    made = Caller(server)
    yield made
    made.session.close()
