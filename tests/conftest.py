"""What the tests share: golden files, and tests that need TeX."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # workers side by side: one thread each, or products wait for one another
    os.environ.setdefault(name, "1")

GOLDEN = Path(__file__).parent / "golden"
collect_ignore = ["golden"]  # what is compared, not run: the modules for CuPy cannot even be imported without it


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes the golden files anew instead of comparing with them."""
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers."""
    config.addinivalue_line("markers", "needs_tex: needs pdflatex and latexmk; skipped without them")
    config.addinivalue_line("markers", "needs_data: reads MNIST or CIFAR-10; collected only where the cache holds them")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs TeX where there is none."""
    from symbp.report.compile import tex_available

    if item.get_closest_marker("needs_tex") and not tex_available():
        pytest.skip("TeX is not installed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """With SYMBP_REQUIRE_ALL=1, a test that is skipped fails."""
    return _required((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """The same for modules that are skipped whole."""
    return _required((yield))


def _required(report: Any) -> Any:
    if report.skipped and os.environ.get("SYMBP_REQUIRE_ALL") == "1":
        report.outcome, report.longrepr = "failed", f"skipped, but SYMBP_REQUIRE_ALL=1: {report.longrepr[-1]}"
    return report


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
