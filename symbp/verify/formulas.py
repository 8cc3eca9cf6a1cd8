"""Verdicts on formulas: both sides calculated on random inputs that obey the facts, for every layer and every index.

A difference is certain.  Agreement at several random points to nine digits is taken for equality.
"""
from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symbp.certify.sample import draw
from symbp.derivation.derivation import Derivation
from symbp.errors import SymbpError
from symbp.interpret import interpret
from symbp.passes.prune import prune
from symbp.verify.claimfile import Text
from symbp.verify.latex import tree_of
from symbp.verify.meaning import MOST_POINTS, Meaning, Unknown, of_derivative
from symbp.verify.quantity import QUOTIENT, Quantities
from symbp.verify.shapes import Unfit, matrix
from symbp.verify.slips import changes

SEEDS = (0, 1, 2)
EQUAL, UNEQUAL = 1e-9, 1e-6
RIGHT, RIGHT_IF, WRONG, ILL_POSED, UNDECIDED = "right", "right-if", "wrong", "ill-posed", "undecided"


@dataclass(frozen=True)
class Judgement:
    """What is said of a formula, and why."""

    verdict: str
    note: str = ""


class Formulas:
    """The values that the symbols of a text's formulas have, at several random points.

    >>> from symbp.verify.claimfile import parse
    >>> text = parse('''[network]
    ... equations = ["z[j] = sum(i, w[j,i]*x[i])", "a[j] = sigmoid(z[j])", "J = sum(j, (a[j] - y[j])^2)/2"]
    ... loss = "J"
    ... parameters = ["w"]
    ... [values]
    ... w = [[1, 2, 3], [4, 5, 6]]
    ... x = [1, 2, 3]
    ... y = [0, 1]
    ... [[claims]]
    ... formula = "∂J/∂w = δ x^T"
    ... ''')
    >>> formulas = Formulas(text)
    >>> [formulas.judge(f).verdict for f in (r"∂J/∂w = (a - y) ⊙ σ'(z) x^T", r"∂J/∂w = x ((a - y) ⊙ σ'(z))^T", r"∂J/∂w = (a - y) x^T")]
    ['right', 'right-if', 'wrong']
    """

    def __init__(self, text: Text) -> None:
        self.text = text
        self.quantities = Quantities(text)
        self.functions = {r"\sigma": "sigmoid", **text.functions}
        self._arrays: dict[tuple[int, str], np.ndarray] = {}
        self._samples: dict[int, Any] = {}
        levels = [int(m[1]) for name in self.known if (m := re.fullmatch(r"[A-Za-z]+(\d+)", name))]
        self.depth = max(levels, default=0)

    @property
    def known(self) -> list[str]:
        """The names that a formula may use."""
        return [*(t.name for t in self.text.program.tensors), *self.text.names]

    def judge(self, formula: str) -> Judgement:
        """The verdict on one formula, which may be a chain of equalities or an update."""
        try:
            tree, marks = tree_of(formula, self.known)
        except SymbpError as error:
            return Judgement(UNDECIDED, str(error))
        sides, signs = tree.children[::2], [str(s) for s in tree.children[1::2]]
        found = [self._relation(sides[k], sides[k + 1], sign, marks) for k, sign in enumerate(signs)]
        order = (WRONG, ILL_POSED, UNDECIDED, RIGHT_IF, RIGHT)
        return min(found, key=lambda j: order.index(j.verdict))

    def slips(self, formula: str) -> list[str]:
        """The slips of one place, each of which would explain why the last equality of a formula is wrong.

        >>> from symbp.verify.claimfile import load
        >>> Formulas(load("examples/claims/seed-002-4.4.toml")).slips(r"\\delta^{(3)} = (a^{(3)} - y) \\odot \\sigma'(a^{(3)})")
        ['a3 stands where z3 belongs']
        """
        tree, marks = tree_of(formula, self.known)
        left, sign, right = tree.children[-3:]
        probe = self._meaning(SEEDS[0], marks, None)
        symbols = [s for s in dict.fromkeys([r"\sigma", *self.functions]) if any(str(t) == s for t in _tokens(right))] or [r"\sigma"]
        found: dict[str, None] = {}
        for what, changed in changes(right, self.known, lambda node: self._name_of(node, probe), marks, symbols):
            if what not in found and self._relation(left, changed, str(sign), marks).verdict == RIGHT:
                found[what] = None
        return list(found)

    def subject(self, formula: str) -> tuple[str, str] | None:
        """The derivative (of, by) that a formula is about: the one on its left, or that of the loss by what it updates; else None."""
        try:
            tree, marks = tree_of(formula, self.known)
            left, meaning = tree.children[0], self._meaning(SEEDS[0], marks, None)
            with contextlib.suppress(SymbpError):
                return self._derivative_on(left, meaning)
            updated = self._updated(left, tree.children[2], str(tree.children[1]), meaning)
            return (self.text.loss, updated) if self.text.loss and self._is_parameter(updated) else None
        except (SymbpError, IndexError, TypeError):
            return None

    def derived(self, formula: str) -> str:
        """The derived formula of a derivative of the loss that stands on the left, as LaTeX; "" for anything else."""
        tree, marks = tree_of(formula, self.known)
        try:
            of, by = self._derivative_on(tree.children[0], self._meaning(SEEDS[0], marks, None))
            return Derivation(self.text.program, of, (by,))[by].latex("matrix")
        except (SymbpError, IndexError, TypeError):
            return ""

    def _derivative_on(self, left: Any, meaning: Meaning) -> tuple[str, str]:
        """The names (of, by) of the derivative that a left side is."""
        while not isinstance(left, str) and left.data == "chain" and len(left.children) == 1:
            left = left.children[0]
        if not isinstance(left, str) and left.data == "fraction":
            above, below = (of_derivative(part) for part in left.children)
            return meaning.key(above[0])[0], meaning.key(below[0])[0]
        if not isinstance(left, str) and left.data == "chain":
            return meaning.key(left.children[1])[0], meaning.key(left.children[4])[0]
        match = QUOTIENT.fullmatch(self.text.names.get(meaning.key(left)[0], ""))
        if match is None:
            raise Unknown("the left side is no derivative")
        return match["of"].strip(), match["by"].strip()

    def _name_of(self, node: Any, probe: Meaning) -> str | None:
        """The name of a leaf with its scripts, where it has one."""
        if not isinstance(node, str) and node.data not in ("raised", "lowered"):
            return None
        if isinstance(node, str) and getattr(node, "type", "") not in ("SYMBOL", "NAME"):
            return None
        try:
            return probe.key(node)[0]
        except SymbpError:
            return None

    def _relation(self, left: Any, right: Any, sign: str, marks: tuple[str, ...]) -> Judgement:
        outcomes, problems = [], []
        for seed in SEEDS:
            for layer in self._layers(left, right, marks):
                meaning = self._meaning(seed, marks, layer)
                try:
                    outcomes.append(self._compared(left, right, sign, meaning))
                except Unknown as error:
                    problems.append(Judgement(UNDECIDED, str(error)))
                except Unfit as error:
                    outcomes.append(Judgement(ILL_POSED, str(error)))
                except SymbpError as error:
                    problems.append(Judgement(UNDECIDED, str(error)))
        if not outcomes:
            return problems[0]
        order = (WRONG, ILL_POSED, UNDECIDED, RIGHT_IF, RIGHT)
        return min(outcomes, key=lambda j: order.index(j.verdict))

    def _layers(self, left: Any, right: Any, marks: tuple[str, ...]) -> Iterator[int | None]:
        """None where no letter l occurs, else every layer that there may be."""
        letters = {str(token) for side in (left, right) for token in _tokens(side)}
        if not letters & {"l", r"\ell"} or "l" in self.known:
            yield None
        else:
            yield from range(self.depth + 1)

    def _meaning(self, seed: int, marks: tuple[str, ...], layer: int | None) -> Meaning:
        return Meaning(lambda name: self.value(seed, name), lambda of, by: self.derivative(seed, of, by), self.functions,
                       tuple(self.known), marks, layer, self.depth)

    # values

    def value(self, seed: int, name: str) -> np.ndarray | None:
        """The array of a name at one random point."""
        if name in self.text.names:
            quantity = self.quantities.whole(self.text.names[name])
            return self._array(seed, quantity)
        if name in self.text.program:
            return self._array(seed, name)
        if name in ("alpha", "eta") and self.text.optimizer is not None:
            return np.array(float(getattr(self.text.optimizer, "learning_rate", None) or 0.0))
        if name == "N" and "N" in self._sample(seed).sizes:
            return np.array(float(self._sample(seed).sizes["N"]))
        return None

    def derivative(self, seed: int, of: str, by: str) -> np.ndarray:
        """∂of/∂by at one random point."""
        of, by = (self.text.names.get(name, name) for name in (of, by))
        if of not in self.text.program or by not in self.text.program:
            raise Unknown(f"the derivative of {of} by {by} is none of two tensors of the network")
        if self.text.program.tensor(of).shape:
            raise Unknown(f"{of} is no number; only derivatives of one number are calculated")
        return self._array(seed, self.quantities.adjoint(of, by)[by])

    def _sample(self, seed: int) -> Any:
        if seed not in self._samples:
            self._samples[seed] = draw(self.text.program, seed)
        return self._samples[seed]

    def _array(self, seed: int, name: str) -> np.ndarray:
        if (seed, name) not in self._arrays:
            sample = self._sample(seed)
            program = prune(self.quantities.program, [name]) if self.quantities.program.definition(name) else None
            if program is None:
                self._arrays[seed, name] = np.asarray(sample.values[name])
            else:
                given = {t.name: sample.values[t.name] for t in program.inputs}
                arrays = interpret(program, given, sample.sizes, functions=sample.functions, facts=False)
                self._arrays |= {(seed, key): array for key, array in arrays.items() if (seed, key) not in self._arrays}
        return self._arrays[seed, name]

    # comparison

    def _compared(self, left: Any, right: Any, sign: str, meaning: Meaning) -> Judgement:
        if parameter := self._updated(left, right, sign, meaning):
            return self._update(parameter, right, meaning)
        first, second = meaning.evaluate(left), meaning.evaluate(right)
        if not meaning.extents:
            return compare(first, second, self._is_vector(left, meaning))
        letters = list(meaning.extents)
        points = list(itertools.product(*(range(meaning.extents[k]) for k in letters)))
        if len(points) > MOST_POINTS:
            raise Unknown(f"the indices {', '.join(letters)} have more than {MOST_POINTS:,} values")
        found = []
        for point in points:
            at = Meaning(**{**vars(meaning), "at": dict(zip(letters, point)), "extents": dict(meaning.extents)})
            sides = at.evaluate(left), at.evaluate(right)
            if any(s.size != 1 for s in sides):
                raise Unfit("one side has indices and is a number; the other is a vector or matrix")
            found.append([s.item() for s in sides])
        both = np.array(found)
        return compare(both[:, :1], both[:, 1:], True)

    def _is_vector(self, node: Any, meaning: Meaning) -> bool:
        return 1 in meaning.evaluate(node).shape

    def _updated(self, left: Any, right: Any, sign: str, meaning: Meaning) -> str:
        """The parameter that a relation gives its next value, or "" where it is an equality."""
        try:
            single = not isinstance(left, str) and left.data == "chain" and len(left.children) == 1
            name, _ = meaning.key(left.children[0] if single else left)
        except SymbpError:
            return ""
        if sign != "=":
            return name
        own = [str(t) for t in _tokens(left)]
        return name if [str(t) for t in _tokens(right)][:len(own)] == own and self._is_parameter(name) else ""

    def _is_parameter(self, name: str) -> bool:
        return name in self.text.program and self.text.program.tensor(name).role == "parameter"

    def _update(self, parameter: str, right: Any, meaning: Meaning) -> Judgement:
        if self.text.optimizer is None or not self.text.loss or not self._is_parameter(parameter):
            raise Unknown(f"the next value of {parameter} needs a [optimizer], a loss, and {parameter} among the parameters")
        seed = next(s for s in SEEDS if meaning.value(parameter) is self._arrays.get((s, parameter)))
        program = self.quantities.program
        bars = self.quantities.adjoint(self.text.loss)
        made = self.text.optimizer.update(self.quantities.program, {parameter: bars[parameter]})
        name = next(t.name for t in made.tensors if t.next_of == parameter)
        program = prune(made.extended(), [name])
        sample = self._sample(seed)
        given: Mapping[str, Any] = {t.name: sample.values[t.name] if t.name in sample.values else
                                    np.full(tuple(int(e) for e in t.shape), made.values.get(t.name, 0.0)) for t in program.inputs}
        following = interpret(program, given, sample.sizes, functions=sample.functions, facts=False)[name]
        return compare(matrix(following), meaning.evaluate(right), following.ndim < 2)


