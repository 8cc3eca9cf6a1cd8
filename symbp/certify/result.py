"""What a check answers: a status and a figure for each rung of each gradient."""
from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

PASSED, FAILED, NOT_RUN, NOT_APPLICABLE = "passed", "failed", "not run", "not applicable"


@dataclass(frozen=True)
class RungResult:
    """One rung for one gradient.  `figure` is a relative error where the rung measures one."""

    rung: str
    status: str
    figure: float | None = None
    detail: str = ""

    def __str__(self) -> str:
        figure = "" if self.figure is None else f" {self.figure:.1e}"
        return f"{self.status}{figure}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True)
class GradientCertificate:
    """All rungs for the derivative by one tensor."""

    name: str
    rungs: tuple[RungResult, ...]


@dataclass(frozen=True)
class CheckReport:
    """The certificate of every gradient.

    Passed: no rung failed, and every gradient passed at least one rung that compares with something symbp did not derive.
    """

    of: str
    seed: int
    gradients: tuple[GradientCertificate, ...]

    @property
    def passed(self) -> bool:
        """Whether the gradients can be trusted."""
        independent = ("exact", "differences", "independent")
        return bool(self.gradients) and not self.failures and all(
            any(r.status == PASSED and r.rung in independent for r in g.rungs) for g in self.gradients)

    @property
    def failures(self) -> tuple[tuple[str, RungResult], ...]:
        """The gradients and rungs that failed."""
        return tuple((g.name, r) for g in self.gradients for r in g.rungs if r.status == FAILED)

    def table(self) -> str:
        """A block of lines for each gradient, and a verdict."""
        width = max((len(r.rung) for g in self.gradients for r in g.rungs), default=0)
        lines = []
        for gradient in self.gradients:
            lines.append(f"∂{self.of}/∂{gradient.name}")
            lines += [f"  {r.rung:<{width}}  {r}" for r in gradient.rungs]
        verdict = f"{len(self.gradients)} gradients checked: " + ("all hold" if self.passed else "NOT certified")
        return "\n".join([*lines, verdict])

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {"of": self.of, "seed": self.seed, "passed": self.passed, "gradients": [asdict(g) for g in self.gradients]}
