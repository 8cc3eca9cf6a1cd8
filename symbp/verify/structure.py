r"""Syntax tree → nodes: which of the things side by side is a function, its argument, a derivative, a sum's body.

\sigma'(z) W^T x   → Product((Call("σ", (z,), primes=1), W^T, x))       \frac{\partial J}{\partial w} → Derivative(J, (w,))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from symbp.errors import SymbpError
from symbp.verify.nodes import (
    Big,
    Bracket,
    Call,
    Cases,
    Derivative,
    Formula,
    Lowered,
    Matrix,
    Negative,
    Node,
    Norm,
    Number,
    Product,
    Quotient,
    Raised,
    Relation,
    Root,
    Row,
    Script,
    Sum,
    Sym,
    is_letter,
)

if TYPE_CHECKING:
    from lark import Tree

ALIASES = {
    "logistic": "sigmoid",
    "Sigmoid": "sigmoid",
    "sigm": "sigmoid",
    "ReLU": "relu",
    "ReLu": "relu",
    "Relu": "relu",
    "Softmax": "softmax",
    "Tanh": "tanh",
    "ln": "log",
    "sgn": "sign",
    "LeakyReLU": "leaky_relu",
    "swish": "silu",
    "Diag": "diag",
    "Tr": "trace",
    "tr": "trace",
    "maximum": "max",
    "minimum": "min",
    "th": "tanh",
}
NAMED = {
    "softmax",
    "sigmoid",
    "tanh",
    "exp",
    "log",
    "diag",
    "relu",
    "sin",
    "cos",
    "max",
    "min",
    "sqrt",
    "softplus",
    "sign",
    "erf",
    "abs",
    "trace",
    "silu",
    "gelu",
    "elu",
    "leaky_relu",
    "sinh",
    "cosh",
    "sech",
    "step",
    "vec",
    "transpose",
    "square",
    "mean",
    "sum",
    "logsumexp",
    "flip",
    "rot180",
    "identity",
    "var",
    "Var",
    "concat",
    "outer",
    "dot",
}
OVER_LETTERS = {"sum", "mean", "max", "min"}
WHOLE = {
    "log",
    "exp",
    "tanh",
    "sin",
    "cos",
    "sigmoid",
    "relu",
    "softmax",
    "diag",
    "softplus",
    "sinh",
    "cosh",
    "sech",
    "sqrt",
    "trace",
    "erf",
    "abs",
    "sign",
}
"""Functions whose argument may follow without brackets."""
TRANSPOSES = ("T", "⊤")


@dataclass(frozen=True)
class Paren(Node):
    """Something in brackets; it falls away once its neighbours have been seen."""

    shape: str
    body: Node


@dataclass(frozen=True)
class Partials(Node):
    """∂^order and what stands behind it: one half of a derivative."""

    order: int
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Given(Node):
    """Something given something else, p(x | μ): it may only say on what a left side depends."""


class Structure:
    """Makes nodes of a syntax tree; it knows names and functions, not values."""

    def __init__(self, names: Sequence[str], functions: Sequence[str], numbers: Sequence[str], timed: Sequence[str] = ()) -> None:
        self.names, self.functions, self.numbers, self.timed = frozenset(names), frozenset(functions), frozenset(numbers), frozenset(timed)
        self.applied: list[tuple[Sym, Node]] = []  # names with brackets behind them, J(θ), which fall away

    def formula(self, tree: Tree) -> Formula:
        """The formula of the start rule."""
        sides = [self.clean(self._head(self.node(child), k == 0)) for k, child in enumerate(tree.children[::2])]
        signs, left = [], sides[0]
        for token, k in zip(tree.children[1::2], range(1, len(sides)), strict=True):
            signs.append(":=" if token.type in ("BECOMES", "GROWS") else "==" if token.type == "DEFINED" else "=")
            if token.type == "GROWS":
                sides[k] = Sum((left, sides[k] if token.startswith("+") else Negative(sides[k])))
        return Formula(tuple(sides), tuple(signs))

    def _head(self, side: Node, first: bool) -> Node:
        """A side f(x), a name and what it depends on, without the brackets."""
        if isinstance(side, Product) and len(side.factors) == 2 and side.signs == ("",):
            name, behind = side.factors
            if (
                isinstance(name, Sym)
                and isinstance(behind, Paren)
                and behind.shape == "("
                and (_only_names(behind.body) or first and _is_event(behind.body))
            ):
                return name
        return side

    def node(self, tree: Any) -> Node:
        """The node of a tree, brackets still in it."""
        return getattr(self, f"_{tree.data}")(tree.children)

    def clean(self, node: Node) -> Node:
        """The node without brackets that have done their work."""
        if isinstance(node, Paren):
            body = self.clean(node.body)
            if isinstance(body, Relation) and node.shape in "[(":
                return Bracket(body)
            return body
        if isinstance(node, Given):
            raise SymbpError("a conditional, p(y | x), has no value here; write the expression that it stands for")
        if isinstance(node, Partials):
            raise SymbpError("∂ stands alone: a derivative is written ∂J/∂w, \\frac{\\partial J}{\\partial w} or \\nabla_w J")
        return mapped(node, self.clean)

    # leaves

    def _number(self, children: Sequence[Any]) -> Node:
        text = str(children[0])
        if len(text) > 60:
            raise SymbpError(f"the number {text[:20]}… has {len(text)} digits; 60 are the most")
        return Number(Fraction(text))

    def _symbol(self, children: Sequence[Any]) -> Node:
        return Sym(str(children[0]))

    def _one(self, _children: Sequence[Any]) -> Node:
        return Sym("𝟏")

    def _star(self, children: Sequence[Any]) -> Node:
        return Sym("*" if children[0] == "star" else str(children[0]))

    def _partial(self, _children: Sequence[Any]) -> Node:
        return Sym("∂")

    def _nabla(self, _children: Sequence[Any]) -> Node:
        return Sym("∇")

    def _element(self, children: Sequence[Any]) -> Node:
        inner = self._inside(children[2].children)
        return Sym(str(children[0]), at=inner.parts if isinstance(inner, Row) else (inner,))

    # brackets

    def _inside(self, children: Sequence[Any]) -> Node:
        parts = [self.node(c) for c in children if hasattr(c, "data")]
        return parts[0] if len(parts) == 1 else Row(tuple(parts))

    def _paren(self, children: Sequence[Any]) -> Node:
        return Paren({"LP": "(", "LB": "[", "LS": "{"}[children[0].type], self._inside(children[1].children))

    def _group(self, children: Sequence[Any]) -> Node:
        inner = self._inside(children[1].children)
        return inner if isinstance(inner, (Sym, Number, Paren, Row, Relation)) else Paren("", inner)

    def _bars(self, children: Sequence[Any]) -> Node:
        return Norm(self._inside(children[1].children), 0)

    def _norm(self, children: Sequence[Any]) -> Node:
        return Norm(self._inside(children[1].children), 2)

    def _given(self, _children: Sequence[Any]) -> Node:
        return Given()

    def _relation(self, children: Sequence[Any]) -> Node:
        sides = [self.node(c) for c in children[::2]]
        made = [Relation(str(sign), sides[k], sides[k + 1]) for k, sign in enumerate(children[1::2])]
        return made[0] if len(made) == 1 else Row(tuple(made))

    def _conditions(self, children: Sequence[Any]) -> Node:
        made = [self.node(c) for c in children if hasattr(c, "data")]
        return made[0] if len(made) == 1 else Row(tuple(made))

    # cases and matrices

    def _cases(self, children: Sequence[Any]) -> Node:
        rows = [self._cases_row(c) for c in children if getattr(c, "data", "") in ("row", "otherwise")]
        return Cases(tuple(v for v, _ in rows), tuple(c for _, c in rows))

    def _cases_row(self, tree: Tree) -> tuple[Node, Node | None]:
        value, *rest = [c for c in tree.children if hasattr(c, "data") and c.data != "gap"]
        return self.node(value), self.node(rest[0]) if rest else None

    def _choice(self, children: Sequence[Any]) -> Node:
        value, condition, other = [c for c in children if hasattr(c, "data")]
        return Cases((self.node(value), self.node(other)), (self.node(condition), None))

    def _matrix(self, children: Sequence[Any]) -> Node:
        rows = [[self.node(c) for c in line.children if hasattr(c, "data")] for line in children if getattr(line, "data", "") == "line"]
        if len({len(row) for row in rows}) != 1:
            raise SymbpError("the rows of a matrix have different lengths")
        return Matrix(tuple(map(tuple, rows)))

    # sums and fractions

    def _add(self, children: Sequence[Any]) -> Node:
        left, right = self.node(children[0]), self.node(children[2])
        return Sum((*(left.terms if isinstance(left, Sum) else (left,)), right))

    def _subtract(self, children: Sequence[Any]) -> Node:
        left, right = self.node(children[0]), self.node(children[2])
        return Sum((*(left.terms if isinstance(left, Sum) else (left,)), Negative(right)))

    def _negative(self, children: Sequence[Any]) -> Node:
        return Negative(self.node(children[1]))

    def _sum(self, children: Sequence[Any]) -> Node:
        return self.node(children[-1])

    def _hadamard(self, children: Sequence[Any]) -> Node:
        left, right = self.node(children[0]), self.node(children[2])
        if isinstance(left, Product) and left.signs and set(left.signs) == {"odot"}:
            return Product((*left.factors, right), (*left.signs, "odot"))
        return Product((left, right), ("odot",))

    def _hadamard_negative(self, children: Sequence[Any]) -> Node:
        return Product((self.node(children[0]), Negative(self.node(children[3]))), ("odot",))

    def _fraction(self, children: Sequence[Any]) -> Node:
        above, below = self.node(children[1]), self.node(children[2])
        halves = self._differential(above), self._differential(below)
        return _derivative(*halves) if None not in halves else Quotient(above, below)

    def _differential(self, node: Node) -> Partials | None:
        """One half of a derivative: ∂J, or dJ with the letter d."""
        node = node.body if isinstance(node, Paren) and node.shape == "" else node
        if isinstance(node, Partials):
            return node
        if is_letter(node, "d", "∂"):
            return Partials(1, ())
        if isinstance(node, Sym) and node.base == "∂" and not node.subs:
            return Partials(_whole_number(node.sups), ())
        if (
            isinstance(node, Product)
            and set(node.signs) == {""}
            and isinstance(node.factors[0], Sym)
            and node.factors[0].base == "d"
            and "d" not in self.names
        ):
            order = _whole_number(node.factors[0].sups)
            rest = [f for k, f in enumerate(node.factors) if not is_letter(f, "d")]
            return Partials(order, tuple(rest[1:] if node.factors[0].sups else rest))
        return None

    def _root(self, children: Sequence[Any]) -> Node:
        trees = [c for c in children if hasattr(c, "data")]
        return Root(self._inside(trees[0].children) if trees[0].data == "inside" else self.node(trees[0]))

    def _nth_root(self, children: Sequence[Any]) -> Node:
        degree, body = [self.node(c) if c.data != "inside" else self._inside(c.children) for c in children if hasattr(c, "data")]
        if not isinstance(degree, Number) or degree.value.denominator != 1 or not 2 <= degree.value <= 20:
            raise SymbpError("the degree of a root is a whole number from 2 to 20")
        return Root(body, int(degree.value))

    # scripts

    def _scripted(self, children: Sequence[Any]) -> Node:
        node = self.node(children[0])
        for script in children[1:]:
            node = self._with_script(node, script)
        return node

    def _with_script(self, node: Node, tree: Tree) -> Node:
        if tree.data == "prime":
            return self._primed(node, sum(getattr(c, "type", "") == "PRIME" for c in tree.children))
        found, primes = self._scripts(self.node(tree.children[1]))
        if primes:
            node = self._primed(node, primes)
        if tree.data == "lower":
            return replace(node, subs=(*node.subs, *found)) if isinstance(node, (Sym, Lowered)) else Lowered(node, found) if found else node
        if isinstance(node, Sym):
            return replace(node, sups=(*node.sups, *found))
        for script in found:
            node = Raised(node, script)
        return node

    def _primed(self, node: Node, count: int) -> Node:
        if isinstance(node, Sym):
            return replace(node, primes=node.primes + count)
        if isinstance(node, Paren) and isinstance(node.body, Sym):
            return replace(node.body, primes=node.body.primes + count)
        if isinstance(node, Paren):
            return Paren(node.shape + "'" * count, node.body)
        raise SymbpError("a prime stands behind a letter or function")

    def _scripts(self, node: Node) -> tuple[tuple[Script, ...], int]:
        """The pieces of an upper or lower index, and the primes among them."""
        if isinstance(node, Paren) and node.shape == "":
            node = node.body
        if isinstance(node, Row):
            parts: Sequence[Node] = node.parts
        elif isinstance(node, Product) and set(node.signs) <= {""}:
            parts = node.factors
        else:
            parts = (node,)
        found, primes = [], 0
        for part in parts:
            if isinstance(part, Paren) and "'" in part.shape:
                primes += part.shape.count("'")
                part = Paren(part.shape.rstrip("'"), part.body)
            if isinstance(part, Sym) and part.sups and len(part.sups) == 1 and is_letter(part.sups[0].body, *TRANSPOSES):
                found += [Script("", replace(part, sups=())), part.sups[0]]
                continue
            shaped = isinstance(part, Paren) and part.shape in ("(", "[")
            found.append(Script(part.shape if shaped else "", self.clean(part.body if isinstance(part, Paren) else part)))
        return tuple(found), primes

    # chains

    def _big(self, children: Sequence[Any]) -> Node:
        scripts = [c for c in children[1:] if getattr(c, "data", "") in ("upper", "lower")]
        return self._reduced(str(children[0]), scripts, self.node(children[-1]))

    def _big_negative(self, children: Sequence[Any]) -> Node:
        scripts = [c for c in children[1:] if getattr(c, "data", "") in ("upper", "lower")]
        return self._reduced(str(children[0]), scripts, Negative(self.node(children[-1])))

    def _big_hadamard(self, children: Sequence[Any]) -> Node:
        scripts = [c for c in children[1:] if getattr(c, "data", "") in ("upper", "lower")]
        left, right = (self.node(c) for c in children if getattr(c, "data", "") == "chain")
        return self._reduced(str(children[0]), scripts, Product((left, right), ("odot",)))

    def _reduced(self, op: str, scripts: Sequence[Tree], body: Node) -> Node:
        lower = next((self.node(s.children[1]) for s in scripts if s.data == "lower"), None)
        upper = next((self.node(s.children[1]) for s in scripts if s.data == "upper"), None)
        return self._over(op, lower, upper, body)

    def _over(self, op: str, lower: Node | None, upper: Node | None, body: Node) -> Node:
        """Σ and its kin: what stands below tells the letters, bounds and conditions."""
        strip: Callable[[Node], Node] = lambda n: n.body if isinstance(n, Paren) else n  # noqa: E731
        upper = self.clean(upper) if upper is not None else None
        lower = strip(lower) if lower is not None else None
        if lower is None:
            return Big(op, (), body, None, upper)
        if isinstance(lower, Relation) and lower.sign == "=" and _letter(lower.left):
            return Big(op, (_letter(lower.left),), body, self.clean(lower.right), upper)
        if isinstance(lower, Relation) and lower.sign in ("IN", "in", "∈"):
            return Big(op, tuple(map(_must_be_letter, _listed(lower.left))), body)
        parts = _listed(lower)
        relations = [self.clean(p) for p in parts if isinstance(p, Relation)]
        letters = [_must_be_letter(p) for p in parts if not isinstance(p, Relation)]
        if relations and not letters:
            letters = [next((n for r in relations for n in (_letter(r.left), _letter(r.right)) if n), "")]
        if not all(letters):
            raise SymbpError(f"below \\{op} stands the letter that it runs over")
        condition = None if not relations else relations[0] if len(relations) == 1 else Row(tuple(relations))
        return Big(op, tuple(letters), body, condition=condition, upper=upper)

    def _chain(self, children: Sequence[Any]) -> Node:
        raws: list[Node] = []
        signs: list[str] = []
        waiting, negative = "", False
        for child in children:
            if hasattr(child, "data"):
                made = self.node(child)
                if raws:
                    signs.append(waiting)
                raws.append(Negative(made) if negative else made)
                waiting, negative = "", False
            elif child.type == "MINUS":
                negative = True
            else:
                waiting = str(child)
        return _Chain(self, raws, signs).whole()

    def is_function(self, sym: Sym) -> bool:
        """Whether a symbol calls a function: a known word or a letter that the text declares, unless a tensor has the name."""
        bare = ALIASES.get(sym.base, sym.base)
        if sym.base in self.functions:
            return True
        if bare in NAMED and sym.base not in self.names:
            return True
        return bool(sym.primes) and sym.base not in self.names or sym.base == "sigma" and "sigma" not in self.names


class _Chain:
    """What stands side by side, from left to right."""

    def __init__(self, structure: Structure, raws: list[Node], signs: list[str]) -> None:
        self.structure, self.raws, self.signs = structure, raws, signs

    def whole(self) -> Node:
        """The product, with functions, derivatives and brackets put together."""
        factors: list[Node] = []
        signs: list[str] = []
        k = 0
        while k < len(self.raws):
            made, after = self.operand(k)
            if isinstance(made, _Operator):
                rest = _Chain(self.structure, self.raws[after:], self.signs[after:]).whole() if after < len(self.raws) else None
                if rest is None:
                    raise SymbpError("behind d/dz stands what is differentiated")
                made, after = Derivative(rest, made.by, made.gradient), len(self.raws)
            if factors:
                signs.append(self.signs[k - 1])
            factors.append(made)
            k = after
        if len(factors) == 1:
            return factors[0]
        return Product(tuple(factors), tuple(signs))

    def beside(self, k: int) -> bool:
        """Whether raw k follows the one before without a sign."""
        return k < len(self.raws) and not self.signs[k - 1]

    def operand(self, k: int) -> tuple[Node, int]:
        """The operand that begins at k, and where the next begins."""
        raw = self.raws[k]
        if isinstance(raw, Quotient):
            return raw, k + 1
        if isinstance(raw, Derivative) and is_letter(raw.of, "∂"):
            return _Operator(raw.by), k + 1
        if not isinstance(raw, Sym):
            if (
                isinstance(raw, Number)
                and raw.value == 1
                and self.beside(k + 1)
                and isinstance(self.raws[k + 1], Paren)
                and isinstance(self.raws[k + 1].body, Relation)
            ):
                return Bracket(self.structure.clean(self.raws[k + 1].body)), k + 2
            return raw, k + 1
        if raw.base in ("∂", "d") and (raw.base == "∂" or self._is_quotient_of_d(k)):
            return self._partial(k)
        if raw.base == "∇":
            return self._gradient(k)
        if (
            raw.base in ("𝟏", "I")
            and self.beside(k + 1)
            and isinstance(self.raws[k + 1], Paren)
            and isinstance(self.raws[k + 1].body, Relation)
        ):
            return Bracket(self.structure.clean(self.raws[k + 1].body)), k + 2
        if raw.base == "𝟏" and len(raw.subs) == 1 and isinstance(raw.subs[0].body, Relation):
            return Bracket(raw.subs[0].body), k + 1
        if raw.base in ("𝟏", "I") and len(raw.subs) == 1 and isinstance(raw.subs[0].body, (Relation, Bracket)):
            body = raw.subs[0].body
            return body if isinstance(body, Bracket) else Bracket(body), k + 1
        if self.structure.is_function(raw):
            return self._call(raw, k)
        if raw.primes == 1 and raw.base in self.structure.names and (by := self._names_behind(k)):
            return Derivative(replace(raw, primes=0), by), k + 2
        if (
            raw.base == "Delta"
            and self.beside(k + 1)
            and isinstance(self.raws[k + 1], Sym)
            and f"Delta{self.raws[k + 1].base}" in self.structure.names
        ):
            return replace(self.raws[k + 1], base=f"Delta{self.raws[k + 1].base}"), k + 2
        if self._has_time(raw, k):
            return replace(raw, subs=(*raw.subs, Script("(", self.structure.clean(self.raws[k + 1].body)))), k + 2
        if self._has_arguments(raw, k):
            self.structure.applied.append((raw, self.raws[k + 1].body))
            return raw, k + 2
        return raw, k + 1

    def _names_behind(self, k: int) -> tuple[Node, ...]:
        """The names in brackets behind a raw, by which f'(x) is differentiated."""
        behind = self.raws[k + 1] if self.beside(k + 1) else None
        return (
            tuple(_listed(behind.body))
            if isinstance(behind, Paren) and not isinstance(behind.body, Row) and _only_names(behind.body)
            else ()
        )

    def _has_time(self, raw: Sym, k: int) -> bool:
        """Whether brackets behind a name say at which step: m(t), m(t - 1)."""
        if raw.base not in self.structure.timed or not self.beside(k + 1) or not isinstance(self.raws[k + 1], Paren):
            return False
        body = self.raws[k + 1].body
        return is_letter(body, "t") or isinstance(body, Sum) and len(body.terms) == 2 and is_letter(body.terms[0], "t")

    def _has_arguments(self, raw: Sym, k: int) -> bool:
        """Whether brackets behind a name say on what it depends: J(w, b), L(ŷ, y)."""
        if not self.beside(k + 1) or not isinstance(self.raws[k + 1], Paren) or self.raws[k + 1].shape != "(":
            return False
        body = self.raws[k + 1].body
        return _only_names(body) and (isinstance(body, Row) and raw.base in self.structure.names or raw.base in self.structure.numbers)

    # derivatives

    def _is_quotient_of_d(self, k: int) -> bool:
        if "d" in self.structure.names or not is_letter(self.raws[k], "d") or not self.beside(k + 1):
            return False
        over = next((j for j in range(k + 1, len(self.signs) + 1) if self.signs[j - 1] == "over"), None)
        return (
            over is not None
            and over <= k + 3
            and over + 1 < len(self.raws) + 1
            and over < len(self.raws)
            and is_letter(self.raws[over], "d")
        )

    def _partial(self, k: int) -> tuple[Node, int]:
        """∂J/∂w, ∂_w J, or one half of a fraction."""
        raw = self.raws[k]
        if raw.subs:
            of, after = self.operand(k + 1) if k + 1 < len(self.raws) else (None, k)
            if of is None:
                raise SymbpError("behind ∂ with a lower index stands what is differentiated")
            return Derivative(of, tuple(s.body for s in raw.subs)), after
        order, items, j = _whole_number(raw.sups), [], k + 1
        while self.beside(j) and (not items or isinstance(self.raws[j], Sym) and self.raws[j].base == raw.base):
            if isinstance(self.raws[j], Sym) and self.raws[j].base == raw.base:
                j += 1
                if not self.beside(j):
                    break
            if not items and isinstance(self.raws[j], Paren):
                items.append(self.raws[j])
                j += 1
                continue
            made, j = self.operand(j)
            items.append(made)
        top = Partials(order, tuple(items))
        if j < len(self.raws) and self.signs[j - 1] == "over" and isinstance(self.raws[j], Sym) and self.raws[j].base == raw.base:
            below, after = self._partial(j)
            return _derivative(top, below), after
        if j < len(self.raws) and self.signs[j - 1] == "over" and isinstance(self.raws[j], Paren):
            below = self.structure._differential(self.raws[j].body)
            if below is not None:
                return _derivative(top, below), j + 1
        return top, j

    def _gradient(self, k: int) -> tuple[Node, int]:
        raw = self.raws[k]
        if k + 1 >= len(self.raws):
            raise SymbpError("behind ∇ stands what is differentiated")
        of, after = self.operand(k + 1)
        by = tuple(s.body for s in raw.subs)
        if (
            isinstance(of, Sym)
            and after < len(self.raws)
            and self.beside(after)
            and isinstance(self.raws[after], Paren)
            and _only_names(self.raws[after].body)
        ):
            by = by or tuple(map(self.structure.clean, _listed(self.raws[after].body)))
            after += 1
        elif isinstance(of, Sym) and not by and after == k + 3:
            by = tuple(map(self.structure.clean, _listed(self.raws[k + 2].body)))
        if not by:
            by = (Sym("?"),)
        return Derivative(of, by, True), after

    # functions

    def _call(self, raw: Sym, k: int) -> tuple[Node, int]:
        name = ALIASES.get(raw.base, raw.base) if raw.base not in self.structure.functions else raw.base
        power = [s for s in raw.sups if not s.shape and not is_letter(s.body, "l", "L")]
        behind = self.raws[k + 1] if self.beside(k + 1) else None
        inner, wraps = _unwrapped(behind)
        if name in OVER_LETTERS and raw.subs:
            body, after = (self.raws[k + 1].body, k + 2) if isinstance(behind, Paren) else self._rest(k + 1)
            subs = [s.body for s in raw.subs]
            return self.structure._over(name, subs[0] if len(subs) == 1 else Row(tuple(subs)), None, body), after
        if (
            name in OVER_LETTERS
            and isinstance(inner, Paren)
            and isinstance(inner.body, Row)
            and all(_letter(p) for p in inner.body.parts[:-1])
            and name != "max"
            or name in ("sum", "mean")
            and isinstance(inner, Paren)
            and isinstance(inner.body, Row)
        ):
            letters = tuple(map(_must_be_letter, inner.body.parts[:-1]))
            return Big(name, letters, inner.body.parts[-1]), k + 2
        if isinstance(inner, Paren):
            arguments = inner.body.parts if isinstance(inner.body, Row) else (inner.body,)
            if name == "softmax" and len(arguments) == 2 and _letter(arguments[0]):
                arguments = arguments[1:]
            made: Node = Call(name, tuple(arguments), raw.primes)
            for wrap in wraps:
                made = wrap(made)
            after = k + 2
        elif behind is not None and (name in WHOLE or raw.base == "sigma" and not raw.sups or raw.primes) and not isinstance(behind, Row):
            argument, after = self._argument(k + 1)
            made = Call(name, (argument,), raw.primes)
        elif name in WHOLE and k + 1 < len(self.raws):
            raise SymbpError(f"behind {raw.base} stands its argument")
        else:
            return raw, k + 1
        if raw.subs and name == "log":
            made = Quotient(made, Call("log", (raw.subs[0].body,)))
        elif raw.subs and name == "softmax":
            made = Lowered(made, raw.subs)
        for script in power:
            made = Raised(made, script)
        return made, after

    def _argument(self, k: int) -> tuple[Node, int]:
        """The argument without brackets: one factor, or from a number on as far as letters go, as in log 2πσ²."""
        first, after = self.operand(k)
        if not isinstance(first, Number):
            return first, after
        factors = [first]
        while (
            self.beside(after)
            and isinstance(self.raws[after], (Sym, Raised))
            and not (
                isinstance(self.raws[after], Sym)
                and self.structure.is_function(self.raws[after])
                and self.beside(after + 1)
                and isinstance(_unwrapped(self.raws[after + 1])[0], Paren)
            )
        ):
            made, after = self.operand(after)
            factors.append(made)
        return (first if len(factors) == 1 else Product(tuple(factors), ("",) * (len(factors) - 1))), after

    def _rest(self, k: int) -> tuple[Node, int]:
        """All that follows, as one product."""
        if k >= len(self.raws):
            raise SymbpError("behind max stands what it is taken of")
        return _Chain(self.structure, self.raws[k:], self.signs[k:]).whole(), len(self.raws)


