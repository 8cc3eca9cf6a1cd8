"""Elementwise operands over common indices, and sums with what their terms share taken out."""
from __future__ import annotations

from collections.abc import Callable, Iterable

import sympy as sp

from symbp.language.index import Index
from symbp.matrix.groups import Form, hadamard, oriented, outer
from symbp.matrix.nodes import (
    Hadamard,
    Negative,
    Node,
    Number,
    Ones,
    Product,
    Scale,
    Sum,
    Transpose,
    cost,
    is_constant,
    is_scalar,
    product,
    times,
    transpose,
)
from symbp.matrix.order import sum_key
from symbp.matrix.view import NoForm


def common_axes(forms: list[Form]) -> tuple[Index, ...]:
    """The indices of elementwise operands, in the order that needs the fewest transposes."""
    found = tuple(dict.fromkeys(i for f in forms for i in f.axes))
    if len(found) > 2:
        raise NoForm(f"an elementwise operation over {len(found)} indices")
    return min((found, found[::-1]), key=lambda axes: sum(cost(spread(f, axes)) for f in forms))


def spread(form: Form, axes: tuple[Index, ...]) -> Node:
    """An operand over all of `axes`; a constant stands as it is, as in 1 − a."""
    return form.node if is_constant(form.node) else fitted(form, axes)


def fitted(form: Form, axes: tuple[Index, ...]) -> Node:
    """An expression over all of `axes`: transposed where need be, and repeated by ones where an index is missing."""
    if not set(form.axes) <= set(axes):
        raise NoForm(f"an index of {form.node} is neither summed nor on the left")
    return oriented(form, axes) if set(form.axes) == set(axes) else _repeated(form, axes)


def _repeated(form: Form, axes: tuple[Index, ...]) -> Node:
    """A column or scalar, repeated over the rest of `axes` by a product with ones."""
    node = form.node
    if isinstance(node, Negative):
        return Negative(_repeated(Form(node.body, form.axes), axes))
    if isinstance(node, Scale) and not is_scalar(node):
        return Scale(node.scalar, _repeated(Form(node.body, form.axes), axes))
    if form.axes:
        return outer(node, Ones()) if form.axes[0] == axes[0] else outer(Ones(), node)
    ones = Ones() if len(axes) == 1 else outer(Ones(), Ones())
    return ones if node == Number(sp.S.One) else Scale(node, ones)


def added(terms: Iterable[Node]) -> Node:
    """A sum, with a scalar, matrix or elementwise factor that all terms share in front of or behind it.

    >>> from symbp.matrix.nodes import Leaf
    >>> A, B, x = Leaf("A", None, 2), Leaf("B", None, 2), Leaf("x", None, 1)
    >>> added([Product((A, x)), Negative(Product((B, x)))]) == Product((Sum((A, Negative(B))), x))
    True
    """
    terms = sorted(terms, key=sum_key)
    if len(terms) == 1:
        return terms[0]
    signs = [isinstance(t, Negative) for t in terms]
    bare = [t.body if isinstance(t, Negative) else t for t in terms]
    if all(signs):
        return Negative(added(bare))
    for share in (_share_scalar, _share_transpose, _share_ends, _share_hadamard):
        found = share(bare, lambda rest: added(Negative(r) if s else r for s, r in zip(signs, rest)))
        if found is not None:
            return found
    return Sum(tuple(terms))


Adder = Callable[[list[Node]], Node]


def _share_scalar(terms: list[Node], add: Adder) -> Node | None:
    if all(isinstance(t, Scale) and t.scalar == terms[0].scalar for t in terms):
        return times([terms[0].scalar], add([t.body for t in terms]))
    return None


def _share_transpose(terms: list[Node], add: Adder) -> Node | None:
    if all(isinstance(t, Transpose) for t in terms):
        return transpose(add([t.body for t in terms]))
    return None


def _share_ends(terms: list[Node], add: Adder) -> Node | None:
    """A first or last factor of all products."""
    if not all(isinstance(t, Product) for t in terms):
        return None
    if all(t.factors[-1] == terms[0].factors[-1] for t in terms):
        return product(add([product(*t.factors[:-1]) for t in terms]), terms[0].factors[-1])
    if all(t.factors[0] == terms[0].factors[0] for t in terms):
        return product(terms[0].factors[0], add([product(*t.factors[1:]) for t in terms]))
    return None


def _share_hadamard(terms: list[Node], add: Adder) -> Node | None:
    """An elementwise factor of all terms."""
    if not all(isinstance(t, Hadamard) for t in terms):
        return None
    shared = next((f for f in terms[0].factors if all(f in t.factors for t in terms)), None)
    if shared is None:
        return None
    rests = [list(t.factors) for t in terms]
    for rest in rests:
        rest.remove(shared)
    return hadamard([shared, add([hadamard(r) for r in rests])])
