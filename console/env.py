"""The typed environment: every setting an installer may give, and the only module that reads `os.environ`.

`load()` returns one frozen `Environment` or raises `SettingsError` with one line per problem. `docs/settings.md` lists
the same fields for people; a test keeps the two equal.
"""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

BASE_DIR = Path(__file__).resolve().parent.parent
MIN_SECRET_KEY_CHARACTERS = 50
MAX_SOCKET_PATH_BYTES = 100  # Linux takes 107; the broker's client adds nothing, the rest is margin.
# sysexits.h: a configuration error. The unit files say not to restart on it.
EXIT_UNUSABLE = 78
BROKER_SCHEMES = ("redis", "rediss", "redis+socket", "amqp", "amqps")

Texts = Annotated[tuple[str, ...], NoDecode]


class SettingsError(Exception):
    """The environment cannot be used. `problems` holds one sentence each, for the installer."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Environment(BaseSettings):
    """The console's settings as the environment gives them; names are the fields' names in capitals."""

    model_config = SettingsConfigDict(case_sensitive=False, env_ignore_empty=True, extra="ignore", frozen=True)

    mode: Literal["development", "production"] = "development"
    debug: bool = False
    secret_key: str = Field("", repr=False)
    allowed_hosts: Texts = ()
    proxies: int = Field(0, ge=0, le=5)
    hsts_seconds: int = Field(31_536_000, ge=0)

    data_dir: Path = Path("var")
    database_url: str = Field("", repr=False)
    database_connection_seconds: int = Field(300, ge=0)
    broker_url: str = Field("", repr=False)
    broker_key_prefix: str = "integrations-console:"
    cache_url: str = Field("", repr=False)
    encryption_key_file: Path | None = None

    port: int = Field(8000, ge=1, le=65_535)
    simulator_port: int = Field(8100, ge=1, le=65_535)
    simulator_url: str = ""
    demo: bool | None = None
    vendor_allowed_hosts: Texts = ()

    web_processes: int = Field(2, ge=1, le=64)
    web_threads: int = Field(4, ge=1, le=64)
    interactive_workers: int = Field(2, ge=1, le=64)
    bulk_workers: int = Field(2, ge=1, le=64)

    # Admission of jobs to Celery: at once per queue (all machines together), per tenant and vendor account in a queue.
    interactive_jobs: int = Field(32, ge=1, le=10_000)
    bulk_jobs: int = Field(16, ge=1, le=10_000)
    jobs_per_tenant: int = Field(4, ge=1, le=10_000)
    jobs_per_account: int = Field(2, ge=1, le=10_000)
    # A worker that is gone is noticed after this long. Machines whose clocks differ by more would steal each other's
    # jobs.
    job_lease_seconds: int = Field(30, ge=3, le=3600)
    # A vendor may still be at work on a change whose answer was lost; only after this long is "it did not happen"
    # believed.
    write_settle_seconds: float = Field(20.0, ge=0, le=3600)

    # Template archives: larger ones are refused; the files of kept ones go after this long.
    archive_max_bytes: int = Field(64 * 1024 * 1024, ge=1024, le=1024**3)
    archive_retention_days: int = Field(30, ge=1, le=3650)

    time_zone: str = "UTC"
    log_format: Literal["", "console", "json"] = ""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    metrics_token: str = Field("", repr=False)

    email_host: str = ""
    email_port: int = Field(587, ge=1, le=65_535)
    email_user: str = ""
    email_password: str = Field("", repr=False)
    email_use_tls: bool = True
    email_from: str = "console@localhost"

    @field_validator("allowed_hosts", "vendor_allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("data_dir", "encryption_key_file")
    @classmethod
    def _resolve(cls, value: Path | None) -> Path | None:
        # Relative to the project, not to wherever the command was typed: two shells must mean the same database.
        return (BASE_DIR / value.expanduser()).resolve() if value else None

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str) -> str:
        if value:
            parse_database_url(value)
        return value

    @field_validator("broker_url")
    @classmethod
    def _check_broker_url(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in BROKER_SCHEMES:
            raise ValueError(f"must start with one of {', '.join(scheme + '://' for scheme in BROKER_SCHEMES)}")
        return value

    @field_validator("cache_url")
    @classmethod
    def _check_cache_url(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("redis", "rediss", "unix"):
            raise ValueError("must start with redis://, rediss:// or unix://")
        return value

    @field_validator("simulator_url")
    @classmethod
    def _check_simulator_url(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("http", "https"):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _check_ports(self) -> Self:
        if not self.simulator_url and self.port == self.simulator_port:
            raise ValueError("PORT and SIMULATOR_PORT must differ")
        return self

    @property
    def is_production(self) -> bool:
        return self.mode == "production"

    @property
    def key_file(self) -> Path:
        """Where the encryption keys are: `ENCRYPTION_KEY_FILE`, by default in the data directory."""
        return self.encryption_key_file or self.data_dir / "encryption.keys"

    @property
    def broker_socket(self) -> Path:
        """The embedded broker's socket; in the system's temporary folder when the data directory's path is too long."""
        wanted = self.data_dir / "broker" / "broker.sock"
        if len(os.fsencode(wanted)) <= MAX_SOCKET_PATH_BYTES:
            return wanted
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"console-{os.getuid()}-{digest}" / "broker.sock"

    @property
    def is_demo(self) -> bool:
        """Whether demo tenants and their sign-ins may exist: by default in development only."""
        return not self.is_production if self.demo is None else self.demo

    @property
    def has_embedded_broker(self) -> bool:
        return not self.broker_url

    def database(self) -> dict[str, Any]:
        """The database as Django's `DATABASES["default"]`."""
        if not self.database_url:
            return _sqlite(self.data_dir / "console.sqlite3")
        return parse_database_url(self.database_url, connection_seconds=self.database_connection_seconds)

    def broker(self) -> str:
        """The broker's URL as Celery takes it."""
        return self.broker_url or f"redis+socket://{self.broker_socket}"

    def unsafe_for_production(self) -> list[str]:
        """What must change before MODE=production may start: one sentence each, empty when all is well."""
        checks = {
            "DEBUG must be off: its error pages show settings and source code.": self.debug,
            "SECRET_KEY must be set: without it each installation would have to trust a default.": not self.secret_key,
            f"SECRET_KEY must be at least {MIN_SECRET_KEY_CHARACTERS} characters of random text, not an example.": (
                bool(self.secret_key) and not is_strong_secret(self.secret_key)
            ),
            "ALLOWED_HOSTS must name this console's host names.": not self.allowed_hosts,
            "ALLOWED_HOSTS must not be open: replace the entry with * by host names.": any(
                "*" in host for host in self.allowed_hosts
            ),
            "SIMULATOR_URL must not be set: the simulator pretends to be every vendor.": bool(self.simulator_url),
            "DEMO must be off: it shows the demo accounts' password on the sign-in page.": self.is_demo,
            f"ENCRYPTION_KEY_FILE: {self.key_file} is missing; put the key file back from its backup, "
            "or make one on a new installation as docs/install.md says.": not self.key_file.is_file(),
        }
        return [sentence for sentence, is_wrong in checks.items() if is_wrong]


