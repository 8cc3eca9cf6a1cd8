"""Every formula that one change of one place makes of another: the slips that people make, undone.

Stage: nodes + names → changes, the plainest first.  Whether a change makes a formula right is for `symbp.verify.slips` to find out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from symbp.verify.brackets import TRANSPOSES, WHOLE, mapped
from symbp.verify.naming import ALL, EARLIER, Named, Names, said
from symbp.verify.nodes import (
    Big,
    Call,
    Derivative,
    Negative,
    Node,
    Number,
    Path,
    Product,
    Quotient,
    Raised,
    Root,
    Script,
    Sum,
    Sym,
    at,
    below,
    is_letter,
    replaced,
    walk,
)

ONE, TWO = Number(Fraction(1)), Number(Fraction(2))
TURN = Script("", Sym("⊤"))
SIGMA = {"sigma": "σ"}
VALUED = (Sym, Sum, Call, Raised, Negative, Product, Quotient, Derivative, Big)


@dataclass(frozen=True)
class Change:
    """What a slip was, and the side without it."""

    kind: str
    said: str
    side: Node


@dataclass(frozen=True)
class Scope:
    """What changes may use: names with their axes, the letters of indices and of names, and functions that the formula calls."""

    names: Names
    letters: tuple[str, ...] = ()
    counting: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    values: Mapping[str, int] | None = None
    forms: tuple[Sym, ...] = ()
    loss: str = ""

    def find(self, sym: Node) -> Named | None:
        """The name of a symbol, with its indices."""
        return self.names.find(sym, {**self.names.last(sym), **(self.values or {})}) if isinstance(sym, Sym) else None

    def name(self, sym: Node) -> str | None:
        """The name of a symbol."""
        found = self.find(sym)
        return found.name if found else None

    def whole(self, sym: Sym) -> bool:
        """Whether a symbol is an array of which an axis has no index."""
        found = self.find(sym)
        return found is not None and len(found.indices) < self.names.axes[found.name]


Rule = Callable[[Node, Scope], Iterator[Change]]


def changes(side: Node, scope: Scope) -> Iterator[Change]:
    """Every side that one change makes of this one."""
    places = [(path, node) for path, node in walk(side) if not _in_script(side, path)]
    yield from _by_rules(side, places, scope, PLAIN)
    yield from (*_exchanges(side, scope), *_factors(side, scope))
    yield from _by_rules(side, places, scope, (_renames, _wraps, _slopes, _terms, _inserts))


def _by_rules(side: Node, places: list[tuple[Path, Node]], scope: Scope, rules: Iterable[Rule]) -> Iterator[Change]:
    for rule in rules:
        for path, node in places:
            for change in rule(node, scope):
                yield replace(change, side=replaced(side, path, change.side))


def _in_script(side: Node, path: Path) -> bool:
    above = [at(side, path[:k]) for k in range(len(path) + 1)]
    if any(isinstance(n, Derivative) or isinstance(n, Sym) and n.base != "e" for n in above[:-1]):
        return True
    return isinstance(above[-1], Script)


def _exchanges(side: Node, scope: Scope) -> Iterator[Change]:
    """Two names exchanged wherever they stand."""
    bases = {n.base: name for n in below(side) if isinstance(n, Sym) and (name := scope.name(n)) is not None}
    for first, second in itertools.combinations(sorted(bases), 2):
        if scope.names.axes[bases[first]] == scope.names.axes[bases[second]]:
            yield Change("name", f"{first} and {second} are exchanged", _exchanged(side, {first: second, second: first}))


def _exchanged(node: Node, new: Mapping[str, str]) -> Node:
    if isinstance(node, Sym):
        node = replace(node, base=new.get(node.base, node.base))
    return mapped(node, lambda n: _exchanged(n, new))


def atoms(scope: Scope) -> Iterator[tuple[Sym, int]]:
    """The names that may be missing, as the formula would write them, with indices and letters of layers, and the axes that are left."""
    if scope.counting:
        for form in scope.forms:
            axes = scope.names.axes[scope.name(form)]
            yield from (
                (replace(form, subs=(*form.subs, *subs)), axes - len(subs))
                for subs in (_subscripts(axes, scope) if scope.letters else ((),))
            )
        return
    for name, axes in scope.names.axes.items():
        if " " not in name:
            yield from ((Sym(name, subs), axes - len(subs)) for subs in (_subscripts(axes, scope) if scope.letters else ((),)))


def _factors(side: Node, scope: Scope) -> Iterator[Change]:
    """What is missing as a factor or divisor of the whole: a name, or a difference of two."""
    found = list(atoms(scope))
    for atom, axes in found:
        yield Change("missing factor", f"the factor {said(atom)} is missing", Product((atom, side), ("odot",)))
        yield Change("missing factor", f"the divisor {said(atom)} is missing", Quotient(side, atom))
        for other, same in found:
            if other != atom and axes == same and (axes <= 1 or not scope.letters):
                gap = Sum((atom, Negative(other)))
                yield Change("missing factor", f"the factor {said(atom)} - {said(other)} is missing", Product((gap, side), ("odot",)))
        if scope.loss and scope.name(atom) != scope.loss:
            slope, told = Derivative(Sym(scope.loss), (atom,)), f"the factor ∂{scope.loss}/∂{said(atom)} is missing"
            yield Change("missing factor", told, Product((slope, side), ("odot",)))
            yield Change("missing factor", told, Product((side, slope), ("",)))
    for first, second in itertools.permutations(scope.letters[:3], 2):
        delta = Sym("delta", (Script("", Sym(first)), Script("", Sym(second))))
        for atom, axes in found:
            if not axes and atom.subs and atom.subs[-1].body == Sym(second):
                gap = Sum((delta, Negative(atom)))
                yield Change("missing factor", f"the factor δ - {said(atom)} is missing", Product((gap, side), ("odot",)))


def _inserts(node: Node, scope: Scope) -> Iterator[Change]:
    """A name that is missing as a factor of a part, on either side of it, perhaps transposed; and a sum that is missing."""
    if isinstance(node, Sym) and scope.name(node) is None or not isinstance(node, VALUED):
        return
    for letter in (*scope.letters, *scope.counting):
        if not isinstance(node, Big):
            yield Change("sum", f"the sum over {_bare(letter)} is missing", Big("sum", (letter,), node))
    yield Change("sum", "a sum is missing", Big("sum", (), node))
    for atom, axes in atoms(scope):
        told = f"the factor {said(atom)} is missing"
        yield Change("missing factor", told, Product((atom, node), ("",)))
        if axes:
            yield Change("missing factor", told, Product((node, atom), ("",)))
            yield Change("missing factor", told, Product((Raised(atom, TURN), node), ("",)))
            yield Change("missing factor", told, Product((node, Raised(atom, TURN)), ("",)))


def _signs(node: Node, _scope: Scope) -> Iterator[Change]:
    if isinstance(node, Negative):
        yield Change("sign", "a sign is wrong", node.body)
    if isinstance(node, Sym) and node.base == "e" and len(node.sups) == 1:
        turned = node.sups[0].body.body if isinstance(node.sups[0].body, Negative) else Negative(node.sups[0].body)
        yield Change("sign", "the sign of the exponent is wrong", replace(node, sups=(replace(node.sups[0], body=turned),)))
    if isinstance(node, Call) and node.name == "exp":
        argument = node.arguments[0]
        turned = argument.body if isinstance(argument, Negative) else Negative(argument)
        yield Change("sign", "the sign of the exponent is wrong", replace(node, arguments=(turned,)))
    if isinstance(node, Sum):
        for k, term in enumerate(node.terms):
            turned = term.body if isinstance(term, Negative) else Negative(term)
            what = "minus stands where plus belongs" if isinstance(term, Negative) else "plus stands where minus belongs"
            yield Change("sign", what, Sum((*node.terms[:k], turned, *node.terms[k + 1 :])))


def _functions(node: Node, scope: Scope) -> Iterator[Change]:
    if not isinstance(node, Call):
        return
    shown = SIGMA.get(node.name, node.name)
    if node.primes:
        yield Change(
            "derivative",
            f"{shown}{chr(39) * node.primes} stands where {shown}{chr(39) * (node.primes - 1)} belongs",
            replace(node, primes=node.primes - 1),
        )
    elif len(node.arguments) == 1 and node.name not in ("log", "softmax", "diag", "trace"):
        yield Change("derivative", f"{shown} stands where {shown}' belongs", replace(node, primes=1))
    if len(node.arguments) == 1 and node.name in ("log", "exp", "diag"):
        yield Change(
            node.name,
            {"log": "a logarithm is too many", "exp": "an exponential is too many", "diag": "diag is too many"}[node.name],
            node.arguments[0],
        )
    for other in dict.fromkeys(("sigmoid", "tanh", "relu", *scope.functions)):
        if other != node.name and node.name in ("sigma", "sigmoid", "tanh", "relu", *scope.functions) and len(node.arguments) == 1:
            yield Change("function", f"{shown} stands where {SIGMA.get(other, other)} belongs", replace(node, name=other))


def _turns(node: Node, scope: Scope) -> Iterator[Change]:
    if isinstance(node, Raised) and is_letter(node.script.body, *TRANSPOSES):
        yield Change("transpose", f"{said(node.body)} should not be transposed", node.body)
    elif isinstance(node, Sym) and any(is_letter(s.body, *TRANSPOSES) for s in node.sups):
        bare = replace(node, sups=tuple(s for s in node.sups if not is_letter(s.body, *TRANSPOSES)))
        yield Change("transpose", f"{said(bare)} should be transposed, or not be", bare)
    elif isinstance(node, Sym) and scope.whole(node):
        yield Change("transpose", f"{said(node)} should be transposed, or not be", Raised(node, TURN))
    elif isinstance(node, (Sum, Derivative)):
        yield Change("transpose", "a bracket should be transposed, or not be", Raised(node, TURN))


def _indices(node: Node, scope: Scope) -> Iterator[Change]:
    if not isinstance(node, Sym) or not node.subs:
        return
    own = [k for k, s in enumerate(node.subs) if is_letter(s.body) and s.body.base in scope.letters]
    if len(own) == 2:
        subs = list(node.subs)
        subs[own[0]], subs[own[1]] = subs[own[1]], subs[own[0]]
        yield Change("transpose", "the indices are the wrong way round", replace(node, subs=tuple(subs)))
    for k in own:
        for letter in scope.letters:
            if letter != node.subs[k].body.base:
                new = replace(node, subs=(*node.subs[:k], Script("", Sym(letter)), *node.subs[k + 1 :]))
                yield Change("index", f"the index {_bare(node.subs[k].body.base)} of {node.base} should be {_bare(letter)}", new)


def _shifts(node: Node, scope: Scope) -> Iterator[Change]:
    """Another layer or time step in a script."""
    if not isinstance(node, Sym):
        return
    for field, scripts in (("sups", node.sups), ("subs", node.subs)):
        for k, script in enumerate(scripts):
            counts = [n.base for _, n in walk(script.body) if isinstance(n, Sym)]
            plain = isinstance(script.body, Number) and scope.name(node) and (script.shape or field == "subs")
            if any(c in scope.counting for c in counts) or plain:
                for step in (1, -1, 2, -2):
                    body = _shifted(script.body, step)
                    new = replace(node, **{field: (*scripts[:k], Script(script.shape, body), *scripts[k + 1 :])})
                    yield Change("layer", f"{said(node)} stands where {said(new)} belongs", new)


def _shifted(body: Node, step: int) -> Node:
    if isinstance(body, Number):
        return Number(body.value + step)
    constant = sum(_constant(t) for t in body.terms) if isinstance(body, Sum) else 0
    letters = [t for t in body.terms if not _constant(t)] if isinstance(body, Sum) else [body]
    total = constant + step
    return (
        letters[0]
        if not total and len(letters) == 1
        else Sum((*letters, Number(Fraction(total)) if total > 0 else Negative(Number(Fraction(-total)))))
    )


def _constant(term: Node) -> int:
    if isinstance(term, Number):
        return int(term.value)
    return -int(term.body.value) if isinstance(term, Negative) and isinstance(term.body, Number) else 0


def _renames(node: Node, scope: Scope) -> Iterator[Change]:
    """Another name in the place of one, with the same indices, powers and T."""
    name = scope.name(node)
    if name is None or not isinstance(node, Sym):
        return
    found = scope.find(node)
    for other, axes in scope.names.axes.items():
        if other != name and len(found.indices) <= axes and (ALL, False) not in found.indices:
            new = Sym(
                other,
                tuple(Script("", i) for i, zero in found.indices if not zero),
                found.sups,
                at=tuple(i for i, zero in found.indices if zero),
            )
            yield Change(_kind_of(name, other), f"{name} stands where {other} belongs", new)


def _kind_of(name: str, other: str) -> str:
    heads = {re.sub(r"\d+", "", n)[:1].lower() for n in (name, other)}
    if heads == {"b", "w"}:
        return "bias for weight"
    return "layer" if re.sub(r"\d+", "", name) == re.sub(r"\d+", "", other) else "name"


def _marks(node: Node, _scope: Scope) -> Iterator[Change]:
    """An updated value in the place of an old one."""
    if isinstance(node, Sym) and node.base.startswith("new "):
        old = node.base.removeprefix("new ")
        yield Change("updated", f"the updated {old} stands where the old one belongs", replace(node, base=old))
    if isinstance(node, Sym) and node.base.endswith(EARLIER):
        one = node.base.removesuffix(EARLIER)
        yield Change("time", f"{one}{EARLIER} stands where that of one step before belongs", replace(node, base=one))


def _numbers(node: Node, scope: Scope) -> Iterator[Change]:
    if isinstance(node, Number) and not node.name:
        for value in dict.fromkeys((Fraction(1), Fraction(2), Fraction(0), Fraction(1, 2), node.value + 1, node.value - 1)):
            if value != node.value:
                yield Change("number", f"{node.value} stands where {value} belongs", Number(value))
        if node.value == 1:
            for first in scope.letters:
                for second in scope.letters:
                    if first < second:
                        delta = Sym("delta", (Script("", Sym(first)), Script("", Sym(second))))
                        yield Change("diagonal", f"1 stands where δ_{{{_bare(first)}{_bare(second)}}} belongs", delta)
    if isinstance(node, Sym) and node.base == "delta" and len(node.subs) == 2:
        yield Change("diagonal", "Kronecker's δ stands where 1 belongs", ONE)


def _drops(node: Node, _scope: Scope) -> Iterator[Change]:
    if isinstance(node, Sum) and len(node.terms) > 1:
        for k in range(len(node.terms)):
            rest = (*node.terms[:k], *node.terms[k + 1 :])
            yield Change("term", "a term is too many", rest[0] if len(rest) == 1 else Sum(rest))
    if isinstance(node, Product):
        for k in range(len(node.factors)):
            made = _without(node, k)
            if made is not None:
                what = (
                    "an activation derivative is too many"
                    if isinstance(node.factors[k], Call) and node.factors[k].primes
                    else "a factor is too many"
                )
                yield Change("derivative" if "activation" in what else "factor", what, made)
    if isinstance(node, Quotient):
        yield Change("factor", "a divisor is too many", node.above)
        yield Change("inverse", "a fraction is upside down", Quotient(node.below, node.above))
    if isinstance(node, Raised) and not is_letter(node.script.body, *TRANSPOSES):
        yield Change("power", "a power is too many", node.body)
    if isinstance(node, Sym) and node.sups and isinstance(node.sups[-1].body, Number) and not node.sups[-1].shape:
        yield Change("power", "a power is too many", replace(node, sups=node.sups[:-1]))
    if isinstance(node, Root):
        yield Change("root", "a root is too many", node.body)
    if isinstance(node, Big):
        yield Change("sum", "a sum is too many", node.body)


def _without(node: Product, k: int) -> Node | None:
    if len(node.factors) == 2 and "over" in node.signs:
        return node.factors[0] if k == 1 else None
    if k < len(node.signs) and node.signs[k] == "over" and k == 0:
        return None
    factors = (*node.factors[:k], *node.factors[k + 1 :])
    signs = (*node.signs[: k - 1], *node.signs[k:]) if k else node.signs[1:]
    return factors[0] if len(factors) == 1 else Product(factors, signs)


def _wraps(node: Node, scope: Scope) -> Iterator[Change]:
    """A square, a root, a complement or a logarithm that is missing."""
    name = scope.name(node)
    turned = isinstance(node, Raised) and is_letter(node.script.body, *TRANSPOSES)
    if (name is not None or isinstance(node, (Call, Raised, Sum))) and not turned:
        yield Change("power", f"{_shown(node)} should be squared", Raised(node, Script("", TWO)))
        yield Change("root", f"the root of {_shown(node)} is missing", Root(node))
    if name is not None:
        yield Change("complement", f"{_shown(node)} stands where 1 - {_shown(node)} belongs", Sum((ONE, Negative(node))))
    if name is not None or isinstance(node, (Call, Quotient, Sum, Big)) and getattr(node, "name", "") not in WHOLE - {"softmax", "sigmoid"}:
        yield Change("log", f"the logarithm of {_shown(node)} is missing", Call("log", (node,)))
    if isinstance(node, (Quotient, Root, Sym)) and any(e in scope.names.axes for e in ("epsilon", "eps")):
        epsilon = Sym(next(e for e in ("epsilon", "eps") if e in scope.names.axes))
        if isinstance(node, Quotient):
            yield Change("epsilon", "ε is missing in the divisor", replace(node, below=Sum((node.below, epsilon))))
        elif isinstance(node, Root):
            yield Change("epsilon", "ε is missing", Root(Sum((node.body, epsilon)), node.degree))


def _orders(node: Node, _scope: Scope) -> Iterator[Change]:
    if isinstance(node, Product) and "over" not in node.signs:
        for k in range(len(node.factors) - 1):
            swapped = (*node.factors[:k], node.factors[k + 1], node.factors[k], *node.factors[k + 2 :])
            yield Change("order", "two factors are in the wrong order", replace(node, factors=swapped))


def _slopes(node: Node, scope: Scope) -> Iterator[Change]:
    """An activation derivative that is missing, at the whole or at one of its factors."""
    if not isinstance(node, (Product, Sum, Raised, Sym, Negative, Big)):
        return
    for function in scope.functions:
        for atom, _ in atoms(scope):
            told = f"the factor {SIGMA.get(function, function)}'({said(atom)}) is missing"
            yield Change("derivative", told, Product((node, Call(function, (atom,), 1)), ("odot",)))


def _subscripts(axes: int, scope: Scope) -> list[tuple[Script, ...]]:
    free = [k for k in scope.letters if "#" not in k][:3]
    if not axes:
        return [()]
    if axes == 1:
        return [(), *[(Script("", Sym(k)),) for k in free]]
    return [(), *[(Script("", Sym(a)), Script("", Sym(b))) for a in free for b in free if a != b]]


def _terms(node: Node, scope: Scope) -> Iterator[Change]:
    """A term that is missing: a name, 1, or a term like another in which one name is different."""
    named = isinstance(node, Sym) and scope.name(node) is not None
    if not named and not isinstance(node, (Sum, Product, Negative, Quotient, Call, Big, Raised, Root)):
        return
    terms = node.terms if isinstance(node, Sum) else (node,)
    extra: list[tuple[str, Node]] = [("1", ONE), *((said(atom), atom) for atom, _ in atoms(scope))]
    free = [k for k in scope.letters if "#" not in k][:3]
    pairs = itertools.combinations(free, 2)
    extra += [(f"δ_{{{a}{b}}}", Sym("delta", (Script("", Sym(a)), Script("", Sym(b))))) for a, b in pairs]
    for term in terms if isinstance(node, (Sum, Product)) else ():
        for path, inner in walk(term):
            if scope.name(inner) and not _in_script(term, path):
                extra += [
                    ("like another", replaced(term, path, c.side))
                    for c in (*_renames(inner, scope), *_shifts(inner, scope))
                    if c.kind == "layer"
                ]
    for what, added in extra:
        for signed in (added, Negative(added)):
            yield Change("term", f"a term is missing, {'one ' if what[0] == 'l' and ' ' in what else ''}{what}", Sum((*terms, signed)))


PLAIN = (_signs, _functions, _turns, _indices, _shifts, _marks, _numbers, _drops, _orders)
"""The rules that use nothing but what stands in the formula."""


def _shown(node: Node) -> str:
    return said(node) if isinstance(node, Sym) else "a bracket" if isinstance(node, Sum) else "a part"


def _bare(letter: str) -> str:
    return letter.split("#")[0]
