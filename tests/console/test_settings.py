"""Production mode: refuses each unsafe thing, and is clean by Django's own deployment check."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from console import crypto, env

STRONG = secrets.token_urlsafe(60)


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    """Settings that production accepts."""
    key_file = tmp_path / "encryption.keys"
    crypto.create_key_file(key_file)
    return {
        "MODE": "production",
        "SECRET_KEY": STRONG,
        "ALLOWED_HOSTS": "console.example.com",
        "DATA_DIR": str(tmp_path),
        "ENCRYPTION_KEY_FILE": str(key_file),
        "SIMULATOR_URL": "",
        "DATABASE_URL": "",
        "BROKER_URL": "",
        # Playwright's, from tests/conftest.py.
        "DJANGO_ALLOW_ASYNC_UNSAFE": "",
    }


def run(settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "manage.py", *arguments],
        cwd=env.BASE_DIR,
        env=env.for_child_process(**settings),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_deployment_check_is_clean_in_production(production: dict[str, str]) -> None:
    done = run(production, "check", "--deploy", "--fail-level", "INFO")

    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"DEBUG": "1"}, "DEBUG must be off"),
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set"),
        ({"SECRET_KEY": "django-insecure-" + STRONG}, "SECRET_KEY must be at least 50 characters of random text"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY must be at least 50 characters of random text"),
        ({"SECRET_KEY": "a" * 60}, "SECRET_KEY must be at least 50 characters of random text"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS must name"),
        ({"ALLOWED_HOSTS": "console.example.com,*"}, "ALLOWED_HOSTS must not be open"),
        ({"ALLOWED_HOSTS": "*.example.com"}, "ALLOWED_HOSTS must not be open"),
        ({"SIMULATOR_URL": "http://127.0.0.1:8100"}, "SIMULATOR_URL must not be set"),
        ({"DEMO": "1"}, "DEMO must be off"),
        ({"ENCRYPTION_KEY_FILE": "/nonexistent/encryption.keys"}, "ENCRYPTION_KEY_FILE: /nonexistent/encryption.keys"),
    ],
)
def test_production_refuses_each_unsafe_setting(
    monkeypatch: pytest.MonkeyPatch, production: dict[str, str], changes: dict[str, str], sentence: str
) -> None:
    for name, value in {**production, **changes}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(env.SettingsError) as refused:
        env.load()

    assert len(refused.value.problems) == 1
    assert refused.value.problems[0].startswith(sentence)


def test_an_unsafe_production_ends_with_a_line_per_problem_and_without_a_traceback(production: dict[str, str]) -> None:
    done = run({**production, "DEBUG": "1", "ALLOWED_HOSTS": "*"}, "check")

    assert done.returncode == env.EXIT_UNUSABLE
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("console: ") for line in lines)


def test_every_page_carries_a_policy_that_allows_no_foreign_or_inline_script(client: Client) -> None:
    policy = client.get("/healthz").headers["Content-Security-Policy"]

    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"].split()[0] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy
    assert "http" not in policy
