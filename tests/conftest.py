"""What every test stands on: servers of the chosen stack, the simulator, a real worker, a real browser.

Which stack is chosen before Django's settings load: `--stack=embedded` (SQLite and the embedded broker, the default),
`postgres-redis` or `postgres-rabbitmq`. Each pytest-xdist worker has servers, folders and addresses of its own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings

from tests.servers import Postgres, RabbitMQ, Server, Valkey, free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django import DjangoDbBlocker

    from integrations_app.simulator.server import SimulatorServer
    from tests.celery_worker import CeleryWorker

pytest_plugins = ["tests.people"]

STACKS = ("embedded", "postgres-redis", "postgres-rabbitmq")
_EVERY_STACK = frozenset(Path(__file__).parent / "integrations_app" / name for name in ("services", "jobs"))
_PROOFS = Path(__file__).parent / "chaos"
FOLDER = pytest.StashKey[Path]()
SERVERS = pytest.StashKey[list[Server]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stack", choices=STACKS, default="embedded", help="database and broker that the tests run on")
    parser.addoption("--proofs", choices=("short", "long"), help="run the proofs too, of this size")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start the servers and describe them in the environment; pytest-django loads the settings after this hook."""
    if settings.configured:
        raise pytest.UsageError("Unset DJANGO_SETTINGS_MODULE: the tests choose their settings by themselves.")
    folder = Path(tempfile.mkdtemp(prefix="console-tests-"))
    # PostgreSQL and RabbitMQ run as another user below it.
    folder.chmod(0o755)
    config.stash[FOLDER] = folder
    config.stash[SERVERS] = []
    for name in [name for name in os.environ if name in _OURS]:
        del os.environ[name]
    os.environ.update(
        DATA_DIR=str(folder / "data"),
        SECRET_KEY="only-for-tests-" + "0123456789" * 5,
        SIMULATOR_URL=f"http://127.0.0.1:{free_port()}",
        LOG_LEVEL="WARNING",
        # Playwright's event loop runs in this thread, and Django would refuse the database there.
        DJANGO_ALLOW_ASYNC_UNSAFE="true",
    )
    is_controller = bool(getattr(config.option, "numprocesses", None)) and not hasattr(config, "workerinput")
    if not is_controller and not config.option.collectonly:
        _start_servers(config, folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "console.settings"
    from console import crypto

    # Reading a setting loads them all; pytest-django, whose hook comes after this one, then sets Django up.
    crypto.create_key_file(settings.ENCRYPTION_KEY_FILE)
    if is_controller:
        # Its xdist workers inherit the environment, and must not load the settings before they have set their own.
        del os.environ["DJANGO_SETTINGS_MODULE"]
    # WhiteNoise warns about a folder that is not there, and no test collects static files into it.
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


_OURS = (
    "MODE", "DEBUG", "SECRET_KEY", "ALLOWED_HOSTS", "PROXIES", "DATABASE_URL", "BROKER_URL", "CACHE_URL", "DEMO",
    "ENCRYPTION_KEY_FILE", "SIMULATOR_URL", "VENDOR_ALLOWED_HOSTS", "TIME_ZONE", "LOG_FORMAT", "METRICS_TOKEN",
    "EMAIL_HOST", "BROKER_KEY_PREFIX",
)  # fmt: skip


def _start_servers(config: pytest.Config, folder: Path) -> None:
    stack = config.getoption("--stack")

    def started(server: Server) -> str:
        server.folder.mkdir(parents=True)
        config.stash[SERVERS].append(server)
        return server.start().url

    if stack != "embedded":
        os.environ["DATABASE_URL"] = started(Postgres(folder / "postgres"))
    if stack == "postgres-rabbitmq":
        os.environ["BROKER_URL"] = started(RabbitMQ(folder / "rabbitmq"))
    else:
        os.environ["BROKER_URL"] = started(Valkey(folder / "valkey", on_port=stack == "postgres-redis"))


def pytest_unconfigure(config: pytest.Config) -> None:
    if FOLDER not in config.stash:
        return
    for server in config.stash[SERVERS]:
        server.stop()
    shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


def pytest_report_header(config: pytest.Config) -> str:
    return f"stack: {config.getoption('--stack')}"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """SQLite's test database is a file: a worker is another process and must open the same one."""
    from django.db import connections

    database = connections["default"].settings_dict
    if database["ENGINE"].endswith("sqlite3"):
        database["TEST"]["NAME"] = str(Path(os.environ["DATA_DIR"]) / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _quick_settings(django_test_environment: None) -> Iterator[None]:
    """Passwords hash in no time, and static files are served as they lie in the folders, without a collecting step."""
    from django.test import override_settings

    with override_settings(
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        STORAGES={
            **settings.STORAGES,
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        },
    ):
        yield


@pytest.fixture(autouse=True)
def _fresh_cache(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The cache is a table that no model owns: emptied where a test's writes are not rolled back."""
    yield
    mark = request.node.get_closest_marker("django_db")
    is_kept = {"transactional_db", "live_server"} & set(request.fixturenames) or (
        mark and mark.kwargs.get("transaction")
    )
    if is_kept:
        from django.core.cache import cache

        with django_db_blocker.unblock():
            cache.clear()


@pytest.fixture(scope="session")
def _simulator_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorServer]:
    from urllib.parse import urlsplit

    from integrations_app.simulator.server import SimulatorServer

    # The address was chosen before the settings loaded, because regions are made from it.
    port = urlsplit(os.environ["SIMULATOR_URL"]).port
    assert port is not None
    with SimulatorServer(port, tmp_path_factory.mktemp("simulator"), seed=1) as server:
        yield server


@pytest.fixture
def simulator(_simulator_server: SimulatorServer) -> SimulatorServer:
    """The simulated vendors at `settings.SIMULATOR_URL`, as new: `simulator.url`, `simulator.world`."""
    _simulator_server.world.reset()
    return _simulator_server


@pytest.fixture(scope="session")
def _celery_worker(django_db_setup: None) -> Iterator[CeleryWorker]:
    from tests.celery_worker import CeleryWorker

    worker = CeleryWorker()
    yield worker
    # Before the test database goes: PostgreSQL drops none that somebody is connected to.
    worker.kill()


@pytest.fixture
def worker(_celery_worker: CeleryWorker, simulator: SimulatorServer, transactional_db: None) -> Iterator[CeleryWorker]:
    """A real Celery worker process for both queues, on the test's database and simulator.

    Tests share it, since it takes seconds to start; one that was killed, or is still busy after its test, is replaced.
    """
    _celery_worker.ensure_running()
    yield _celery_worker
    _celery_worker.settle()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium; see tests/chromium.py for where it comes from."""
    from playwright.sync_api import sync_playwright

    from tests.chromium import launch

    with sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, live_server: object) -> Iterator[Page]:
    """A fresh browser window on the running site: `page.goto("/integrations/")`. Fails on a script or CSP error."""
    from tests.chromium import open_window

    with open_window(browser, str(live_server)) as window:
        yield window


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that use a worker, or are about services or jobs on a database, are `stack` tests: bulk writes, locks and
    races differ from one database to the other. Those that use a browser are `browser` tests.

    What only PostgreSQL can do is left to the stacks that have it, and proofs to `--proofs`: they take minutes.
    """
    for item in items:
        if item.path.parent == _PROOFS:
            item.add_marker("proof")
    if not config.getoption("--proofs"):
        proofs = [item for item in items if item.get_closest_marker("proof")]
        config.hook.pytest_deselected(items=proofs)
        items[:] = [item for item in items if not item.get_closest_marker("proof")]
    if config.getoption("--stack") == "embedded":
        elsewhere = [item for item in items if item.get_closest_marker("postgres")]
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]
    for item in items:
        names = getattr(item, "fixturenames", ())
        is_of_the_database = item.path.parent in _EVERY_STACK and item.get_closest_marker("django_db")
        if "worker" in names or is_of_the_database:
            item.add_marker("stack")
        if "page" in names or "browser" in names:
            item.add_marker("browser")
