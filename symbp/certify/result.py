"""What a check answers: a status and a figure for each rung of each gradient."""
from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

PASSED, FAILED, NOT_RUN, NOT_APPLICABLE = "passed", "failed", "not run", "not applicable"
RUNGS = {
    "exact": "SymPy's derivative of the written-out result, on small shapes",
    "identity": "the derivative in a random direction by forward mode",
    "differences": "central differences in double precision",
    "independent": "the forward equations printed as PyTorch and differentiated by autograd",
    "lowered": "what the generated code computes",
}
"""The rungs of the ladder, and what each compares the gradient with."""
INDEPENDENT = ("exact", "differences", "independent")
"""The rungs that compare with something that symbp did not derive."""


@dataclass(frozen=True)
class RungResult:
    """One rung for one gradient.  `figure` is a relative error where the rung measures one."""

    rung: str
    status: str
    figure: float | None = None
    detail: str = ""

    @property
    def decides(self) -> bool:
        """Whether the rung was run and has a verdict."""
        return self.status in (PASSED, FAILED)

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
        return bool(self.gradients) and not self.failures and not self.uncertain

    @property
    def uncertain(self) -> tuple[str, ...]:
        """The gradients that passed no rung of the independent ones."""
        return tuple(g.name for g in self.gradients if not any(r.status == PASSED and r.rung in INDEPENDENT for r in g.rungs))

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
        return "\n".join([*lines, self.verdict])

    @property
    def verdict(self) -> str:
        """The outcome in one line."""
        return f"{len(self.gradients)} gradients checked: " + ("all hold" if self.passed else "NOT certified")

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {"of": self.of, "seed": self.seed, "passed": self.passed, "gradients": [asdict(g) for g in self.gradients]}
