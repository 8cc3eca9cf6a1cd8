"""Slips planted in the formulas of the control files: how many are found wrong, how many explained; and false alarms among the controls.

    python benchmarks/planted_formulas.py [--per-formula 6] [--seed 0] [--files "standard-n*.toml"] [--into DIR] [--show]
    python benchmarks/planted_formulas.py --total DIR

With --into each file's outcome is kept, so that a run can be made in pieces; --total prints the table of all that DIR keeps.
A slip is planted by changing one place of a right formula's tree, without the program that looks for slips (a table of its own, below).
It counts where it changes the value at 60 digits; unjudged counts as missed.
"""
from __future__ import annotations

import argparse
import json
import random
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
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
                moved = before(script.body)
                yield "layer", replace(node, sups=(*node.sups[:k], replace(script, body=moved), *node.sups[k + 1:]))
            if isinstance(script.body, Number) and script.shape:
                yield "layer", replace(node, sups=(*node.sups[:k], replace(script, body=Number(script.body.value - 1)), *node.sups[k + 1:]))
        for k, script in enumerate(node.subs):
            if is_letter(script.body, "t") or isinstance(script.body, Sum):
                moved = before(script.body)
                yield "time", replace(node, subs=(*node.subs[:k], replace(script, body=moved), *node.subs[k + 1:]))
        if node.base == "W":
            yield "bias for weight", replace(node, base="b")
    if isinstance(node, Big) and node.op == "sum" and not isinstance(node.body, Big):
        yield "missing sum", node.body
    if isinstance(node, Root):
        yield "root", node.body


def before(index: Node) -> Node:
    """An index less 1: t for t + 1, t - 2 for t - 1."""
    if isinstance(index, Sum) and len(index.terms) == 2:
        letter, step = index.terms
        number = step.body if isinstance(step, Negative) else step
        count = None if not isinstance(number, Number) else number.value if number is step else -number.value
        if count == 1:
            return letter
        if count is not None:
            return Sum((letter, Number(count - 1) if count > 1 else Negative(Number(1 - count))))
    return Sum((index, Negative(Number(Fraction(1)))))


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


def chosen(slips: list[tuple[str, Node]], most: int, rng: random.Random) -> list[tuple[str, Node]]:
    """Some slips, at most two of a kind."""
    rng.shuffle(slips)
    found, kinds = [], Counter()
    for kind, side in slips:
        if kinds[kind] < 2 and len(found) < most:
            found.append((kind, side))
            kinds[kind] += 1
    return found


def tried(path: Path, per_formula: int, seed: int, show: bool) -> dict:
    """What became of the controls of one file and of the slips planted in them."""
    text, began = load(path), time.process_time()
    out: dict = {"file": path.name, "controls": 0, "alarms": [], "slips": []}
    for k, part in enumerate((text, *text.cases)):
        formulas = Formulas(part)
        for claim in (c for c in part.claims if c.formula and not c.defines):
            out["controls"] += 1
            judged = formulas.judge(claim.formula)
            if judged.verdict not in ("right", "right-if"):
                out["alarms"].append([path.name, claim.id, f"{judged.verdict}: {judged.note}"])
                continue
            formula = formulas.read(claim.formula)
            left, right, sign = *formula.sides[-2:], formula.signs[-1]
            batch = formulas._batch(formulas.point(0, "float", {}))
            slips = [s for s in planted(right, formulas, batch) if changes_value(formulas, left, right, s[1], sign)]
            for kind, side in chosen(slips, per_formula, random.Random(f"{seed} {path.name} {k} {claim.id}")):
                slip = {"formula": f"{path.name} {k} {claim.id}", "kind": kind, **slip_found(formulas, left, right, sign, (kind, side))}
                out["slips"].append(slip)
                if show and not slip["why"]:
                    what = "unexplained" if slip["found"] else "not found"
                    print(f"{what}: {slip['formula']} {kind} ({slip['seconds']:.1f} s): {claim.formula}   wrong side: {side}", flush=True)
    return {**out, "seconds": time.process_time() - began}


def slip_found(formulas: Formulas, left: Node, right: Node, sign: str, slip: tuple[str, Node]) -> dict:
    """Whether one slip is found and explained, and in how many seconds of the processor."""
    kind, side = slip
    began = time.process_time()
    wrong = Formula((left, side), (sign,))
    found = formulas.judged(wrong).verdict in ("wrong", "ill-posed")
    why = explained(formulas, wrong) if found else []
    planted_ = any(s.side == right or kind in s.kinds for s in why)
    return {"found": found, "why": [s.said for s in why], "as planted": planted_, "seconds": time.process_time() - began}


def table(files: Iterable[dict]) -> str:
    """The outcome of all files in one table."""
    files = list(files)
    slips = [s for f in files for s in f["slips"]]
    lines = [f"{'slip':18}{'planted':>9}{'found':>9}{'explained':>11}"]
    for kind in (*sorted({s["kind"] for s in slips}), "all"):
        own = [s for s in slips if kind in ("all", s["kind"])]
        lines.append(f"{kind:18}{len(own):9}{sum(s['found'] for s in own):9}{sum(bool(s['why']) for s in own):11}")
    lines[-1] += f"   over {len({s['formula'] for s in slips})} formulas of {len(files)} files"
    share = sum(bool(s["why"]) for s in slips) / max(1, len(slips))
    lines.append(f"explained as planted or equally: {share:.1%}, with the planted right side or kind {sum(s['as planted'] for s in slips)}")
    alarms = [a for f in files for a in f["alarms"]]
    slowest = max((s["seconds"] for s in slips), default=0)
    silent = [s["seconds"] for s in slips if not s["why"]]
    lines.append(f"controls {sum(f['controls'] for f in files)}, false alarms {len(alarms)}")
    lines.append(
        f"seconds of the processor: {sum(f['seconds'] for f in files):.0f} in all, the slowest slip {slowest:.1f}, "
        f"a search without result {max(silent, default=0):.1f} at most"
    )
    return "\n".join([*lines, *(f"false alarm: {' '.join(a)}" for a in alarms)])


def main() -> None:
    """Plant and print the table, or print the table of what was kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--per-formula", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", default="standard-*.toml")
    parser.add_argument("--into", type=Path, help="folder in which each file's outcome is kept")
    parser.add_argument("--total", type=Path, help="folder of kept outcomes to add up, without planting")
    parser.add_argument("--show", action="store_true", help="each slip that is not found or not explained")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.total:
        print(table(json.loads(path.read_text()) for path in sorted(given.total.glob("*.json"))))
        return
    found = []
    for path in sorted(CONTROLS.glob(given.files)):
        found.append(tried(path, given.per_formula, given.seed, given.show))
        if given.into:
            given.into.mkdir(parents=True, exist_ok=True)
            (given.into / f"{path.stem}.json").write_text(json.dumps(found[-1], indent=1))
    print(table(found))


if __name__ == "__main__":
    main()
