"""PyTorch for tests: skipped where it is missing (and failed where SYMBP_REQUIRE_ALL=1, see conftest)."""
from __future__ import annotations

from types import ModuleType

import pytest


def load_torch() -> ModuleType:
    """The torch module; skips the calling test module without it."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return torch
