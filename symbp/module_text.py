"""Small pieces of a generated module's text."""
from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Sequence

import sympy as sp

from symbp.initial import Start
from symbp.language.index import size

WIDTH = 120
"""The longest line of a generated module."""
N = size("N")


def count(expression: sp.Expr) -> str:
    """A count as text, with commas.

    >>> count(2000*N + 5)
    '2,000 N + 5'
    """
    terms = (t.as_coeff_Mul() for t in sorted(sp.Add.make_args(expression), key=lambda t: -t.has(N)))
    return " + ".join(f"{int(count):,}" + (f" {rest}" if rest != 1 else "") for count, rest in terms)


def names_in(lines: Iterable[str]) -> set[str]:
    """The names that lines of Python mention."""
    return {node.id for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.Name)}


def tuple_text(names: Sequence[str]) -> str:
    """Names as the left side of an assignment, or the inside of a tuple.

    >>> tuple_text(["a", "b"]), tuple_text(["a"])
    ('(a, b)', '(a,)')
    """
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def start_text(start: Start, shape: str) -> str:
    """The expression that makes a parameter's first values, in double precision."""
    if start.kind in ("zeros", "ones"):
        return f"np.{start.kind}({shape})"
    return f"rng.standard_normal({shape}) * np.sqrt({start.above} / {start.below})"


def wrapped(names: Sequence[str], value: str) -> list[str]:
    """`(names) = value`, in lines that are not too long."""
    lines = textwrap.wrap(tuple_text(names), WIDTH - 30, subsequent_indent=" ", break_long_words=False)
    return [*lines[:-1], f"{lines[-1]} = {value}"]


def broken_line(line: str, width: int = WIDTH - 30) -> list[str]:
    """An assignment or a call that is too long for a line, on several: within its own brackets, or in new ones.

    >>> broken_line("x = " + " + ".join("abcdefgh" * 2 for _ in range(8)))[0]
    'x = (abcdefghabcdefgh + abcdefghabcdefgh + abcdefghabcdefgh + abcdefghabcdefgh +'
    >>> broken_line("f(" + ", ".join("abcdefgh" * 2 for _ in range(8)) + ")")[0]
    'f(abcdefghabcdefgh, abcdefghabcdefgh, abcdefghabcdefgh, abcdefghabcdefgh,'
    >>> broken_line("    m = " + "maximum(" * 12 + "a[:, 0]" + ", b)" * 12)[:2]
    ['    m = (', '        maximum(maximum(maximum(maximum(maximum(maximum(maximum(maximum(maximum(maximum(maximum(maximum(a[:,']
    """
    if len(line) <= WIDTH:
        return [line]
    indent = line[:len(line) - len(line.lstrip())]
    head, *rest = re.split(r" ([-+|]?=) ", line, maxsplit=1)
    text = f"{head} {rest[0]} ({rest[1]})" if rest and not _is_call(rest[1]) else line
    lines = _wrapped(text, width, indent)
    if rest and lines[0].endswith("="):  # what follows has no space in a line's length
        return [f"{head} {rest[0]} (", *_wrapped(rest[1] + ")", width, indent, indent + "    ")]
    return lines


def _wrapped(text: str, width: int, indent: str, first: str = "") -> list[str]:
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=indent + "    ", break_long_words=False,
                         break_on_hyphens=False)


def _is_call(text: str) -> bool:
    """Whether an expression is one call, whose brackets end where it ends."""
    tree = ast.parse(text, mode="eval").body
    return isinstance(tree, ast.Call)
