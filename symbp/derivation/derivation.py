"""A derivation: an adjoint program and, on demand, the lines of each gradient."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import sympy as sp

from symbp.calculus.differentiate import Derivative, adjoint
from symbp.derivation.kept import kept_cotangents
from symbp.derivation.lines import Gradient, Line, Step, is_plain_row
from symbp.derivation.mean import mean, samples
from symbp.derivation.options import Options
from symbp.derivation.rows import Rows, merged
from symbp.derivation.textbook import Textbook
from symbp.errors import LanguageError, SymbpError
from symbp.language.functions import equal
from symbp.language.program import Program
from symbp.language.tensor import Access
from symbp.passes.closed import Writer, fresh_bound, index_names, tidy, unused, writers
from symbp.passes.sums import collapse
from symbp.passes.unroll_recurrence import Case
from symbp.printing.latex import Writer as Printer
from symbp.suggest import nearest

if TYPE_CHECKING:
    from symbp.certify.result import CheckReport
    from symbp.network import Network
    from symbp.report.model import Report
    from symbp.report.write import Written


class Derivation:
    """Every gradient of `of`, lazily: `d["W1"]` derives the lines of W1; cotangents are found by `d.cotangent("z1")`.

    program: forward and adjoint statements.  names: the tensors in the order of the backward pass.
    """

    def __init__(self, forward: Program, of: str, wrt: Iterable[str] | None = None, options: Options | None = None,
                 title: str = "", network: Network | None = None) -> None:
        self.forward, self.of, self.title, self.network = forward, of, title, network
        self.options = options or Options()
        if not forward.definition(forward.tensor(of).name):
            computed = [t.name for t in forward.tensors if forward.definition(t.name) and t.dtype == "float"]
            raise LanguageError(f"{of} is given, not computed, and has no derivative{nearest(of, computed)}")
        count = samples(forward, of) if forward.conventions.scale_in == "gradient" else None
        self.mean = None if count is None else mean(forward, of, wrt, count)
        self.derivative: Derivative = self.mean.derivative if self.mean else adjoint(forward, of, wrt)
        self.program = self.derivative.program
        self.wrt = self.derivative.wrt
        self._gradients: dict[str, Gradient] = {}
        if not self.wrt:
            raise LanguageError(f"there is nothing to differentiate {of} by: no tensor has the role parameter; give one that role, "
                                f"or name tensors (--wrt)")

    @cached_property
    def writer(self) -> Printer:
        """The LaTeX printer of the program."""
        return Printer(self.program)

    @cached_property
    def writers(self) -> dict[str, tuple[Writer, ...]]:
        """What writes each tensor, in closed form."""
        return writers(self.program)

    @cached_property
    def kept(self) -> frozenset[str]:
        """The cotangents that stay by name."""
        return kept_cotangents(self.derivative, self.writers)

    @cached_property
    def rows(self) -> Rows:
        """The cases of cotangents."""
        return Rows(self.program, self.writers)

    @cached_property
    def textbook(self) -> Textbook:
        """The passes that bring a case into textbook form."""
        return Textbook(self.forward, self.writers, self.options)

    # gradients

    @property
    def gradients(self) -> dict[str, str]:
        """For each of `wrt` the tensor that holds ∂of/∂wrt."""
        return self.mean.gradients if self.mean else {name: self.derivative.names[name] for name in self.wrt}

    @property
    def names(self) -> tuple[str, ...]:
        """The forward tensors whose cotangents have lines of their own, in the order in which the backward pass completes them."""
        base = {bar: name for name, bar in self.derivative.names.items()}
        complete = dict.fromkeys(eq.target.name for eq in reversed(self.program.equations))
        return tuple(base[b] for b in reversed(complete) if b in self.kept)

    def __getitem__(self, name: str) -> Gradient:
        return self.cotangent(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.wrt)

    def cotangent(self, name: str) -> Gradient:
        """The lines of ∂of/∂name; raises `LanguageError` with the nearest name for an unknown one."""
        if name not in self.derivative.names:
            raise LanguageError(f"there is no derivative by {name!r} here{nearest(name, self.derivative.names)}")
        if name not in self._gradients:
            bar, bars = self.derivative.names[name], {*self.derivative.names.values()}
            given = {t.name for t in self.program.inputs}
            cases = self.rows.cases(bar, bars - self.kept - {bar} - given)
            lines = merged([self._line(case) for case in cases])
            if self.mean and name in self.mean.gradients:
                lines = [self.mean.line(line, name) for line in lines]
            self._gradients[name] = Gradient(name, tuple(lines))
        return self._gradients[name]

    def _line(self, case: Case) -> Line:
        log = self.textbook.opening(case, self.derivative)
        right, rest = self.textbook.shortest(tidy(case.expression))
        return Line(case.target, right, tuple(Step(k, *entry) for k, entry in enumerate([*log, *rest], 1)), self)

    def jacobian(self, name: str) -> list[tuple[Access, Access, sp.Expr]]:
        """The elements ∂of[q]/∂name[i], for an `of` with axes: the cotangent's lines with [m = q] for the seed.

        Each entry holds the element of `of`, the element of `name`, and the derivative.  A line that cannot be written
        without other cotangents, as in a recurrence, has no entry, nor has one of many contributions.
        """
        target, seed = self.program.tensor(self.of), self.derivative.names[self.of]
        others = {*self.derivative.names.values()} - {seed}
        entries = []
        for line in self[name].lines:
            right = tidy(self.textbook.write_out(line.right, others))
            if not is_plain_row(line.target) or any(a.name in others for a in right.atoms(Access)):
                continue
            taken = index_names(line.target, right)
            chosen = tuple(i.renamed(unused(i.name, taken)) for i in self.rows.plain(self.of))
            one = {a: sp.Mul(*(equal(p, q) for p, q in zip(a.indices, chosen))) for a in right.atoms(Access) if a.name == seed}
            value, _ = self.textbook.folded(collapse(right.xreplace(one)), self.textbook.hidden(right)[0])
            entries.append((target[chosen], Access(name, *line.target.indices), value))
        return entries

    # what stands around the gradients

    def forward_lines(self) -> list[tuple[Access, sp.Expr]]:
        """The forward equations in closed form, helpers written out, in order; those of running statistics are `running_lines`."""
        return [(target, fresh_bound(self.textbook.write_out(right), index_names(target)))
                for target, right in self._closed_forms() if target.name not in self.textbook.helpers and not self._is_next(target)]

    def running_lines(self) -> list[tuple[Access, sp.Expr]]:
        """The equations of the running statistics' next values."""
        return [(target, right) for target, right in self._closed_forms() if self._is_next(target)]

    def _is_next(self, target: Access) -> bool:
        return bool(self.forward.tensor(target.name).next_of)

    def inference_lines(self) -> list[tuple[Access, sp.Expr]]:
        """The forward equations of inference that training has not; none where a network makes no difference."""
        if self.network is None or self.network.trained is None or self.of != self.network.loss:
            return []
        known = {(target.name, str(right)) for target, right in self.forward_lines()}
        lines = Derivation(self.network.trained.program, self.of, self.wrt, self.options).forward_lines()
        return [(target, right) for target, right in lines if (target.name, str(right)) not in known]

    def helper_lines(self) -> list[tuple[Access, sp.Expr]]:
        """What defines the helpers, and the positions of maxima, that the steps of some gradient mention, in order."""
        sides = [e for name in self.names for step in self[name].steps for e in (step.before, step.after)]
        shown = {a.name for e in sides for a in e.atoms(Access)}
        lines = [(target, right) for target, right in self._closed_forms() if target.name in self.textbook.helpers]
        while (wider := shown | {a.name for target, right in lines if target.name in shown for a in right.atoms(Access)}) != shown:
            shown = wider
        positions = [(w.target, w.right) for eq in self.program.equations if eq.op == "argmax" and eq.target.name in shown
                     for w in self.writers[eq.target.name]]
        helpers = [(target, right) for target, right in lines if target.name in shown]
        return [(target, fresh_bound(right, index_names(target))) for target, right in (*helpers, *positions)]

    def _closed_forms(self) -> list[tuple[Access, sp.Expr]]:
        """What the forward program writes, contributions added up, in order."""
        groups: dict[Access, list[sp.Expr]] = {}
        parts = {w.equation: w for ws in writers(self.forward).values() for w in ws}
        for equation in self.forward.equations:
            groups.setdefault(equation.target, []).append(parts[equation].right)
        return [(target, sp.Add(*rights)) for target, rights in groups.items()]

    def update_lines(self) -> tuple[Program, list[tuple[Access, sp.Expr]]]:
        """The optimiser's equations and their program, where a network's loss is differentiated and it has an optimiser."""
        return (self.program, []) if self.network is None or self.of != self.network.loss else self.network.update_lines(self)

    def check(self, seed: int = 0) -> CheckReport:
        """The ladder of certainty for every gradient; its answer is what `report` and `write` take as `certificate`."""
        from symbp.certify import ladder
        return ladder.check(self.forward, self.of, wrt=self.wrt, seed=seed, network=self.network)

    def report(self, certificate: CheckReport | None = None) -> Report:
        """The derivation as a document, with the evidence for its gradients where there is a certificate."""
        from symbp.report.derivation import derivation_report
        return derivation_report(self, certificate)

    def write(self, folder: str | Path, formats: Iterable[str] = ("pdf", "html", "tex"), stem: str | None = None,
              certificate: CheckReport | None = None) -> Written:
        """Write the document into a folder, made if missing; the answer has the path for each format, None where it could not be made."""
        from symbp.report.write import write
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise SymbpError(f"cannot make the folder {folder}: {getattr(error, 'strerror', error)}") from None
        return write(self.report(certificate), folder, stem or "derivation", formats=tuple(formats))

    def _repr_latex_(self) -> str:
        return "".join(self[name]._repr_latex_() for name in self.names)
