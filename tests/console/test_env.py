"""The typed environment: what it takes, what it refuses, and that the documentation lists exactly it."""

from __future__ import annotations

import ast
import re
import threading
from pathlib import Path

import pytest

from console import env

DOCUMENTED_ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def documented_settings() -> dict[str, str]:
    """Setting -> its default as docs/settings.md says it."""
    text = (env.BASE_DIR / "docs" / "settings.md").read_text()
    return {name: default for name, default, _ in DOCUMENTED_ROW.findall(text)}


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    declared = {name.upper() for name in env.Environment.model_fields}

    assert set(documented_settings()) == declared


def test_documented_defaults_are_the_real_ones() -> None:
    documented = documented_settings()

    for name, field in env.Environment.model_fields.items():
        if isinstance(field.default, bool | int | str | Path) and field.default != "":
            assert documented[name.upper()].startswith(f"`{_as_typed(field.default)}`"), name


def _as_typed(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_no_other_module_reads_the_environment() -> None:
    readers = {
        path.relative_to(env.BASE_DIR).as_posix()
        for package in ("console", "integrations_app")
        for path in (env.BASE_DIR / package).rglob("*.py")
        if path.name != "env.py" and _reads_environment(path)
    }

    assert not readers


def _reads_environment(path: Path) -> bool:
    """Whether it names os.environ or os.getenv; telling Django its settings' name (setdefault) is no reading."""
    tree = ast.parse(path.read_text())
    told = {
        id(node.func.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setdefault"
    }
    return any(
        isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and id(node) not in told
        for node in ast.walk(tree)
    )


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("PORT", "many", "PORT: "),
        ("PORT", "70000", "PORT: "),
        ("MODE", "staging", "MODE: "),
        ("DEBUG", "perhaps", "DEBUG: "),
        ("DATABASE_URL", "mysql://u:hunter2@host/name", "DATABASE_URL: must start with postgresql://"),
        ("DATABASE_URL", "postgresql://u:hunter2@host", "DATABASE_URL: names no database"),
        ("DATABASE_URL", "sqlite://relative.sqlite3", "DATABASE_URL: sqlite:// needs an absolute path"),
        ("BROKER_URL", "filesystem:///tmp", "BROKER_URL: must start with one of"),
        ("CACHE_URL", "memcached://hunter2", "CACHE_URL: must start with"),
        ("SIMULATOR_URL", "ftp://127.0.0.1", "SIMULATOR_URL: must start with http://"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_that_names_it_and_keeps_its_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(env.SettingsError) as refused:
        env.load()

    assert len(refused.value.problems) == 1
    assert refused.value.problems[0].startswith(complaint)
    assert "hunter2" not in str(refused.value)


def test_the_two_ports_must_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMULATOR_URL")
    monkeypatch.setenv("PORT", "8100")

    with pytest.raises(env.SettingsError, match="PORT and SIMULATOR_PORT must differ"):
        env.load()


def test_an_empty_variable_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")

    assert env.load().port == 8000


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "a.example, b.example,")

    assert env.load().allowed_hosts == ("a.example", "b.example")


def test_relative_paths_start_at_the_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", "elsewhere")

    environment = env.load()

    assert environment.data_dir == env.BASE_DIR / "elsewhere"
    assert environment.key_file == env.BASE_DIR / "elsewhere" / "encryption.keys"


def test_a_postgresql_address_is_taken_apart() -> None:
    database = env.parse_database_url("postgresql://us%40er:p%2Fw@db.example:5433/name?sslmode=require")

    assert (database["USER"], database["PASSWORD"]) == ("us@er", "p/w")
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", "5433", "name")
    assert database["OPTIONS"] == {"sslmode": "require"}


def test_a_postgresql_address_may_name_a_socket() -> None:
    database = env.parse_database_url("postgresql:///console?host=/run/postgresql")

    assert (database["HOST"], database["PORT"], database["OPTIONS"]) == ("/run/postgresql", "", {})


def test_the_embedded_broker_listens_in_the_data_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BROKER_URL")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))

    environment = env.load()

    assert environment.has_embedded_broker
    assert environment.broker() == f"redis+socket://{environment.broker_socket}"


def test_the_embedded_broker_moves_when_its_socket_would_have_too_long_a_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / ("long" * 30)))

    first = env.load().broker_socket
    monkeypatch.setenv("DATA_DIR", str(tmp_path / ("also" * 30)))
    second = env.load().broker_socket

    assert len(str(first)) < env.MAX_SOCKET_PATH_BYTES
    assert first != second


def test_processes_that_start_together_agree_on_the_development_key(tmp_path: Path) -> None:
    keys: list[str] = []
    barrier = threading.Barrier(8)

    def read() -> None:
        barrier.wait()
        keys.append(env.development_secret_key(tmp_path))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert env.is_strong_secret(keys[0])
    assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0


def test_passwords_do_not_show_in_the_environments_text(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "DATABASE_URL", "BROKER_URL", "CACHE_URL", "EMAIL_PASSWORD", "METRICS_TOKEN"):
        address = {"DATABASE_URL": "postgresql://u:hunter2@h/n", "BROKER_URL": "redis://:hunter2@h/0"}
        monkeypatch.setenv(name, {**address, "CACHE_URL": "redis://:hunter2@h/1"}.get(name, "hunter2"))

    assert "hunter2" not in repr(env.load())
