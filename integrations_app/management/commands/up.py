"""`manage.py up`: the whole console on this machine, supervised, until Ctrl-C."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from console import crypto, env
from console.access import services, setup_code
from integrations_app.management.supervisor import (
    BrokerMissingError,
    Program,
    StartError,
    StoppedError,
    Supervisor,
    broker_binary,
    python_command,
)


class Command(BaseCommand):
    """Prepares database and files, then starts broker, simulator, web, workers and scheduler, in this order."""

    help = "Start the console with everything it needs on this machine, and keep it running until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="do not fill an empty database with demo tenants")

    def handle(self, *args: Any, **options: Any) -> None:
        environment = settings.ENV
        with _only_one(environment.data_dir):
            _refuse_taken_ports(environment)
            try:
                self._run(environment, is_demo=environment.is_demo and not options["no_demo"])
            except (StartError, BrokerMissingError) as error:
                raise CommandError(str(error)) from error
            except StoppedError:
                pass

    def _run(self, environment: env.Environment, *, is_demo: bool) -> None:
        programs = _programs(environment)
        names = [program.name for program in programs]
        supervisor = Supervisor(programs, self._say)
        supervisor.install_signals()
        try:
            for name in [name for name in names if name in _BEFORE_DATA]:
                supervisor.start(name)
            self._prepare(environment)
            sign_ins = self._fill_demo(environment) if is_demo else ""
            for name in [name for name in names if name not in _BEFORE_DATA]:
                supervisor.start(name)
            self._say(f"Ready: http://127.0.0.1:{environment.port}")
            self._say(sign_ins or _first_steps(environment))
            supervisor.watch()
        finally:
            self._say("Stopping.")
            # The broker last: workers hand their messages back to it.
            supervisor.end_together([name for name in names if name != "broker"])
            supervisor.end_all()

    def _prepare(self, environment: env.Environment) -> None:
        if not environment.is_production:
            crypto.create_key_file(environment.key_file)
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
        _collect_static(environment.data_dir)
        # The supervisor itself needs no database from here on.
        connections.close_all()

    def _fill_demo(self, environment: env.Environment) -> str:
        """Have the demo tenants made when there is nobody yet; what it printed (address and sign-ins)."""
        if "demo" not in get_commands():
            return ""
        done = subprocess.run(
            python_command("manage.py", "demo", "--only-if-new"),
            cwd=env.BASE_DIR,
            env=_child_environment(environment),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            self._say("The demo could not be made; the lines above say why. The console starts without it.")
        return done.stdout.strip()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _first_steps(environment: env.Environment) -> str:
    """Where to begin: the page that makes the owner, while there is nobody; else the sign-in page."""
    address = f"http://127.0.0.1:{environment.port}"
    try:
        if services.has_users():
            return f"Sign in at {address}/accounts/login/"
        return f"Create the owner's account at {address}/welcome/?code={setup_code.current()}"
    finally:
        connections.close_all()


# They need no database, and the demo needs them.
_BEFORE_DATA = ("broker", "simulator")


def _programs(environment: env.Environment) -> list[Program]:
    child = _child_environment(environment)
    programs = [_web(environment, child), *_workers(environment, child)]
    if not environment.simulator_url and not environment.is_production:
        programs.insert(0, _simulator(environment, child))
    if environment.has_embedded_broker:
        programs.insert(0, _broker(environment, child))
    return programs


def _child_environment(environment: env.Environment) -> dict[str, str]:
    """What every program gets: the same settings, and the simulator's address where it is ours."""
    changes = {"PYTHONUNBUFFERED": "1", "DJANGO_SETTINGS_MODULE": "console.settings"}
    # Seven processes start at once: without cached bytecode each would compile every module anew.
    changes["PYTHONDONTWRITEBYTECODE"] = ""
    if "log_level" not in environment.model_fields_set:
        # A line for each request and job would carry the sign-ins off the screen.
        changes["LOG_LEVEL"] = "WARNING"
    if not environment.simulator_url and not environment.is_production:
        changes["SIMULATOR_URL"] = f"http://127.0.0.1:{environment.simulator_port}"
    return env.for_child_process(**changes)