@dataclass(frozen=True)
class _Operator(Node):
    """d/dz, which waits for what it differentiates."""

    by: tuple[Node, ...]
    gradient: bool = False


def _derivative(above: Partials, below: Partials) -> Node:
    """∂J/∂w, or the operator ∂/∂w as a derivative of the sign ∂ itself."""
    by: list[Node] = []
    for item in below.items:
        if (
            isinstance(item, Sym)
            and above.order > 1
            and len(below.items) == 1
            and item.sups
            and isinstance(item.sups[-1].body, Number)
            and not item.sups[-1].shape
            and item.sups[-1].body.value == above.order
        ):
            by += [replace(item, sups=item.sups[:-1])] * above.order
        elif isinstance(item, Raised) and above.order > 1:
            by += [item.body] * above.order
        else:
            by.append(item)
    if not by or len(by) != above.order:
        raise SymbpError("a derivative is of as many things as its order says: \\frac{\\partial^2 J}{\\partial w \\partial v}")
    if len(above.items) > 1:
        return Derivative(Product(above.items, ("",) * (len(above.items) - 1)), tuple(by))
    return Derivative(above.items[0] if above.items else Sym("∂"), tuple(by))


def _whole_number(sups: tuple[Script, ...]) -> int:
    if not sups:
        return 1
    if len(sups) == 1 and isinstance(sups[0].body, Number) and sups[0].body.value in (1, 2, 3):
        return int(sups[0].body.value)
    raise SymbpError("the order of a derivative is 1, 2 or 3")