def is_strong_secret(key: str) -> bool:
    """Long, varied, and not one of the placeholders people copy from documentation."""
    placeholders = ("insecure", "change-me", "changeme", "example", "secret-key", "your-")
    is_placeholder = any(word in key.lower() for word in placeholders)
    return len(key) >= MIN_SECRET_KEY_CHARACTERS and len(set(key)) >= 10 and not is_placeholder


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            # Writers wait for each other instead of failing: WAL lets readers go on meanwhile, IMMEDIATE takes the
            # write lock when a transaction begins (a read that turns into a write could not wait), and waiting ends
            # after 20 s.
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;",
        },
    }


def parse_database_url(url: str, *, connection_seconds: int = 300) -> dict[str, Any]:
    """`postgresql://user:password@host:5432/name?sslmode=require` or `sqlite:////absolute/path` for Django.

    Query parameters go to the driver as they are (`host=/run/postgresql` for a socket). Raises ValueError, which never
    holds the URL: it contains a password.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        if not parts.path.startswith("/") or len(parts.path) < 2:
            raise ValueError("sqlite:// needs an absolute path, as in sqlite:////srv/console/console.sqlite3")
        return _sqlite(Path("/" + unquote(parts.path).lstrip("/")))
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError("must start with postgresql:// or sqlite://")
    if not parts.path.strip("/"):
        raise ValueError("names no database")
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or (parts.hostname or ""),
        "PORT": str(parts.port or ""),
        # A fresh connection costs a request 5 ms; the health check replaces one that the server closed meanwhile.
        "CONN_MAX_AGE": connection_seconds,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def load() -> Environment:
    """Read the environment; raises SettingsError naming each setting that is wrong, or unsafe in production."""
    try:
        environment = Environment()
    except ValidationError as error:
        raise SettingsError([_sentence(dict(item)) for item in error.errors(include_input=False)]) from None
    if environment.is_production and (problems := environment.unsafe_for_production()):
        raise SettingsError(problems)
    return environment


def _sentence(item: dict[str, Any]) -> str:
    name = "_".join(str(part) for part in item["loc"]).upper()
    text = str(item["msg"]).removeprefix("Value error, ")
    return f"{name}: {text}." if name else f"{text}."


def development_secret_key(data_dir: Path) -> str:
    """This data directory's own secret key, made on first use; for MODE=development when SECRET_KEY is not given."""
    path = data_dir / "secret.key"
    # It holds the database, keys and sessions: nobody else's business on a shared machine.
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        # Linked into place whole: several processes start at once, and all must read the same finished key.
        with tempfile.NamedTemporaryFile("w", dir=data_dir, prefix=".secret.key.") as draft:
            draft.write(secrets.token_urlsafe(64))
            draft.flush()
            try:
                os.link(draft.name, path)
            except FileExistsError:
                pass
    return path.read_text().strip()


def for_child_process(**changes: str) -> dict[str, str]:
    """This process's environment with `changes`, for starting another one."""
    return {**os.environ, **changes}


@functools.lru_cache(maxsize=1)
def loaded() -> Environment:
    """The environment of this process, read once; ends the process with one line per problem when it cannot be used."""
    try:
        return load()
    except SettingsError as error:
        for problem in error.problems:
            print(f"console: {problem}", file=sys.stderr)
        raise SystemExit(EXIT_UNUSABLE) from None


def shares_metrics() -> bool:
    """Whether several processes share their Prometheus figures; prometheus_client reads this variable by itself."""
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ
