"""Rung 1: on small shapes, the adjoint run on symbols equals SymPy's derivative of the written-out result.

The forward program is run on symbols, so that the loss is one scalar expression in primitives, and SymPy differentiates
that.  Steps and brackets are constants between their jumps; a maximum is taken in the region around a random point.
"""
from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy as sp

from symbp.calculus.differentiate import Derivative
from symbp.calculus.local import prime
from symbp.certify.equality import Verdict, decide
from symbp.certify.result import FAILED, NOT_APPLICABLE, NOT_RUN, PASSED, RungResult
from symbp.certify.sample import DEPTH_NAMES, Sample, constraint, draw, shape
from symbp.interpret import interpret
from symbp.language import Program
from symbp.language.functions import Defined, equal, step
from symbp.numbers import SymbolicAt, TooLarge

MOST_SYMBOLS, MOST_ELEMENTS, MOST_NODES = 150, 6, 60_000
DEPTHS = (4, 3, 2, 1)


class SymbolicRun:
    """A program and its adjoint run on symbols: one for each element of every input that the facts leave free."""

    def __init__(self, program: Program, derivative: Derivative, sample: Sample) -> None:
        self.program, self.derivative = program, derivative
        self.depth = [f"{name} = {sample.sizes[name]}" for name in DEPTH_NAMES if name in sample.sizes]
        self.symbols: dict[str, np.ndarray] = {}
        self.point: dict[sp.Symbol, sp.Rational] = {}
        self.positive: set[sp.Symbol] = set()
        values = {t.name: self._input(program, t.name, sample) for t in program.inputs}
        of = program.tensor(derivative.of)
        self.seed = self._symbols("seed", np.ones(shape(of, sample.sizes))) if of.shape else None
        if self.seed is not None:
            values[derivative.names[derivative.of]] = self.seed
        self.arrays = interpret(derivative.program, values, sample.sizes, numbers=SymbolicAt(self.point, MOST_NODES), facts=False)
        self.loss = self._loss()
        self.used = self.loss.free_symbols

    def _input(self, program: Program, name: str, sample: Sample) -> np.ndarray:
        tensor, value = program.tensor(name), sample.values[name]
        if tensor.dtype == "int":
            return value
        rule = constraint(program, tensor)
        if not rule.is_free and not (rule.low == 0 and not rule.simplex and not rule.binary):
            return _rational_rows(value) if rule.simplex and not rule.binary else np.vectorize(_rational, otypes=[object])(value)
        return self._symbols(name, value, positive=rule.low == 0)

    def _symbols(self, name: str, value: np.ndarray, positive: bool = False) -> np.ndarray:
        made = np.empty(value.shape, dtype=object)
        for cell in np.ndindex(value.shape):
            made[cell] = sp.Symbol(f"{name}{list(cell)}", real=True)
            self.point[made[cell]] = _rational(value[cell])
            if positive:
                self.positive.add(made[cell])
        self.symbols[name] = made
        return made

    def _loss(self) -> sp.Expr:
        of = self.arrays[self.derivative.of]
        return of.item() if self.seed is None else sp.Add(*(self.seed * of).ravel())

    def compare(self, name: str, cell: tuple[int, ...]) -> Verdict:
        """Whether the adjoint's element equals SymPy's derivative."""
        brute = brute_force(self.loss, self.symbols[name][cell])
        return decide(self.arrays[self.derivative.names[name]][cell], brute, positive=tuple(self.positive))


def _rational(value: float) -> sp.Rational:
    fraction = Fraction(float(value)).limit_denominator(1000)
    return sp.Rational(fraction.numerator, fraction.denominator)


def _rational_rows(value: np.ndarray) -> np.ndarray:
    """Rows of rationals that still sum to one."""
    rows = np.vectorize(_rational, otypes=[object])(value)
    rows[..., -1] = 1 - rows[..., :-1].sum(axis=-1)
    return rows


def brute_force(expression: sp.Expr, symbol: sp.Symbol) -> sp.Expr:
    """SymPy's own derivative; steps and brackets are constants, |x| is x·(2[x > 0] − 1), an opaque f has f′ by name.

    >>> x = sp.Symbol("x", real=True)
    >>> brute_force(x**2*step(x, 0), x)
    2*x*step(x, 0)
    """
    expression = expression.replace(sp.Abs, lambda x: x * (2 * step(x, sp.Rational(1, 2)) - 1))
    constants = {node: sp.Dummy(real=True) for node in expression.atoms(step, equal)}
    twins: dict[type, type] = {}
    plain = expression.xreplace(constants)
    for application in sorted(plain.atoms(Defined), key=sp.default_sort_key):
        twins.setdefault(type(application), _twin(type(application)))
    plain = plain.replace(lambda e: type(e) in twins, lambda e: twins[type(e)](*e.args))
    back = {twin: kind for kind, twin in twins.items()}
    derivative = sp.diff(plain, symbol).replace(lambda e: type(e) in back, lambda e: back[type(e)](*e.args))
    return derivative.xreplace({dummy: node for node, dummy in constants.items()})


def _twin(kind: type[Defined]) -> type:
    """A function for SymPy to differentiate in the place of an opaque one: it knows the name of its derivative only."""
    return type("twin", (sp.Function,), {"is_real": True, "fdiff": lambda self, argindex=1: prime(kind, argindex - 1)(*self.args)})


def exact(run: SymbolicRun | str, name: str, rng: np.random.Generator) -> RungResult:
    """The rung for one gradient; up to six of its elements are compared."""
    if isinstance(run, str):
        return RungResult("exact", NOT_RUN, None, run)
    if name not in run.symbols:
        return RungResult("exact", NOT_APPLICABLE, None, f"a fact fixes {name}")
    every = list(np.ndindex(run.symbols[name].shape))
    cells = [c for c in every if run.symbols[name][c] in run.used] or every
    chosen = cells if len(cells) <= MOST_ELEMENTS else [cells[k] for k in sorted(rng.choice(len(cells), MOST_ELEMENTS, replace=False))]
    verdicts = [run.compare(name, cell) for cell in chosen]
    count = f"{len(chosen)} of {len(cells)} elements"
    for verdict, cell in zip(verdicts, chosen):
        if verdict.equal is False:
            return RungResult("exact", FAILED, None, f"{name}{list(cell)}: {verdict.reason}")
    undecided = sum(v.equal is None for v in verdicts)
    if undecided:
        return RungResult("exact", NOT_RUN, None, f"{undecided} of {len(chosen)} elements could not be decided")
    methods = ", ".join(sorted({v.method for v in verdicts}))
    return RungResult("exact", PASSED, None, "; ".join([count, *run.depth, methods]))


def symbolic_run(program: Program, derivative: Derivative, seed: int = 0) -> SymbolicRun | str:
    """The run on symbols at the largest depth that can be written out, or why there is none."""
    for depth in DEPTHS:
        sample = draw(program, seed, depth)
        count = sum(sample.values[t.name].size for t in program.inputs if t.dtype == "float")
        if count > MOST_SYMBOLS:
            reason = f"{count} scalars are too many for symbols"
            continue
        try:
            return SymbolicRun(program, derivative, sample)
        except TooLarge as error:
            reason = str(error)
    return reason


__all__ = ["SymbolicRun", "brute_force", "exact", "symbolic_run"]
