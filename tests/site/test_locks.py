"""The locks: every package by its hash, and no address, so that each machine takes them from where it is told to."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from console.env import BASE_DIR

PYTHON_LOCKS = ("requirements.lock", "requirements-test.lock", ".ci/uv.lock", ".ci/node.lock")
NPM_LOCKS = ("package-lock.json", "tests/browser/package-lock.json")


def faults_of_python_lock(text: str) -> list[str]:
    """Packages without a hash or an exact version, and lines that hold an address."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    packages = re.split(r"\n(?=\S)", "\n".join(lines).strip())
    wrong = [each for each in packages if "==" not in each.split("\n")[0] or "--hash=sha256:" not in each]
    return wrong + [line for line in text.splitlines() if "://" in line or "index-url" in line]


def faults_of_npm_lock(lock: dict[str, Any]) -> list[str]:
    """Packages without a hash, or with an address."""
    packages = {name: each for name, each in lock["packages"].items() if name}
    return [name for name, each in packages.items() if "integrity" not in each or "resolved" in each]


@pytest.mark.parametrize("name", PYTHON_LOCKS)
def test_a_python_lock_has_hashes_and_no_addresses(name: str) -> None:
    text = Path(BASE_DIR, name).read_text()
    assert "--hash=sha256:" in text
    assert faults_of_python_lock(text) == []


@pytest.mark.parametrize("name", NPM_LOCKS)
def test_an_npm_lock_has_hashes_and_no_addresses(name: str) -> None:
    assert faults_of_npm_lock(json.loads(Path(BASE_DIR, name).read_text())) == []


def test_a_planted_fault_is_noticed() -> None:
    good = "one==1.0 \\\n    --hash=sha256:00\n"
    assert faults_of_python_lock(good) == []
    assert faults_of_python_lock(f"{good}two==2.0\n") == ["two==2.0"]
    assert faults_of_python_lock(f"{good}# from https://packages.example/simple\n")
    package = {"integrity": "sha512-00"}
    assert faults_of_npm_lock({"packages": {"": {}, "a": package, "b": {**package, "resolved": "https://x"}}}) == ["b"]
