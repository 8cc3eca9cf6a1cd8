"""Several claim files: each is judged, whatever is wrong with the others.

Stage: paths → reports and bad files → the exit code, the terminal's table, a document, JSON.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from symbp.errors import SymbpError
from symbp.report.text import visible
from symbp.settings import NetworkError
from symbp.verify.report import Report, verify

HOLDS, MISTAKEN, BAD = 0, 1, 2


@dataclass
class Audit:
    """What was found: the reports, and for each bad file one paragraph."""

    reports: list[Report] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """0 all claims hold, 1 something is wrong or could not be judged, 2 a file is bad."""
        return BAD if self.bad else HOLDS if all(r.holds for r in self.reports) else MISTAKEN

    @property
    def summary(self) -> str:
        """All files in a sentence."""
        claims = sum(len(r.verdicts) for r in self.reports)
        holding = sum(r.holds for r in self.reports)
        bad = f"; {len(self.bad)} could not be read" if self.bad else ""
        return f"{len(self.reports) + len(self.bad)} files, {claims} claims; in {holding} files all hold{bad}"

    def to_json(self) -> list[dict[str, Any]]:
        """The reports, and behind them the bad files."""
        return [*(r.to_json() for r in self.reports), *({"file": path, "error": error} for path, error in self.bad.items())]


def audit(names: Iterable[str | Path], judge: Callable[[Path], Report] = verify,
          each: Callable[[list[Path]], Iterable[Path]] = iter) -> Audit:
    """Judge claim files, or all those in a folder; `each` may show how far it is.

    Raises `NetworkError` where a folder has none.
    """
    found = Audit()
    for path in each(list(dict.fromkeys(_paths(names)))):
        try:
            found.reports.append(judge(path))
        except SymbpError as error:
            found.bad[visible(str(path))] = " ".join(str(error).split())
        except RecursionError:
            found.bad[visible(str(path))] = "the expressions are nested too deeply; write them as several equations"
    return found


def _paths(names: Iterable[str | Path]) -> Iterator[Path]:
    for name in map(Path, names):
        if not _is_folder(name):
            yield name
            continue
        inside = sorted(name.glob("*.toml"))
        if not inside:
            raise NetworkError(f"there is no claim file in {visible(str(name))}; claim files end in .toml")
        yield from inside


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
