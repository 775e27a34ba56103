"""The code that proves, on a new installation, that whoever opens the first-run page runs the machine.

It stands in a file in DATA_DIR that only the console's own account can read; `manage.py up` and `manage.py setup_link`
print it. Once the owner exists it is forgotten.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.conf import settings


def _path() -> Path:
    return Path(settings.DATA_DIR) / "setup-code"


def current() -> str:
    """The code, made on first use."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(24))
    return path.read_text().strip()


def forget() -> None:
    _path().unlink(missing_ok=True)
