"""What the tests share: golden files, and tests that need TeX."""
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes the golden files anew instead of comparing with them."""
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers."""
    config.addinivalue_line("markers", "needs_tex: needs pdflatex; skipped without it, but fails in CI or with SYMBP_REQUIRE_TEX=1")


def tex_is_required() -> bool:
    """Return whether a missing TeX is an error here."""
    return os.environ.get("SYMBP_REQUIRE_TEX") == "1" or os.environ.get("CI", "").lower() == "true"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs TeX where there is none, or fail where there must be one."""
    if item.get_closest_marker("needs_tex") is None:
        return
    from symbp.report.compile import TEX_PACKAGES, tex_available

    if tex_available():
        return
    if tex_is_required():
        pytest.fail(f"TeX is required here and missing: apt install {TEX_PACKAGES}", pytrace=False)
    pytest.skip("TeX is not installed")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """A function that compares a text with `tests/golden/NAME`, or writes it with --update-golden."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"{path.name} is missing: run pytest --update-golden and look at it"
        assert text == path.read_text(encoding="utf-8"), f"{name} differs; if it should, run pytest --update-golden"

    return compare
