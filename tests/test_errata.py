"""docs/errata.md is what the command prints; with --update-golden it is written anew (as by `make errata`)."""
from __future__ import annotations

from pathlib import Path

import pytest

from symbp.cli import main

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "errata.md"


def test_the_errata_are_the_output_of_the_command(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    out = PAGE if request.config.getoption("--update-golden") else tmp_path / "errata.md"
    assert main(["verify", "examples/claims", "--run-code", "--errata", "--format", "md", "--out", str(out)]) == 1
    assert out.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")
