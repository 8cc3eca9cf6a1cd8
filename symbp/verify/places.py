"""Slips in one place of an equation's body: a sign, a factor, an argument, a name, an index.

Stage: body → bodies with one change.  Everything follows from the form of the expression and from the shapes of the program's tensors.
"""
from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from symbp.calculus.local import prime
from symbp.language.functions import Defined, relu, sigmoid, tanh
from symbp.language.index import Index
from symbp.language.tensor import Access
from symbp.verify.elements import Place, Slip, slips_at


def slips_of(place: Place, part: bool = False) -> Iterator[Slip]:
    """Every body with one change, each new body once.  part: whether the body is one of several that add up."""
    body, seen = place.equation.body, {place.equation.body}
    for slip in (*_whole(place, part), *_within(body, place)):
        if slip.body not in seen:
            seen.add(slip.body)
            yield slip


def _whole(place: Place, part: bool) -> Iterator[Slip]:
    """Signs and factors of the whole, and a derivative of an activation too many."""
    body, target = place.equation.body, place.program.tensor(place.equation.target.name)
    of = f" of {place.shown(body)}" if part else ""
    if not target.next_of:
        yield Slip(f"the sign{of} is wrong", "sign", sp.Add(*(-a for a in sp.Add.make_args(body))))
    for text, number in (("2", sp.Integer(2)), *_counts(place)):
        for factor, said, inverse in ((number, text, f"1/{text}"), (1 / number, f"1/{text}", text)):
            new = sp.Add(*(factor * a for a in sp.Add.make_args(body)))
            missing = _complexity(new) < _complexity(body)
            yield Slip(f"the factor {inverse} is missing" if missing else
                       f"{place.shown(body)} has a factor {said} too many" if part else
                       f"a factor {said} is too many",
                       "factor" if text == "2" else "count", new)
    yield from _fewer_by_one(place, of)
    if target.cotangent_of or place.equation.label == "update":
        yield from _derivatives_too_many(place)
    elif not body.is_Add and not isinstance(body, Access):
        yield Slip("its logarithm is taken", "logarithm", sp.log(body))


def _counts(place: Place) -> list[tuple[str, sp.Expr]]:
    """What may be counted: N, the extents of the equation's indices, and the numbers that stand in it."""
    equation = place.equation
    counts = [s for s in place.program.sizes if s.name == "N"]
    counts += [i.extent for i in equation.indices if i.extent.is_Integer]
    for number in sorted(equation.body.atoms(sp.Rational), key=abs):
        counts += [sp.Integer(abs(number.p)), sp.Integer(number.q)]
    return [(str(c), c) for c in dict.fromkeys(counts) if not c.is_Integer or c > 2]


def _fewer_by_one(place: Place, of: str) -> Iterator[Slip]:
    """1/(n − 1) for 1/n, as in a variance."""
    for text, number in _counts(place):
        if _complexity(place.equation.body * number) < _complexity(place.equation.body):
            yield Slip(f"1/({text} - 1) stands for 1/{text}{of}", "count", place.equation.body * number / (number - 1))


def _complexity(body: sp.Expr) -> tuple[int, int]:
    """How much there is to write."""
    numbers = [n for a in sp.Add.make_args(body) for n in a.as_coeff_Mul()[:1] if abs(n) != 1]
    return len(numbers), int(sp.count_ops(body))


