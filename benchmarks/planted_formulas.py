"""Slips planted in the formulas of the control files: how many are found wrong, how many explained; and false alarms among the controls.

    python benchmarks/planted_formulas.py [--per-formula 6] [--seed 0] [--limit N] [--files "standard-n*.toml"]

A slip is planted by changing one place of a right formula's tree, without the program that looks for slips (a table of its own, below).
It counts where it changes the value at 60 digits; unjudged counts as missed.
"""
from __future__ import annotations

import argparse
import random
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from symbp.verify.claimfile import load
from symbp.verify.deciding import difference
from symbp.verify.formulas import Formulas
from symbp.verify.meaning import Reading
from symbp.verify.nodes import (
    Big,
    Call,
    Derivative,
    Formula,
    Negative,
    Node,
    Number,
    Product,
    Quotient,
    Raised,
    Root,
    Script,
    Sum,
    Sym,
    at,
    is_letter,
    replaced,
    walk,
)
from symbp.verify.slips import explained

CONTROLS = Path(__file__).parent.parent / "examples" / "claims"
TWO, HALF = Number(Fraction(2)), Number(Fraction(1, 2))


def planted(side: Node, formulas: Formulas, batch: int | None) -> Iterator[tuple[str, Node]]:
    """A side with one slip, by kind."""
    yield "sign", Negative(side)
    yield "factor 2", Product((TWO, side), ("",))
    yield "factor 2", Product((HALF, side), ("",))
    if batch:
        count = Number(Fraction(batch))
        yield "factor N", Product((count, side), ("",))
        yield "factor N", Quotient(side, count)
    for path, node in walk(side):
        if any(isinstance(at(side, path[:k]), (Sym, Script, Derivative)) for k in range(len(path))) or isinstance(node, Script):
            continue
        for kind, new in _local(node, formulas):
            yield kind, replaced(side, path, new)


def _local(node: Node, formulas: Formulas) -> Iterator[tuple[str, Node]]:
    if isinstance(node, Sum):
        for k, term in enumerate(node.terms):
            rest = node.terms[:k] + node.terms[k + 1:]
            turned = term.body if isinstance(term, Negative) else Negative(term)
            yield "sign", Sum((*node.terms[:k], turned, *node.terms[k + 1:]))
            yield "missing term", rest[0] if len(rest) == 1 else Sum(rest)
    if isinstance(node, Call) and len(node.arguments) == 1:
        if node.primes:
            yield "activation", replace(node, primes=0)
            yield "activation", Product((node, node), ("odot",))
            argument = node.arguments[0]
            if isinstance(argument, Sym) and argument.base == "z" and formulas.names.find(replace(argument, base="a"), {"l": 1, "t": 1}):
                yield "argument", replace(node, arguments=(replace(argument, base="a"),))
        if node.name == "log":
            yield "log", node.arguments[0]
    if isinstance(node, Product) and "over" not in node.signs:
        for k, factor in enumerate(node.factors):
            rest = node.factors[:k] + node.factors[k + 1:]
            signs = node.signs[1:] if k == 0 else node.signs[:k - 1] + node.signs[k:]
            slope = isinstance(factor, Call) and factor.primes or isinstance(factor, Sum)
            yield "activation" if slope else "missing factor", rest[0] if len(rest) == 1 else Product(rest, signs)
    if isinstance(node, Raised):
        yield "transpose" if is_letter(node.script.body, "T", "⊤") else "power", node.body
    if isinstance(node, Sym):
        turned = tuple(s for s in node.sups if not is_letter(s.body, "T", "⊤"))
        if turned != node.sups:
            yield "transpose", replace(node, sups=turned)
        if len(node.subs) == 2 and node.base != "delta":
            yield "transpose", replace(node, subs=node.subs[::-1])
        for k, script in enumerate(node.sups):
            if is_letter(script.body, "l", "t") or isinstance(script.body, Sum):
                moved = Sum((script.body, Negative(Number(Fraction(1)))))
                yield "layer", replace(node, sups=(*node.sups[:k], replace(script, body=moved), *node.sups[k + 1:]))
            if isinstance(script.body, Number) and script.shape:
                yield "layer", replace(node, sups=(*node.sups[:k], replace(script, body=Number(script.body.value - 1)), *node.sups[k + 1:]))
        for k, script in enumerate(node.subs):
            if is_letter(script.body, "t") or isinstance(script.body, Sum):
                moved = Sum((script.body, Negative(Number(Fraction(1)))))
                yield "time", replace(node, subs=(*node.subs[:k], replace(script, body=moved), *node.subs[k + 1:]))
        if node.base == "W":
            yield "bias for weight", replace(node, base="b")
    if isinstance(node, Big) and node.op == "sum" and not isinstance(node.body, Big):
        yield "missing sum", node.body
    if isinstance(node, Root):
        yield "root", node.body


