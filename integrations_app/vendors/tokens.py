"""A token store for one client, where nothing shared is handed in: tests, and a client used on its own."""

from __future__ import annotations

import time

from integrations_app.vendors.base import TokenFetch

# A token is not used in its last minute, nor in the last tenth of a short life: it must outlive the call it is for.
_EARLY_SECONDS = 60.0
_EARLY_SHARE = 0.1


class MemoryTokens:
    """Keeps one token in memory."""

    def __init__(self) -> None:
        self._token: str | None = None
        self._good_until = 0.0

    def current(self) -> str | None:
        """The token, or None when there is none or it is about to expire."""
        return self._token if self._token and time.monotonic() < self._good_until else None

    def renew(self, refused: str | None, fetch: TokenFetch) -> str:
        """A token other than `refused`."""
        token = self.current()
        if token is not None and token != refused:
            return token
        token, seconds = fetch()
        self._token = token
        self._good_until = time.monotonic() + seconds - min(_EARLY_SECONDS, seconds * _EARLY_SHARE)
        return token
