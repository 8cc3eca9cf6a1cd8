"""From a case of a cotangent to a textbook's line: the passes in their order, and the steps that are shown.

    chain rule → local derivative → substitution → opened definitions → folded → sums collapsed → fact used → simplified

Stage: closed form → closed form, with a log of what each pass changed.  The shortest of the reader's admitted
foldings wins.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeAlias

import sympy as sp

from symbp.calculus.differentiate import Derivative
from symbp.derivation.lines import is_plain_row
from symbp.derivation.options import Options
from symbp.language.facts import Fact
from symbp.language.functions import Defined
from symbp.language.program import Program
from symbp.language.tensor import Access
from symbp.passes.closed import Writer, index_names, tidy
from symbp.passes.fold import eliminate, open_definitions
from symbp.passes.local_step import Local, chain_rule
from symbp.passes.normal import complexity, shortest
from symbp.passes.relations import relations
from symbp.passes.sums import collapse, gather
from symbp.passes.unroll_recurrence import Case, contributions
from symbp.passes.use_facts import use_facts

RULES = ("chain rule", "local derivative", "substitution", "definition opened", "folded", "sums collapsed", "fact used",
         "simplified", "helper written out")
ROUNDS, MOST_WRITTEN_OUT = 4, 100

Entry: TypeAlias = tuple[str, sp.Expr, sp.Expr, tuple[Fact, ...]]
"""A logged equality: the rule, both sides, and the facts used."""


class Textbook:
    """Brings the closed forms of one program into the form that the reader chose."""

    def __init__(self, forward: Program, writers: Mapping[str, tuple[Writer, ...]], options: Options) -> None:
        self.forward, self.writers, self.options = forward, writers, options
        self.relations = relations(forward)
        self.helpers = frozenset(t.name for t in forward.tensors if t.auxiliary)

    def opening(self, case: Case, derivative: Derivative) -> list[Entry]:
        """Chain rule, local derivative, substitution: from the cotangent to its case's closed form.

        The cotangent ∂L/∂L of a scalar is 1, and stays unsaid; what L's own equation reads needs no chain rule.
        """
        if not is_plain_row(case.target):
            return []
        taken, unit = index_names(case.target), Access(derivative.names[derivative.of])
        active, _ = contributions(case.target, self.writers, case.facts, taken)
        forms = [("chain rule", chain_rule(active, derivative, taken)), ("local derivative", sp.Add(*(p.right for p in active)))]
        plain = [(rule, tidy(form.xreplace({unit: sp.S.One}))) for rule, form in forms if active]
        stages = [(rule, form) for rule, form in plain if rule != "chain rule" or form.has(Local)]
        return _log(case.target, [*stages, ("substitution", tidy(case.expression))])

    def shortest(self, expression: sp.Expr) -> tuple[sp.Expr, list[Entry]]:
        """The shortest of the reader's admitted foldings, with its log."""
        choice = self.options.activation_derivatives
        openings = {"kept": (False,), "folded": (True,), "auto": (False, True)}[choice]
        if not any(any(f.orders) for f in expression.atoms(Defined)):
            openings = (False,)
        results = [self.folded(expression, hide, opened) for opened in openings for hide in self.hidden(expression)]
        return min(results, key=lambda r: complexity(r[0]))

    def hidden(self, expression: sp.Expr) -> list[frozenset[str]]:
        """The candidate sets of forward tensors to eliminate."""
        if self.options.keep is not None:
            return [frozenset(t.name for t in self.forward.tensors if t.name not in self.options.keep)]
        sources = frozenset(r.source.name for r in self.relations if isinstance(r.source, Access))
        reads = {a.name for a in expression.atoms(Access)}
        return [self.helpers, self.helpers | sources] if (sources - self.helpers) & reads else [self.helpers]

    def folded(self, expression: sp.Expr, hide: frozenset[str], opened: bool = False) -> tuple[sp.Expr, list[Entry]]:
        """The expression without the tensors in `hide`, its sums collapsed and the facts used; and the log."""
        log: list[Entry] = []

        def record(rule: str, after: sp.Expr, facts: tuple[Fact, ...] = ()) -> None:
            nonlocal expression
            if after != expression:
                joins = rule == "simplified" and bool(log) and log[-1][0] == rule
                log.append((rule, log.pop()[1] if joins else expression, after, facts))
                expression = after

        if opened:
            record("definition opened", open_definitions(expression, self.relations))
        for _ in range(ROUNDS):
            start = expression
            eliminated = eliminate(expression, self.relations, hide)
            record("folded" if eliminated != expression else "simplified",
                   shortest(tidy(shortest(eliminated, thorough=False)), thorough=False))
            collapsed = collapse(expression)
            if gather(shortest(collapsed)) != gather(shortest(expression)):
                record("sums collapsed", collapsed)
            if self.options.facts == "used":
                record("fact used", *use_facts(expression, self.forward.facts))
            if expression == start:
                break
        record("simplified", gather(shortest(expression)))
        record("helper written out", self.write_out(expression))
        return expression, log

    def write_out(self, expression: sp.Expr, names: Collection[str] | None = None) -> sp.Expr:
        """Replace tensors (the auxiliary ones, if none are named) by what defines them, as far as they have closed forms."""
        names = self.helpers if names is None else names
        for _ in range(MOST_WRITTEN_OUT):
            found = [a for a in expression.atoms(Access) if a.name in names and a.name in self.writers]
            if not found:
                break
            access = min(found, key=str)
            parts, doubt = contributions(access, self.writers, (), index_names(expression))
            if parts is None or doubt is not None:
                break
            expression = expression.xreplace({access: sp.Add(*(p.right for p in parts))})
        return expression


def _log(start: sp.Expr, stages: list[tuple[str, sp.Expr]]) -> list[Entry]:
    """The equalities from one stage to the next, without those that change nothing."""
    log: list[Entry] = []
    for rule, after in stages:
        if after != start:
            log.append((rule, start, after, ()))
            start = after
    return log
