"""The supervisor with small programs: order, restarts, giving up, and ending everything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console import env
from integrations_app.management.supervisor import Program, StartError, StoppedError, Supervisor
from tests.servers import wait_until

# Says that it runs by adding its process id to a file, then waits for a signal.
WAITS = "import os, signal, sys; f = open(sys.argv[1], 'a'); f.write(f'{os.getpid()}\\n'); f.close(); signal.pause()"


def waiting_program(path: Path, name: str = "waits") -> Program:
    return Program(
        name, [sys.executable, "-c", WAITS, str(path)], env.for_child_process(), is_ready=lambda: bool(started(path))
    )


def started(path: Path) -> list[int]:
    """The process ids that the program has had so far."""
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie that its parent has not yet asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisors() -> Iterator[list[Supervisor]]:
    """Supervisors put in here are ended after the test."""
    running: list[Supervisor] = []
    yield running
    for supervisor in running:
        supervisor.stop()
        supervisor.end_all()


def test_a_killed_program_is_started_again(tmp_path: Path, said: list[str], supervisors: list[Supervisor]) -> None:
    path = tmp_path / "pids"
    supervisor = Supervisor([waiting_program(path)], said.append)
    supervisors.append(supervisor)
    supervisor.start("waits")
    first = started(path)[0]
    watching = threading.Thread(target=supervisor.watch)
    watching.start()

    os.kill(first, signal.SIGKILL)

    wait_until(lambda: len(started(path)) == 2, "The program was not started again", seconds=10)
    assert not is_alive(first)
    assert said == ["waits ended (signal SIGKILL); starting it again."]
    supervisor.stop()
    watching.join(10)


def test_a_program_that_never_gets_ready_is_given_up(said: list[str], supervisors: list[Supervisor]) -> None:
    fails = Program("fails", [sys.executable, "-c", "raise SystemExit(3)"], env.for_child_process(), lambda: False)
    supervisor = Supervisor([fails], said.append)
    supervisors.append(supervisor)

    with pytest.raises(StartError, match="fails ended 3 times before it was ready"):
        supervisor.start("fails")

    assert said == ["fails ended (exit code 3); starting it again."] * 3


def test_asking_to_stop_ends_a_start_that_is_still_waiting(tmp_path: Path, supervisors: list[Supervisor]) -> None:
    program = waiting_program(tmp_path / "pids")
    supervisor = Supervisor([Program("waits", program.command, program.environment, lambda: False)], print)
    supervisors.append(supervisor)
    threading.Timer(0.1, supervisor.stop).start()

    with pytest.raises(StoppedError):
        supervisor.start("waits")


def test_a_program_that_ignores_the_signal_is_killed_with_its_children(
    tmp_path: Path, said: list[str], supervisors: list[Supervisor]
) -> None:
    path = tmp_path / "pids"
    stubborn = (
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"subprocess.run([sys.executable, '-c', {WAITS!r}, sys.argv[1]])"
    )
    program = Program(
        "stubborn",
        [sys.executable, "-c", stubborn, str(path)],
        env.for_child_process(),
        is_ready=lambda: bool(started(path)),
        stop_seconds=0.2,
    )
    supervisor = Supervisor([program], said.append)
    supervisors.append(supervisor)
    supervisor.start("stubborn")

    supervisor.end_all()

    wait_until(lambda: not is_alive(started(path)[0]), "The grandchild lives on", seconds=5)
    assert supervisor.pids() == {}


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent death signal is Linux's")
def test_programs_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "pids"
    script = (
        "import sys; from console import env; from integrations_app.management.supervisor import Program, Supervisor;"
        f"program = Program('waits', [sys.executable, '-c', {WAITS!r}, sys.argv[1]], env.for_child_process());"
        "supervisor = Supervisor([program], print); supervisor.start('waits'); supervisor.watch()"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(path)], cwd=env.BASE_DIR, env=env.for_child_process())
    wait_until(lambda: bool(started(path)), "The program did not start", seconds=20)

    parent.kill()
    parent.wait()

    wait_until(lambda: not is_alive(started(path)[0]), "The program outlived its supervisor", seconds=5)


def test_the_pause_before_a_restart_grows(tmp_path: Path, said: list[str], supervisors: list[Supervisor]) -> None:
    path = tmp_path / "times"
    notes = f"import time; open({str(path)!r}, 'a').write(f'{{time.monotonic()}}\\n')"
    supervisor = Supervisor([Program("ends", [sys.executable, "-c", notes], env.for_child_process())], said.append)
    supervisors.append(supervisor)
    supervisor.start("ends")
    watching = threading.Thread(target=supervisor.watch)
    watching.start()

    wait_until(lambda: path.exists() and len(path.read_text().split()) >= 4, "Too few restarts", seconds=20)
    supervisor.stop()
    watching.join(10)

    times = [float(line) for line in path.read_text().split()]
    assert times[3] - times[2] > times[1] - times[0]
    assert time.monotonic() - times[0] > 0.2 + 0.4 + 0.8
