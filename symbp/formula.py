"""A bare formula as a program: names, extents and shapes are inferred from their use."""
from __future__ import annotations

from dataclasses import replace

from symbp.errors import LanguageError
from symbp.language.build import Builder, free_indices
from symbp.language.names import NameSupply
from symbp.language.parse import parse_expression
from symbp.language.program import Program
from symbp.language.scope import Scope
from symbp.language.syntax import short
from symbp.language.tensor import Tensor
from symbp.suggest import nearest


def formula_program(text: str, wrt: tuple[str, ...] | None = None) -> tuple[Program, str]:
    """The program of a formula, and the name of its value (`y`, or a free letter).

    The tensors in `wrt` become parameters; all of them when it is None.

    >>> program, name = formula_program("softmax(sum(i, W[k,i]*x[i]) + b[k])", ("W",))
    >>> name, [t.name for t in program.parameters]
    ('y', ['W'])
    """
    scope = Scope(infer=True)
    expression = parse_expression(text, scope)
    if not scope.tensors:
        raise LanguageError(f"in `{short(text)}`: there is no name to differentiate by; write a formula such as sum(i, w[i]*x[i])^2")
    names = NameSupply({*scope.tensors, *scope.indices, *scope.sizes})
    wanted = tuple(scope.tensors) if wrt is None else wrt
    for name in wanted:
        if name not in scope.tensors:
            raise LanguageError(f"in `{short(text)}`: there is no {name!r} to differentiate by{nearest(name, scope.tensors)}")
    free = free_indices(expression)
    letter = next((c for c in "yfsvgq" if names.free(c)), "y")
    value = Tensor(names.fresh(letter), tuple(i.extent for i in free), origin=tuple(i.start for i in free))
    builder = Builder(names)
    builder.assign(value[tuple(free)], expression)
    inputs = [replace(t, role="parameter") if n in wanted else t for n, t in scope.tensors.items()]
    return Program((*inputs, *builder.tensors, value), builder.equations), value.name