def compare(left: np.ndarray, right: np.ndarray, vector: bool) -> Judgement:
    """Whether two matrices are equal; a vector may stand as a row, a matrix may be laid out the other way.

    >>> compare(np.array([[1., 2.], [3., 4.]]), np.array([[1., 3.], [2., 4.]]), False).verdict
    'right-if'
    """
    straight = left.shape == right.shape and _difference(left, right)
    turned = left.shape == right.T.shape and _difference(left, right.T)
    if left.shape == right.shape and straight <= EQUAL:
        return Judgement(RIGHT)
    if left.shape == right.T.shape and turned <= EQUAL:
        return Judgement(RIGHT) if vector else Judgement(RIGHT_IF, "right if the derivative is laid out transposed")
    if left.shape not in (right.shape, right.T.shape):
        raise Unfit(f"the left side is {left.shape[0]}×{left.shape[1]}, the right side {right.shape[0]}×{right.shape[1]}")
    return Judgement(WRONG) if (straight if left.shape == right.shape else turned) > UNEQUAL else Judgement(UNDECIDED, "too near to tell")


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference relative to the largest value; infinite where something has no value."""
    scale = max(float(np.max(np.abs(a), initial=0.0)), float(np.max(np.abs(b), initial=0.0)), 1e-300)
    error = float(np.max(np.abs(a - b), initial=0.0)) / scale
    return error if np.isfinite(error) else np.inf


def _tokens(node: Any) -> Iterator[Any]:
    if isinstance(node, str):
        yield node
    else:
        for child in node.children:
            yield from _tokens(child)
