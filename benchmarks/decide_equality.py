"""Prints how long deciding equality takes: `python benchmarks/decide_equality.py`.

σ' against σ − σ² alone, and a sum of 200 such terms; the reach is 0.02 s and 0.2 s.
"""
from __future__ import annotations

import timeit

import sympy as sp

from symbp.certify.equality import decide


def terms(count: int) -> tuple[sp.Expr, sp.Expr]:
    """Σ w σ'(x) written through exp in two ways."""
    xs, ws = sp.symbols(f"x0:{count}"), sp.symbols(f"w0:{count}")
    left = sp.Add(*(w * sp.exp(-v) / (1 + sp.exp(-v)) ** 2 for v, w in zip(xs, ws)))
    right = sp.Add(*(w * (1 / (1 + sp.exp(-v)) - 1 / (1 + sp.exp(-v)) ** 2) for v, w in zip(xs, ws)))
    return left, right


def main() -> None:
    """Print the table."""
    for count, reach in ((1, 0.02), (200, 0.2)):
        left, right = terms(count)
        assert decide(left, right).equal
        seconds = min(timeit.repeat(lambda: decide(left, right), number=1, repeat=5))  # noqa: B023  called at once
        print(f"decide {count:3} terms   {seconds:6.3f} s   (reach {reach})")


if __name__ == "__main__":
    main()
