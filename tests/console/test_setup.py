"""Setting up does nothing twice, needs no network then, and notices an environment that no longer runs."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from console import env


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder that was set up. Its environment is empty, and without lock files nothing can be installed."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(env.BASE_DIR / ".ci" / "setup.py", tmp_path / ".ci" / "setup.py")
    (tmp_path / "static" / "vendor").mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    setup = _module(tmp_path)
    sources = [tmp_path / name for name in ("package.json", "package-lock.json", ".npmrc", "static/build.mjs")]
    stamps = {
        "environment": setup.python_version(),
        "packages": setup.python_version() + setup.digest_of(tmp_path / "requirements.lock"),
        "front-end": setup.digest_of(*sources),
    }
    (tmp_path / ".setup").mkdir()
    for name, text in stamps.items():
        (tmp_path / ".setup" / f"{name}.stamp").write_text(text)
    return tmp_path


def _module(project: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("setup_of_a_copy", project / ".ci" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _set_up(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, project / ".ci" / "setup.py"], capture_output=True, text=True, check=False, timeout=120
    )


def test_what_is_set_up_is_left_as_it_is(project: Path) -> None:
    done = _set_up(project)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_another_copy_of_the_same_python_keeps_the_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = _module(project)
    stamped = (project / ".setup" / "environment.stamp").read_text()
    monkeypatch.setattr(sys, "base_prefix", "/another/python")
    assert setup.environment_runs()
    assert setup.python_version() == stamped


def test_an_environment_whose_python_is_gone_is_made_anew(project: Path) -> None:
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(project / "gone")
    done = _set_up(project)
    assert done.stdout == "setup: virtual environment ...\n"
    # The folder has no lock file, so it ends in one line there; the environment itself was made.
    assert done.stderr.startswith("setup: uv could not be installed")
    assert python.resolve().is_file()