def changes_value(formulas: Formulas, left: Node, right: Node, wrong: Node, sign: str) -> bool:
    """Whether a planted side has another value than the right one at random inputs, or none where shapes no longer fit."""
    pairs = [formulas.stated(left, side, sign)[0] for side in (right, wrong)]
    if formulas.judged(Formula((left, wrong), (sign,))).method == "identical":
        return False  # the same in another layout
    for letters in formulas._assignments(*pairs[0]):
        for reading in (Reading(), Reading(rows=True), Reading(elementwise=True)):
            try:
                point = formulas.point(0, "float", {})
                values = [formulas.meaning(point, *p, reading, letters).value(p[1]) for p in pairs]
            except Exception:  # noqa: BLE001, S112  (shapes that do not fit are a change)
                continue
            return bool(values[0].array.shape != values[1].array.shape or difference(values[0].array, values[1].array) > 1e-9)
    return True


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--per-formula", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=10_000)
    parser.add_argument("--files", default="standard-*.toml")
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rng, start = random.Random(given.seed), time.time()
    controls, alarms, by_kind = 0, [], {}
    count, found, as_planted, explained_at_all, used, seconds = 0, 0, 0, 0, 0, 0.0
    for path in sorted(CONTROLS.glob(given.files)):
        text = load(path)
        for part in (text, *text.cases):
            formulas = Formulas(part)
            for claim in (c for c in part.claims if c.formula and not c.defines):
                controls += 1
                judged = formulas.judge(claim.formula)
                if judged.verdict not in ("right", "right-if"):
                    alarms.append((path.name, claim.id, judged))
                    continue
                formula = formulas.read(claim.formula)
                left, right, sign = *formula.sides[-2:], formula.signs[-1]
                batch = formulas._batch(formulas.point(0, "float", {}))
                slips = [s for s in planted(right, formulas, batch) if changes_value(formulas, left, right, s[1], sign)]
                rng.shuffle(slips)
                chosen, kinds = [], Counter()
                for kind, side in slips:
                    if kinds[kind] < 2 and len(chosen) < given.per_formula and count + len(chosen) < given.limit:
                        chosen.append((kind, side))
                        kinds[kind] += 1
                used += bool(chosen)
                for kind, side in chosen:
                    began = time.time()
                    count += 1
                    wrong = Formula((left, side), (sign,))
                    verdict = formulas.judged(wrong)
                    tally = by_kind.setdefault(kind, Counter())
                    tally["planted"] += 1
                    if verdict.verdict not in ("wrong", "ill-posed"):
                        if given.show:
                            print("missed", path.name, claim.id, kind, verdict)
                        continue
                    found += 1
                    tally["found"] += 1
                    why = explained(formulas, wrong)
                    explained_at_all += bool(why)
                    tally["explained"] += bool(why)
                    as_planted += any(slip.side == right or kind in slip.kinds for slip in why)
                    if given.show and not why:
                        print("unexplained", path.name, claim.id, kind, claim.formula)
                    seconds = max(seconds, time.time() - began)
    print(f"{'slip':18}{'planted':>9}{'found':>9}{'explained':>11}")
    for kind, tally in sorted(by_kind.items()):
        print(f"{kind:18}{tally['planted']:9}{tally['found']:9}{tally['explained']:11}")
    print(f"{'all':18}{count:9}{found:9}{explained_at_all:11}   over {used} formulas")
    share = explained_at_all / found if found else 0
    print(f"explained as planted or equally: {share:.1%}, of these with the planted right side or kind {as_planted}")
    print(f"controls {controls}, false alarms {len(alarms)}; {time.time() - start:.0f} s, the slowest slip {seconds:.1f} s")
    for alarm in alarms:
        print("false alarm:", *alarm)


if __name__ == "__main__":
    main()