def _unwrapped(node: Node | None) -> tuple[Node | None, list[Callable[[Node], Node]]]:
    """What brackets hold inside their upper and lower indices, and how to put these back."""
    if isinstance(node, Raised):
        inner, wraps = _unwrapped(node.body)
        return inner, [*wraps, lambda made, s=node.script: Raised(made, s)]
    if isinstance(node, Lowered):
        inner, wraps = _unwrapped(node.body)
        return inner, [*wraps, lambda made, s=node.subs: Lowered(made, s)]
    return node, []


def _letter(node: Node) -> str:
    """The letter that a node is, with its primes, or ""."""
    if isinstance(node, Sym) and not (node.subs or node.sups or node.at):
        return node.base + "'" * node.primes
    return ""


def _must_be_letter(node: Node) -> str:
    node = node.body if isinstance(node, Paren) else node
    if not _letter(node):
        raise SymbpError("a sum runs over letters: \\sum_{j=1}^{n} or \\sum_{i,j}")
    return _letter(node)


def _listed(node: Node) -> Sequence[Node]:
    """The parts of a list, with commas or side by side."""
    if isinstance(node, Paren):
        return _listed(node.body)
    if isinstance(node, Row):
        return node.parts
    if isinstance(node, Product) and set(node.signs) == {""}:
        return node.factors
    return (node,)


def _only_names(node: Node) -> bool:
    """Whether brackets hold nothing but names, so that they may say on what something depends."""
    return all(isinstance(part, Sym) and part.base not in ("∂", "∇") for part in (node.parts if isinstance(node, Row) else (node,)))


def _is_event(node: Node) -> bool:
    """Whether brackets hold what a probability is of: P(Y = 1), p(x | μ)."""
    return isinstance(node, (Relation, Given)) or isinstance(node, Row) and any(map(_is_event, node.parts))


def mapped(node: Node, function: Callable[[Node], Node]) -> Node:
    """The node with a function applied to all right under it."""
    from dataclasses import fields

    changed = {}
    for item in fields(node):
        value = getattr(node, item.name)
        if isinstance(value, Node):
            changed[item.name] = function(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], tuple):
            changed[item.name] = tuple(tuple(map(function, row)) for row in value)
        elif isinstance(value, tuple) and any(isinstance(v, Node) for v in value):
            changed[item.name] = tuple(function(v) if isinstance(v, Node) else v for v in value)
    return replace(node, **changed) if changed else node
