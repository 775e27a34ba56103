"""A real Celery worker for a test: its own processes, on the test's database, broker and simulator."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from console import env
from console.celery import app
from console.processes import dying_with_parent
from tests.servers import ServerError, wait_until

_numbers = itertools.count(1)
QUEUES = ("interactive", "bulk")


def test_database_url() -> str:
    """The database that the running test uses, as DATABASE_URL for another process."""
    from django.db import connection

    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    return f"postgresql://{database['USER']}@/{quote(database['NAME'])}?host={database['HOST']}"


test_database_url.__test__ = False  # type: ignore[attr-defined]  # pytest: this is no test


class CeleryWorker:
    """The worker of the `worker` fixture. A test may `kill` it and `start` it again; `pid` is its main process."""

    def __init__(self, *, processes: int = 2, include: tuple[str, ...] = ()) -> None:
        self._processes = processes
        # Modules the worker imports besides ours, which may register job types of a test.
        self._include = include
        self._process: subprocess.Popen[bytes] | None = None
        self._is_paused = False
        self._name = ""
        self.log = Path(os.environ["DATA_DIR"]) / f"worker-{os.getpid()}.log"

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ensure_running(self) -> None:
        """Empty both queues of what an earlier test left there, and have a worker that takes messages."""
        app.control.purge()
        if not self.is_running:
            self.start()
        elif self._is_paused:
            for queue in QUEUES:
                app.control.add_consumer(queue, destination=[self._name])
            wait_until(lambda: self._consumed() == set(QUEUES), "The worker did not take up its queues")
        self._is_paused = False

    def settle(self) -> None:
        """Leave the next test alone: no task goes on into it, and none of its messages is taken until `ensure_running`.

        Tests that run jobs in their own process commit them, and would find this worker running them too. A worker
        that does not come to rest is killed.
        """
        app.control.purge()
        if not self.is_running:
            return
        for queue in QUEUES:
            app.control.cancel_consumer(queue, destination=[self._name])
        self._is_paused = True
        try:
            wait_until(lambda: not self._consumed() and self._is_idle(), "The worker was not idle", seconds=5)
        except ServerError:
            self.kill()

    @property
    def pid(self) -> int:
        """The main process; raises ServerError when none runs."""
        if self._process is None or not self.is_running:
            raise ServerError("The worker does not run.")
        return self._process.pid

    def start(self) -> None:
        """Start it (again) and wait until it answers a ping."""
        self._name = f"test-{os.getpid()}-{next(_numbers)}@localhost"
        command = [sys.executable, "-m", "celery", "-A", "console", "worker", "--queues", ",".join(QUEUES)]
        command += ["--concurrency", str(self._processes), "--hostname", self._name, "--loglevel", "INFO"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        if self._include:
            command += ["--include", ",".join(self._include)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=env.BASE_DIR,
                env=env.for_child_process(DATABASE_URL=test_database_url(), LOG_LEVEL="INFO"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=dying_with_parent(),
            )
        wait_until(self._answers, f"The worker did not answer (see its log: {self.log.name})", seconds=60)

    def kill(self) -> None:
        """Kill all its processes with -9, in the middle of whatever they do."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise ServerError(f"The worker ended at once:\n{self.log.read_text(errors='replace')[-3000:]}")
        return bool(app.control.ping(destination=[self._name], timeout=0.5, limit=1))

    def _consumed(self) -> set[str]:
        """The queues it takes messages from; both while it does not answer."""
        answer = app.control.inspect(destination=[self._name], timeout=1).active_queues()
        queues = (answer or {}).get(self._name)
        return set(QUEUES) if queues is None else {queue["name"] for queue in queues}

    def _is_idle(self) -> bool:
        tasks = app.control.inspect(destination=[self._name], timeout=1)
        answers = (tasks.active(), tasks.reserved())
        return all(answer is not None and not answer.get(self._name) for answer in answers)