def _broker(environment: env.Environment, child: dict[str, str]) -> Program:
    folder, path = environment.data_dir / "broker", environment.broker_socket
    for each in (folder, path.parent):
        each.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [str(broker_binary()), "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"]
    # Every message is on disk within a second, so a restarted broker still has the queue.
    command += ["--dir", str(folder), "--appendonly", "yes", "--save", "", "--loglevel", "warning"]
    command += ["--logfile", str(folder / "broker.log")]
    return Program("broker", command, child, is_ready=lambda: _broker_answers(path))


def _simulator(environment: env.Environment, child: dict[str, str]) -> Program:
    port = environment.simulator_port
    command = python_command(str(env.BASE_DIR / "manage.py"), "simulate", "--port", str(port))
    return Program("simulator", command, child, is_ready=lambda: _http_status(port, "/") == 200)


def _web(environment: env.Environment, child: dict[str, str]) -> Program:
    figures = environment.data_dir / "metrics"
    shutil.rmtree(figures, ignore_errors=True)
    figures.mkdir(parents=True)
    command = python_command(
        "-m", "gunicorn", "-c", "python:console.gunicorn_conf", "--chdir", str(env.BASE_DIR), "console.wsgi"
    )
    return Program(
        "web",
        command,
        {**child, "PROMETHEUS_MULTIPROC_DIR": str(figures)},
        is_ready=lambda: _http_status(environment.port, "/healthz", settings.ALLOWED_HOSTS) == 200,
    )


def _workers(environment: env.Environment, child: dict[str, str]) -> Iterator[Program]:
    """A worker for each queue, so that no long job ever takes the place of a short call, and the scheduler."""
    celery = python_command("-m", "celery", "--workdir", str(env.BASE_DIR), "-A", "console", "--quiet")
    for queue, processes in (("interactive", environment.interactive_workers), ("bulk", environment.bulk_workers)):
        name = f"{queue}-{environment.port}@%h"
        options = ["--queues", queue, "--concurrency", str(processes), "--hostname", name]
        # They tell workers about each other, which ours have no use for, and cost a second at the start.
        options += [
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "--loglevel",
            child.get("LOG_LEVEL", environment.log_level),
        ]
        yield Program(
            f"worker-{queue}", [*celery, "worker", *options], child, orphan_signal=signal.SIGQUIT, stop_seconds=5
        )
    scheduler = [*celery, "beat", "--pidfile", "", "--loglevel", child.get("LOG_LEVEL", environment.log_level)]
    yield Program("scheduler", scheduler, child)


def _broker_answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            # "-LOADING" while it reads its file.
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _http_status(port: int, path: str, hosts: list[str] | None = None) -> int:
    """The status of a GET on this machine; 0 when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    host = hosts[0].lstrip(".") if hosts else "127.0.0.1"
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Two consoles on one data directory would take each other's broker and scheduler."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data_dir / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CommandError(
                f"Another console runs on {data_dir}; choose another folder: DATA_DIR=… make up."
            ) from error
        yield


def _refuse_taken_ports(environment: env.Environment) -> None:
    ports = {"PORT": environment.port}
    if not environment.simulator_url and not environment.is_production:
        ports["SIMULATOR_PORT"] = environment.simulator_port
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise CommandError(f"Port {port} is in use; choose another one: {name}={port + 1} make up.") from error


def _collect_static(data_dir: Path) -> None:
    """Collect the static files unless they are the same as last time."""
    stamp = data_dir / "static.stamp"
    found = _static_digest()
    if stamp.is_file() and stamp.read_text() == found and Path(settings.STATIC_ROOT).is_dir():
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(found)


def _static_digest() -> str:
    digest = hashlib.sha256(str(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            facts = os.stat(storage.path(path))
            digest.update(f"{path}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    return digest.hexdigest()
