"""Vendor clients against the real simulator, and against servers that misbehave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations_app.simulator.server import SimulatorServer
from integrations_app.vendors.base import LOOPBACK_NETWORKS, Connection
from integrations_app.vendors.registry import region
from tests.integrations_app.vendors.hostile import HostileServer, Script


@pytest.fixture(scope="session")
def _simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorServer]:
    data_dir: Path = tmp_path_factory.mktemp("simulator")
    with SimulatorServer(port=0, data_dir=data_dir, seed=1) as server:
        yield server


@pytest.fixture
def simulator(_simulator: SimulatorServer) -> SimulatorServer:
    """A simulator in its first state: its `world` has the accounts, switches, faults and clock."""
    _simulator.world.reset()
    return _simulator


@pytest.fixture
def connect(simulator: SimulatorServer) -> Callable[..., Connection]:
    """Makes the connection to one of the simulator's accounts, by its name."""

    def connection(name: str, **changes: Any) -> Connection:
        account = simulator.world.account(name)
        assert account is not None
        return Connection(
            region(account.vendor, account.region, simulator.url),
            {**account.credential, **changes.pop("credential", {})},
            {**account.binding, **changes.pop("binding", {})},
            allowed_networks=LOOPBACK_NETWORKS,
            **changes,
        )

    return connection


@pytest.fixture
def hostile() -> Iterator[Callable[..., HostileServer]]:
    """Starts servers that answer with exactly the bytes a test gives them."""
    running: list[HostileServer] = []

    def start(*scripts: Script) -> HostileServer:
        running.append(HostileServer(scripts))
        return running[-1]

    yield start
    for server in running:
        server.stop()