def _derivatives_too_many(place: Place) -> Iterator[Slip]:
    """σ′ where none belongs: of what is differentiated by, or of what stands in the equation."""
    body, target = place.equation.body, place.equation.target
    own = place.program.tensor(target.name).cotangent_of
    inside = [a for a in body.atoms(Access) if a.indices == target.indices and not place.program.tensor(a.name).cotangent_of]
    for access in sorted(inside, key=str):
        factor = access * (1 - access)
        yield Slip(f"a factor {place.shown(factor)} is too many", "activation", body * factor)
    if place.equation.label == "update":
        for rate in (t for t in place.program.tensors if t.role == "constant" and not t.shape):
            for factor in (1 - rate[()], rate[()]):
                yield Slip(f"a factor {place.shown(factor)} is too many", "factor", body * factor)
    used = {type(f) for eq in place.program.equations for f in eq.body.atoms(Defined) if len(f.args) == 1 and not any(f.orders)}
    for function in sorted(used, key=lambda f: f.__name__) if own else ():
        by = Access(own[1], *target.indices) if own[1] in place.program and own[1] not in place.later else None
        factor = prime(function)(by) if by is not None and not body.has(prime(function)) else None
        if factor is not None:
            yield Slip(f"a factor {place.shown(factor)} is too many", "activation", body * factor)


def _within(node: sp.Expr, place: Place) -> Iterator[Slip]:
    """The changes of a node, then those of its parts, each as a slip whose body is the changed whole."""
    yield from _local(node, place)
    if isinstance(node, (Access, Index)) or not node.args:
        return
    for k, part in enumerate(node.args):
        for slip in _within(part, place):
            yield Slip(slip.what, slip.kind, node.func(*node.args[:k], slip.body, *node.args[k + 1:]))


def _local(node: sp.Expr, place: Place) -> Iterator[Slip]:
    if node.is_Add:
        yield from _of_add(node, place)
    elif node.is_Mul:
        yield from _of_mul(node, place)
    elif node.is_Pow:
        yield from _of_power(node, place)
    elif isinstance(node, Access):
        yield from slips_at(node, place)
    elif isinstance(node, sp.Function):
        yield from _of_function(node, place)


def _of_add(node: sp.Add, place: Place) -> Iterator[Slip]:
    """A term with the wrong sign, a term that is missing, ε within the root."""
    descends = bool(place.program.tensor(place.equation.target.name).next_of)
    for k, term in enumerate(node.args):
        rest = sp.Add(*node.args[:k], *node.args[k + 1:])
        text = place.shown(-term if term.could_extract_minus_sign() else term)
        against = descends and term.could_extract_minus_sign() and node == place.equation.body
        yield Slip("ascent stands for descent" if against else f"the sign of {text} is wrong", "ascent" if against else "sign", rest - term)
        yield Slip(f"the term {text} is missing", "term", rest)
        if term.is_Pow and term.exp == sp.Rational(1, 2) and not rest.is_number:
            yield Slip(f"{place.shown(rest)} stands within the root", "root", sp.sqrt(term.base + rest))


def _of_mul(node: sp.Mul, place: Place) -> Iterator[Slip]:
    """A factor that is missing, divides instead, or stands twice; σ′ written as a(1 − a) that is missing, doubled or without a."""
    for k, factor in sorted(enumerate(node.args), key=lambda pair: -_weight(pair[1])):
        rest = sp.Mul(*node.args[:k], *node.args[k + 1:])
        if factor == -1:
            continue
        divides = factor.is_Pow and factor.exp.is_negative
        text = place.shown(1 / factor if divides else factor)
        kind = _kind_of_factor(factor)
        yield Slip(f"the {'division by' if divides else 'factor'} {text} is missing", kind, rest)
        if not factor.is_number:
            yield Slip(f"{'a product with' if divides else 'a division by'} {text} stands for a {'division' if divides else 'product'}",
                       "function", rest / factor)
        if _is_derivative(factor):
            yield Slip(f"the factor {text} stands twice", "activation", node * factor)
    for one, other in _folded(node):
        pair = one * other
        yield Slip(f"the factor {place.shown(pair)} is missing", "activation", node / pair)
        yield Slip(f"the factor {place.shown(pair)} stands twice", "activation", node * pair)
        derivative = prime(sigmoid)(other)
        yield Slip(f"σ'({place.shown(other)}) stands for {place.shown(pair)}", "argument", node / pair * derivative)


