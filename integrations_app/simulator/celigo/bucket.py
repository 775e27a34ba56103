"""The leaky bucket that limits an account's calls: full at first, one token a call, refilled as time goes by."""

from __future__ import annotations

import math
import threading


class LeakyBuckets:
    """One bucket per account, on a clock that may be moved. Source: developer.celigo.com, "Rate limits"."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._levels: dict[str, tuple[float, float]] = {}  # account: tokens at that time

    def take(self, account: str, *, at: float, size: int, refill_per_second: float) -> int:
        """Spend a token; 0 when there was one, else the whole seconds until there is one again (at least 1)."""
        with self._lock:
            level, since = self._levels.get(account, (float(size), at))
            level = min(float(size), level + max(0.0, at - since) * refill_per_second)
            if level >= 1:
                self._levels[account] = (level - 1, at)
                return 0
            self._levels[account] = (level, at)
            return max(1, math.ceil((1 - level) / refill_per_second)) if refill_per_second > 0 else 1
