"""How large the proofs are."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.chaos.proof import Proof


@pytest.fixture
def proof(request: pytest.FixtureRequest) -> Callable[[str, int], Proof]:
    """Makes a proof of this name and full size; a tenth of it unless `--proofs=long`."""

    def make(name: str, full: int) -> Proof:
        planned = full if request.config.getoption("--proofs") == "long" else max(1, full // 10)
        return Proof(name, planned, int(os.environ.get("PROOF_SEED", "20261125")))

    return make
