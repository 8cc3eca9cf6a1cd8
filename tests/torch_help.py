"""PyTorch for tests: skipped where it is missing, but an error where SYMBP_REQUIRE_TORCH=1 says that it must be there."""
from __future__ import annotations

import os
from types import ModuleType

import pytest


def load_torch() -> ModuleType:
    """The torch module; skips the calling test module without it."""
    try:
        import torch
    except ImportError:
        if os.environ.get("SYMBP_REQUIRE_TORCH") == "1":
            raise
        pytest.skip("PyTorch is not installed", allow_module_level=True)
    torch.set_num_threads(1)
    return torch
