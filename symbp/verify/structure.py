r"""Syntax tree → nodes: which of the things side by side is a function, its argument, a derivative, a sum's body.

\sigma'(z) W^T x   → Product((Call("σ", (z,), primes=1), W^T, x))       \frac{\partial J}{\partial w} → Derivative(J, (w,))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from symbp.errors import SymbpError
from symbp.verify.brackets import (
    ALIASES,
    NAMED,
    TRANSPOSES,
    Given,
    Paren,
    Partials,
    derivative,
    is_event,
    letter,
    listed,
    mapped,
    must_be_letter,
    only_names,
    whole_number,
)
from symbp.verify.chain import Chain
from symbp.verify.nodes import (
    Big,
    Bracket,
    Cases,
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


class Structure:
    """Makes nodes of a syntax tree; it knows names and functions, not values."""

    def __init__(self, names: Sequence[str], functions: Sequence[str], numbers: Sequence[str], timed: Sequence[str] = (),
                 far: bool = False, matrices: Sequence[str] = ()) -> None:
        self.names, self.functions, self.numbers, self.timed = frozenset(names), frozenset(functions), frozenset(numbers), frozenset(timed)
        self.matrices = frozenset(matrices)
        self.far = far  # whether log a b is log(a b)
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
                and (first or name.base not in self.matrices)
                and isinstance(behind, Paren)
                and behind.shape == "("
                and (only_names(behind.body) or first and is_event(behind.body))
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
        return derivative(*halves) if None not in halves else Quotient(above, below)

    def _differential(self, node: Node) -> Partials | None:
        """One half of a derivative: ∂J, or dJ with the letter d."""
        node = node.body if isinstance(node, Paren) and node.shape == "" else node
        if isinstance(node, Partials):
            return node
        if isinstance(node, Product) and isinstance(node.factors[0], Partials) and node.factors[0].items and "over" not in node.signs:
            top, rest = node.factors[0], node.factors[1:]  # ∂ a^T X b is of the whole product
            return Partials(top.order, (Product((*top.items, *rest), ("",) * (len(top.items) - 1) + node.signs),))
        if is_letter(node, "d", "∂"):
            return Partials(1, ())
        if isinstance(node, Sym) and node.base == "∂" and not node.subs:
            return Partials(whole_number(node.sups), ())
        if (
            isinstance(node, Product)
            and set(node.signs) == {""}
            and isinstance(node.factors[0], Sym)
            and node.factors[0].base == "d"
            and "d" not in self.names
        ):
            order = whole_number(node.factors[0].sups)
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
        if isinstance(lower, Relation) and lower.sign == "=" and letter(lower.left):
            return Big(op, (letter(lower.left),), body, self.clean(lower.right), upper)
        if isinstance(lower, Relation) and lower.sign in ("IN", "in", "∈"):
            return Big(op, tuple(map(must_be_letter, listed(lower.left))), body)
        parts = listed(lower)
        relations = [self.clean(p) for p in parts if isinstance(p, Relation)]
        letters = [must_be_letter(p) for p in parts if not isinstance(p, Relation)]
        if relations and not letters:
            letters = [next((n for r in relations for n in (letter(r.left), letter(r.right)) if n), "")]
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
        return Chain(self, raws, signs).whole()

    def is_function(self, sym: Sym) -> bool:
        """Whether a symbol calls a function: a known word or a letter that the text declares, unless a tensor has the name."""
        bare = ALIASES.get(sym.base, sym.base)
        if sym.base in self.functions:
            return True
        if bare in NAMED and sym.base not in self.names:
            return True
        return bool(sym.primes) and sym.base not in self.names or sym.base == "sigma" and "sigma" not in self.names
