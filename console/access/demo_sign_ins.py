"""The demo's people as the sign-in page shows them, and their one password, which is in the clear in DATA_DIR.

Nothing here answers outside demo mode, which production refuses. The password stands in a file that only the console's
own account can read; it opens the demo's tenants and no others.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.conf import settings

from console.access.models import User

# By role; the first is the platform admin.
EMAILS = tuple(
    f"{role}@demo.example" for role in ("platform", "owner", "admin", "editor", "support", "viewer", "auditor")
)
# Without letters and digits that look alike: people read it off a terminal. 16 of them are 78 bits.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_LENGTH = 4, 4


def _path() -> Path:
    return Path(settings.DATA_DIR) / "demo-password"


def make_password() -> str:
    """The demo's password, made on first use."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return password()
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    with os.fdopen(descriptor, "w") as file:
        file.write("-".join(groups))
    return password()


def password() -> str:
    """The demo's password; "" outside demo mode and where none was made."""
    try:
        return _path().read_text().strip() if settings.DEMO else ""
    except FileNotFoundError:
        return ""


def emails() -> list[str]:
    """The addresses that sign in with it; none outside demo mode or where the demo was not made."""
    if not password():
        return []
    present = set(User.objects.filter(email__in=EMAILS, is_active=True).values_list("email", flat=True))
    return [email for email in EMAILS if email in present]