def _kind_of_factor(factor: sp.Expr) -> str:
    if _is_derivative(factor):
        return "activation"
    if factor.is_number or isinstance(factor, sp.Symbol):
        return "factor" if factor.is_number else "count"
    return "correction" if factor.is_Pow and factor.exp == -1 and factor.base.is_Add else "term"


def _weight(factor: sp.Expr) -> int:
    """Derivatives of activations before other factors, vectors before matrices."""
    return 100 if _is_derivative(factor) else -len(factor.indices) if isinstance(factor, Access) else -50


def _is_derivative(factor: sp.Expr) -> bool:
    """σ′(z), or 1 − a² and the like."""
    base = factor.base if factor.is_Pow and factor.exp.is_positive else factor
    if isinstance(base, Defined):
        return any(type(base).orders)
    return base.is_Add and len(base.args) == 2 and base.args[0] == 1 and -1 in base.args[1].as_coeff_Mul()[:1]


def _folded(node: sp.Mul) -> Iterator[tuple[sp.Expr, sp.Expr]]:
    """The pairs (1 − a, a) of a product."""
    for factor in node.args:
        if factor.is_Add and len(factor.args) == 2 and (other := 1 - factor) in node.args and isinstance(other, Access):
            yield factor, other


def _of_power(node: sp.Pow, place: Place) -> Iterator[Slip]:
    """A square or a root that is missing."""
    text = place.shown(node.base)
    if node.exp in (2, -2):
        yield Slip(f"the square of {text} is missing", "root", node.base ** (node.exp / 2))
    elif node.exp in (sp.Rational(1, 2), -sp.Rational(1, 2)):
        yield Slip(f"the square root of {text} is missing", "root", node.base ** (2 * node.exp))
    elif node.exp == -1 and not node.base.is_number:
        yield Slip(f"the square root of {text} is taken", "root", 1 / sp.sqrt(node.base))
    if isinstance(node.exp, Access):
        yield from (Slip(f"the exponent of {text} is {n:+d}", "time", node.base ** (node.exp + n)) for n in (-1, 1))


def _of_function(node: sp.Function, place: Place) -> Iterator[Slip]:
    """Another function, σ for σ′, the argument with the wrong sign, no function at all."""
    text, argument = place.shown(node), node.args[0]
    if isinstance(node, Defined) and len(node.args) == 1:
        kind = type(node)
        primed = any(kind.orders)
        if primed:
            yield Slip(f"{place.shown((kind.base or kind)(argument))} stands for {text}", "activation", (kind.base or kind)(argument))
        else:
            yield Slip(f"{place.shown(prime(kind)(argument))} stands for {text}", "activation", prime(kind)(argument))
        yield from _of_argument(node, place, primed)
        for other in (sigmoid, tanh, relu, sp.exp):
            if other is not (kind.base or kind) and not primed:
                yield Slip(f"{place.shown(other(argument))} stands for {text}", "function", other(argument))
            elif other is not kind.base and primed and other is not sp.exp:
                yield Slip(f"{place.shown(prime(other)(argument))} stands for {text}", "function", prime(other)(argument))
    if isinstance(node, sp.log):
        for base in (10, 2):
            yield Slip(f"the logarithm of {place.shown(argument)} is taken to the base {base}", "logarithm", node / sp.log(base))
    if len(node.args) == 1:
        kind = "logarithm" if isinstance(node, sp.log) else "function"
        yield Slip(f"{place.shown(argument)} stands for {text}", kind, argument)
        yield Slip(f"the sign within {text} is wrong", "sign", node.func(-argument))


def _of_argument(node: Defined, place: Place, primed: bool) -> Iterator[Slip]:
    """σ′(a) for σ′(z), for whatever has the shape of z."""
    argument = node.args[0]
    for slip in slips_at(argument, place) if isinstance(argument, Access) else ():
        kind = "argument" if primed and slip.kind == "name" else slip.kind
        yield Slip(f"{place.shown(node.func(slip.body))} stands for {place.shown(node)}", kind, node.func(slip.body))
