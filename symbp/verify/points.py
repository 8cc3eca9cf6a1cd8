"""One random point in one kind of number: the arrays of a text's tensors there, and of their derivatives of any order.

Stage: program + facts → inputs on the facts → arrays.  The kinds are float64 (to look for differences), SymPy expressions in one
symbol for each free input element (to decide exactly), and numbers of 60 digits (where expressions grow too large).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from symbp.calculus.differentiate import adjoint, influences
from symbp.certify.sample import constraint, draw, draw_tensor
from symbp.errors import SymbpError
from symbp.interpret import interpret
from symbp.language.functions import Defined, equal, expand_definitions, step
from symbp.language.program import Program
from symbp.numbers import Float64, Numbers, SymbolicAt

MOST_NODES, MOST_ROWS, MOST_SYMBOLS = 30_000, 64, 120
FLOAT, SYMBOL, DIGITS = "float", "symbol", "digits"
Key = tuple
"""A quantity: ("of", name), or ("by", key, name) for its derivative by a tensor."""


class Digits(Numbers):
    """Numbers of 60 digits."""

    functions = {
        f: np.frompyfunc(g, 1, 1)
        for f, g in (
            (sp.exp, mpmath.exp),
            (sp.log, lambda x: mpmath.log(x) if x > 0 else mpmath.nan),
            (sp.sin, mpmath.sin),
            (sp.cos, mpmath.cos),
            (sp.erf, mpmath.erf),
            (sp.Abs, abs),
            (sp.floor, mpmath.floor),
        )
    } | {
        sp.Pow: np.frompyfunc(lambda x, y: x ** (int(y) if y == int(y) else y), 2, 1),
        step: np.frompyfunc(lambda x, c: mpmath.mpf(1) if x > 0 else mpmath.mpf(0) if x < 0 else c, 2, 1),
        equal: np.frompyfunc(lambda a, b: mpmath.mpf(int(a == b)), 2, 1),
    }

    def constant(self, value: sp.Expr) -> Any:
        """A number to 60 digits."""
        with mpmath.workdps(60):
            return mpmath.mpf(value.p) / value.q if value.is_Rational else mpmath.mpf(str(value.evalf(70)))

    def convert(self, array: np.ndarray) -> np.ndarray:
        """An array of 60-digit numbers."""
        return np.asarray(
            np.frompyfunc(
                lambda x: (
                    self.constant(sp.Rational(str(x)) if isinstance(x, float) else sp.sympify(x)) if not isinstance(x, mpmath.mpf) else x
                ),
                1,
                1,
            )(array.astype(object)),
            dtype=object,
        )

    def opaque(self, function: type, arguments: list) -> Any:
        """The smooth stand-in of a function of which only the name is known."""
        f = lambda x: mpmath.diff(lambda z: mpmath.tanh(z) + mpmath.mpf(3) / 10 * mpmath.sin(z), x, sum(getattr(function, "orders", (0,))))  # noqa: E731
        return np.frompyfunc(f, 1, 1)(arguments[0])


class Point:
    """Arrays at one random point.

    >>> from symbp.verify.claimfile import parse
    >>> text = parse('''[network]
    ... equations = ["y = w*x^2"]
    ... [values]
    ... w = 2
    ... x = 3
    ... [[claims]]
    ... of = "y"
    ... value = "18"
    ... ''')
    >>> point = Point(text.program, 0, SYMBOL)
    >>> point.array(("by", ("by", ("of", "y"), "x"), "x")).item()
    2*w
    """

    def __init__(
        self,
        program: Program,
        seed: int,
        kind: str = FLOAT,
        assumed: Mapping[str, str] | None = None,
        text: Program | None = None,
        fixed: Mapping[str, int | Fraction] | None = None,
        full: Program | None = None,
    ) -> None:
        self.program, self.seed, self.kind = program, seed, kind
        self.sample = draw(text or program, seed)
        self.values = {n: v.copy() for n, v in self.sample.values.items()}
        rng = np.random.default_rng(seed + 7)
        for tensor in (t for t in program.inputs if t.name not in self.values):
            self.values[tensor.name] = draw_tensor(program, tensor, self.sample.sizes, rng, True)
        for name, what in (assumed or {}).items():
            self.values[name] = assume(self.values[name], what, seed)
        self.fixed = dict(fixed or {})
        for name, value in self.fixed.items():
            self.values[name] = np.asarray(float(value))
        self.symbols: dict[sp.Symbol, sp.Rational] = {}
        self.positive: set[sp.Symbol] = set()
        self.numbers: Numbers = Float64()
        if kind != FLOAT:
            self._exactly(assumed or {})
        self._arrays: dict[Key, np.ndarray] = {}
        self._programs: dict[Key, tuple[Program, str, dict[str, np.ndarray]]] = {}
        self._whole: dict[str, np.ndarray] | None = None
        self._stepped: dict[str, np.ndarray] | None = None
        self.full = full or program

    @property
    def dtype(self) -> Any:
        """NumPy's type of the arrays."""
        return float if self.kind == FLOAT else object

    def _exactly(self, assumed: Mapping[str, str]) -> None:
        """Symbols, or fractions, in place of floats."""
        self.numbers = Digits() if self.kind == DIGITS else SymbolicAt(self.symbols, MOST_NODES)
        total = 0
        for tensor in self.program.inputs:
            if tensor.dtype == "int":
                continue
            value, rule = self.values[tensor.name], constraint(self.program, tensor)
            fixed = rule.simplex or rule.binary or rule.signs or tensor.name in assumed or tensor.name in self.fixed
            exact = np.empty(value.shape, dtype=object)
            for at in np.ndindex(value.shape):
                exact[at] = sp.Rational(round(float(value[at]) * 1000), 1000)
            if tensor.name in self.fixed:
                exact[...] = sp.Rational(Fraction(self.fixed[tensor.name]))
            elif rule.simplex and not rule.binary or assumed.get(tensor.name) == "simplex":
                exact[..., -1] = 1 - exact[..., :-1].sum(axis=-1)
            elif self.kind == SYMBOL and not fixed:
                total += value.size
                exact = self._symbols(tensor.name, exact, bool(rule.low >= 0), rule.high <= 1 and rule.low >= 0)
            self.values[tensor.name] = exact
        if total > MOST_SYMBOLS:
            raise SymbpError(f"{total} scalars are too many for symbols")

    def _symbols(self, name: str, value: np.ndarray, positive: bool, below_one: bool) -> np.ndarray:
        made = np.empty(value.shape, dtype=object)
        for at in np.ndindex(value.shape):
            made[at] = sp.Symbol(f"{name}{list(at) if at else ''}", real=True)
            self.symbols[made[at]] = value[at]
            self.positive |= {made[at]} if positive else set()
            self.positive |= {1 - made[at]} if below_one else set()
        return made

    # tensors

    def array(self, key: Key) -> np.ndarray:
        """The array of a quantity; a derivative has the axes of what is differentiated, and then those of what it is taken by."""
        if key not in self._arrays:
            plain = {"of": self._tensor, "full": self._after}.get(key[0])
            self._arrays[key] = plain(key[1]) if plain else self._derivative(key)
        return self._arrays[key]

    def _run(self, program: Program, more: Mapping[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        given = {**{t.name: self.values[t.name] for t in program.inputs if t.name in self.values}, **(more or {})}
        with mpmath.workdps(60):
            return interpret(program, given, self.sample.sizes, numbers=self.numbers, functions=self._opaque(), facts=False)

    def _opaque(self) -> Mapping[str, Callable]:
        return self.sample.functions if self.kind == FLOAT else {}

    def _tensor(self, name: str) -> np.ndarray:
        if self._whole is None:
            self._whole = self._run(self.program)
        return self._whole[name]

    def _after(self, name: str) -> np.ndarray:
        """A tensor of the program with a step of the optimiser behind it."""
        if self._stepped is None:
            self._stepped = self._run(self.full)
        return self._stepped[name]

    def _derivative(self, key: Key) -> np.ndarray:
        _, of, by = key
        program, name = self._program(of)
        tensor = program.tensor(name)
        sources = self._sources(program, name)
        shape = self.array(of).shape
        if by not in sources:
            return self.numbers.zeros(shape + self.array(("of", by)).shape)
        made = adjoint(program, name, sources)
        if not tensor.shape:
            self._arrays |= self._cotangents(of, made.names, self._run(made.program))
            return self._arrays[key]
        if int(np.prod(shape)) > MOST_ROWS:
            raise SymbpError(
                f"the derivative of an array with {int(np.prod(shape))} elements is too large; write it with indices on a smaller example"
            )
        parts: dict[str, list[np.ndarray]] = {}
        for at in np.ndindex(shape):
            seed = np.zeros(shape)
            seed[at] = 1
            arrays = self._run(
                made.program, {made.seed: self.numbers.convert(seed.astype(int).astype(object)) if self.kind != FLOAT else seed}
            )
            for source in sources:
                parts.setdefault(source, []).append(arrays[made.names[source]])
        for source, found in parts.items():
            self._arrays["by", of, source] = np.array(found, dtype=self.dtype).reshape(shape + found[0].shape)
        return self._arrays[key]

    def _cotangents(self, of: Key, names: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> dict[Key, np.ndarray]:
        return {("by", of, source): arrays[bar] for source, bar in names.items() if bar in arrays}

    def _sources(self, program: Program, name: str) -> Sequence[str]:
        """What a tensor may be differentiated by: all real tensors of the text that it depends on, itself included."""
        found = influences(program, name)
        return [t.name for t in self.program.tensors if t.name in found and t.dtype == "float" and not t.auxiliary]

    def _program(self, key: Key) -> tuple[Program, str]:
        """A program with a tensor that holds a quantity: the text's own, or an adjoint of a number."""
        if key[0] == "of":
            return self.program, key[1]
        program, name = self._program(key[1])
        if program.tensor(name).shape:
            raise SymbpError("a second derivative is taken of a number")
        made = adjoint(program, name, self._sources(program, name))
        if key[2] not in made.names:
            raise SymbpError(f"{name} does not depend on {key[2]}")
        return made.program, made.names[key[2]]

    # numbers and functions

    def constant(self, value: sp.Expr) -> Any:
        """A SymPy number in this kind."""
        return self.numbers.constant(value)

    def apply(self, function: Callable[..., sp.Expr], *arrays: np.ndarray) -> np.ndarray:
        """A function of the language, defined or primitive, element by element."""
        slots, expression = _written_out(function, len(arrays))
        shape = arrays[0].shape if len(arrays) == 1 else np.broadcast_shapes(*(a.shape for a in arrays))
        with np.errstate(all="ignore"), mpmath.workdps(60):
            found = np.asarray(self._evaluate(expression, dict(zip(slots, arrays))), dtype=self.dtype)
        return found if found.shape == shape else np.broadcast_to(found, shape)

    def _evaluate(self, expression: sp.Expr, known: Mapping[sp.Expr, np.ndarray]) -> Any:
        values: list[Any] = []
        for node, positions in _tape(expression):
            if node in known:
                values.append(known[node])
            elif positions is None:
                values.append(self.constant(node))
            elif isinstance(node, Defined):
                given = self._opaque().get(type(node).__name__)
                arguments = [values[k] for k in positions]
                values.append(given(*arguments) if given is not None else self.numbers.opaque(type(node), arguments))
            else:
                values.append(self.numbers.apply(node.func, [values[k] for k in positions]))
        return values[-1]


@lru_cache(maxsize=256)
def _written_out(function: Callable[..., sp.Expr], arity: int) -> tuple[tuple[sp.Dummy, ...], sp.Expr]:
    """A function's expression in primitives, and the variables in it."""
    slots = tuple(sp.Dummy(f"x{k}", real=True) for k in range(arity))
    return slots, expand_definitions(sp.sympify(function(*slots)))


@lru_cache(maxsize=2048)
def _tape(expression: sp.Expr) -> tuple[tuple[sp.Expr, tuple[int, ...] | None], ...]:
    """The nodes of an expression, each behind its arguments, with their positions; None for a number."""
    tape: dict[sp.Expr, tuple[int, ...] | None] = {}
    places: dict[sp.Expr, int] = {}

    def visit(node: sp.Expr) -> int:
        if node not in places:
            constant = node.is_number and not node.has(Defined, step, equal)
            leaf = not node.args
            positions = None if constant else () if leaf else tuple(visit(a) for a in node.args)
            places[node] = len(tape)
            tape[node] = positions
        return places[node]

    visit(expand_definitions(expression))
    return tuple(tape.items())


def assume(value: np.ndarray, what: str, seed: int) -> np.ndarray:
    """Random inputs of which something is assumed: "one-hot" or "simplex" along the last axis, "binary", "labels" ±1."""
    rng = np.random.default_rng(seed + 77)
    if what == "binary":
        return rng.integers(0, 2, value.shape).astype(float)
    if what == "labels":
        return rng.choice([-1.0, 1.0], value.shape)
    if what == "one-hot":
        return np.eye(value.shape[-1])[rng.integers(0, value.shape[-1], value.shape[:-1])]
    return rng.dirichlet(np.ones(value.shape[-1]), value.shape[:-1])
