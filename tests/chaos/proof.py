"""What a proof leaves behind: one line that says what was planned, what was run, and what failed.

`pytest tests/chaos --proofs=long` runs the proofs at their full size, `--proofs=short` at a tenth of it; without the
option they are left out.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass
class Proof:
    """One proof while it runs. `dice` is seeded, so that a failure can be had again with PROOF_SEED."""

    name: str
    planned: int
    seed: int
    run: int = 0
    failures: list[str] = field(default_factory=list)
    _begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def count(self, complaint: str = "") -> None:
        """One more was run; with a complaint it failed."""
        self.run += 1
        if complaint:
            self.failures.append(complaint)

    def end(self, capsys: pytest.CaptureFixture[str], **more: object) -> None:
        """Leave the line, in the output and in the file PROOF_LOG names; fail when anything did."""
        line = {
            "name": self.name,
            "planned": self.planned,
            "run": self.run,
            "failures": len(self.failures),
            "seconds": round(time.monotonic() - self._begun, 1),
            "seed": self.seed,
            **more,
        }
        with capsys.disabled():
            sys.stdout.write(f"\nproof {json.dumps(line)}\n")
        if log := os.environ.get("PROOF_LOG"):
            with Path(log).open("a") as file:
                file.write(json.dumps(line) + "\n")
        assert not self.failures, self.failures[:10]
        assert self.run == self.planned
