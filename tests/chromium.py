"""The headless browser of the tests: Chromium from PATH, else the one unpacked from its npm package."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright

from console import env

PACKAGED = Path(__file__).parent / "browser" / "chromium"
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
# The sandbox needs rights that a container's root or a CI user lacks; the pages are our own.
_ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")


class BrowserMissingError(Exception):
    """There is no browser; the text says how to get one."""


def find() -> Path:
    """The browser's executable; raises BrowserMissingError."""
    for name in _NAMES:
        if found := shutil.which(name):
            return Path(found)
    if (PACKAGED / "chromium").is_file():
        return PACKAGED / "chromium"
    raise BrowserMissingError("No browser: install Chromium, or run `make setup`, which unpacks one without root.")


def launch(playwright: Playwright) -> Browser:
    """Start the browser, headless."""
    executable = find()
    environment: dict[str, str | float | bool] = {}
    if executable.parent == PACKAGED:
        # A bare system has neither fonts nor the libraries that a desktop brings along.
        libraries = os.pathsep.join(str(path) for path in (PACKAGED / "al2023" / "lib", PACKAGED) if path.is_dir())
        environment = {"FONTCONFIG_PATH": str(PACKAGED / "fonts"), "LD_LIBRARY_PATH": libraries}
    return playwright.chromium.launch(
        executable_path=executable,
        args=list(_ARGUMENTS),
        env={**env.for_child_process(), **environment},
    )


@contextlib.contextmanager
def open_window(browser: Browser, base_url: str) -> Iterator[Page]:
    """A window with nothing in its storage; afterwards, fails for script errors and for what the CSP refused."""
    problems: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and ("Content Security Policy" in message.text or "Refused to" in message.text):
            problems.append(message.text)

    context = browser.new_context(base_url=base_url, viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", note)
    try:
        yield page
    finally:
        context.close()
    assert not problems, f"The pages reported: {problems}"
