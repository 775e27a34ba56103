"""`manage.py up` as people use it: two consoles side by side, processes killed, Ctrl-C, and the supervisor killed."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from console import env
from tests.servers import free_port, wait_until

pytestmark = [
    pytest.mark.house,
    pytest.mark.proof,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

# What tells each program's command line apart, and how many processes of it there are at least (with its own children).
PROGRAMS = {
    "broker": "valkey-server|redis-server",
    "simulator": r"manage\.py simulate",
    "web": "gunicorn",
    "worker for short calls": "worker --queues interactive",
    "worker for long jobs": "worker --queues bulk",
    "scheduler": r"console --quiet beat|beat --pidfile",
}


class Console:
    """A console that `manage.py up` runs in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.simulator_port = free_port(), free_port()
        self.log = folder / "up.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Console:
        self._process = self.up(self.log)
        wait_until(lambda: "Ready: " in self.said or not self.is_running, "The console was not ready", seconds=120)
        assert self.is_running, self.said
        return self

    def up(self, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "manage.py", "up", "--no-demo"],
                cwd=env.BASE_DIR,
                env=env.for_child_process(
                    DATA_DIR=str(self.folder / "data"),
                    PORT=str(self.port),
                    SIMULATOR_PORT=str(self.simulator_port),
                    **dict.fromkeys(("SIMULATOR_URL", "DATABASE_URL", "BROKER_URL", "DJANGO_ALLOW_ASYNC_UNSAFE"), ""),
                ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> int:
        """Send it a signal and wait for its end; its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(30)

    def programs(self) -> dict[str, int]:
        """The process id of each program, of those that the supervisor started itself."""
        children = {pid: command for pid, parent, command in processes() if parent == self.pid}
        return {
            name: pid
            for name, pattern in PROGRAMS.items()
            for pid, line in children.items()
            if re.search(pattern, line)
        }

    def all_pids(self) -> set[int]:
        """The supervisor, its programs, and their children."""
        found, table = {self.pid}, processes()
        while more := {pid for pid, parent, _ in table if parent in found} - found:
            found |= more
        return found

    def healthz(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


def processes() -> list[tuple[int, int, str]]:
    """Process id, parent and command line of everything that runs and is no zombie."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if state != "Z":
                found.append((int(entry.name), int(parent), command))
    return found


def alive(pids: set[int]) -> set[int]:
    return pids & {pid for pid, _, _ in processes()}


@pytest.fixture
def consoles() -> Iterator[list[Console]]:
    """Two consoles that are not started yet."""
    # A short path: a unix socket lies in it.
    folders = [Path(tempfile.mkdtemp(prefix="console-up-")) for _ in range(2)]
    made = [Console(folder) for folder in folders]
    yield made
    for console, folder in zip(made, folders, strict=True):
        if console.is_running:
            console.signal(signal.SIGTERM)
        shutil.rmtree(folder, ignore_errors=True)


def test_each_killed_process_comes_back_and_ctrl_c_leaves_nothing(consoles: list[Console]) -> None:
    console = consoles[0].start()
    before = console.programs()
    assert set(before) == set(PROGRAMS)

    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    wait_until(
        lambda: (
            set(console.programs()) == set(PROGRAMS) and not set(console.programs().values()) & set(before.values())
        ),
        "Not every process came back",
    )
    wait_until(lambda: console.healthz() == 200, "The web server did not come back")
    everything = console.all_pids()

    assert console.signal(signal.SIGINT) == 0
    assert alive(everything) == set()


def test_two_consoles_run_side_by_side_and_the_kernel_ends_what_a_killed_supervisor_leaves(
    consoles: list[Console],
) -> None:
    first, second = consoles[0].start(), consoles[1].start()
    assert (first.healthz(), second.healthz()) == (200, 200)
    everything = first.all_pids()

    first.signal(signal.SIGKILL)

    wait_until(lambda: not alive(everything), "Something outlived the supervisor", seconds=20)
    assert second.healthz() == 200


def test_a_port_in_use_is_refused_in_one_line(consoles: list[Console]) -> None:
    console = consoles[0]
    with socket.create_server(("127.0.0.1", console.port)):
        refused = console.up(console.log)

        assert refused.wait(60) == 1

    assert console.said.strip() == (
        f"CommandError: Port {console.port} is in use; choose another one: PORT={console.port + 1} make up."
    )


def test_a_second_console_on_the_same_data_is_refused_in_one_line(consoles: list[Console]) -> None:
    first, second = consoles
    first.start()
    second.folder = first.folder

    refused = second.up(second.log)

    assert refused.wait(60) == 1
    assert second.said.startswith("CommandError: Another console runs on ")
    assert len(second.said.splitlines()) == 1
