"""Derivations: the gradient of each parameter in closed form, with the numbered steps that lead to it.

Stage: Network, Program or formula → adjoint program → lines.  Each step is an equality `before = after` that a pass
produced; `symbp.certify.steps` evaluates both sides.

    chain rule → local derivative → substitution → opened definitions → folded → sums collapsed → fact used → matrix form
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import sympy as sp

from symbp.calculus.differentiate import Derivative, adjoint
from symbp.errors import LanguageError
from symbp.language.build import Reduce
from symbp.language.equation import Equation
from symbp.language.facts import Fact
from symbp.language.functions import Defined, equal
from symbp.language.index import Index, substitute
from symbp.language.program import Program
from symbp.language.tensor import AXIS0, Access, Tensor, accesses
from symbp.language.wellformed import row_axes
from symbp.passes.closed import Writer, at, fresh_bound, index_names, tidy, unused, writers
from symbp.passes.fold import eliminate, open_definitions
from symbp.passes.local_step import Local, chain_rule
from symbp.passes.normal import complexity, shortest
from symbp.passes.relations import Relation, relations
from symbp.passes.sums import collapse, gather
from symbp.passes.unroll_recurrence import Case, contributions, unroll_recurrence
from symbp.passes.use_facts import use_facts
from symbp.suggest import nearest

if TYPE_CHECKING:
    from symbp.passes.matrix_form import MatrixForm
    from symbp.report.model import Report

RULES = ("chain rule", "local derivative", "substitution", "definition opened", "folded", "sums collapsed", "fact used",
         "simplified", "helper written out")
ROUNDS = 4


@dataclass(frozen=True)
class Options:
    """The reader's choices.

    activation_derivatives: "kept" prints σ'(z), "folded" prints a(1 − a), "auto" folds where that is shorter.
    facts: "used" or "ignored".  keep: the tensors that may appear; None lets the shortest form win.
    """

    activation_derivatives: str = "auto"
    facts: str = "used"
    keep: frozenset[str] | None = None

    def __post_init__(self) -> None:
        for name, valid in (("activation_derivatives", ("auto", "folded", "kept")), ("facts", ("used", "ignored"))):
            if getattr(self, name) not in valid:
                raise LanguageError(f"{name} = {getattr(self, name)!r} is unknown{nearest(getattr(self, name), valid)}")


@dataclass(frozen=True)
class Step:
    """One numbered equality: the rule, both sides, and the facts used."""

    number: int
    rule: str
    before: sp.Expr
    after: sp.Expr
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Line:
    """One derived equality: `target = right` on the rows that the target's indices name."""

    target: Access
    right: sp.Expr
    steps: tuple[Step, ...]
    derivation: "Derivation" = field(repr=False, compare=False)

    @property
    def tensor(self) -> Tensor:
        """The cotangent's tensor."""
        return self.derivation.program.tensor(self.target.name)

    @cached_property
    def matrix(self) -> "MatrixForm | None":
        """The matrix form where there is one, parsed back and compared with the oracle; else None."""
        from symbp.passes.matrix_form import matrix_form
        return matrix_form(self.target, self.right, self.derivation.program)

    def latex(self, form: str = "index") -> str:
        """The line as LaTeX, in "index" form, or in "matrix" form where there is one (else in index form)."""
        text = self.matrix.latex if form == "matrix" and self.matrix is not None else \
            self.derivation.writer.equation(self.target, self.right, adds=not _is_plain_row(self.target))
        return text + self.rows_latex()

    def rows_latex(self) -> str:
        """Which rows of a recurrence the line is about, where it is not about all: `\\qquad (1 \\le l \\le L - 1)`."""
        doprint = self.derivation.writer.doprint
        row = self.target.indices[0] if self.target.indices else None
        if not isinstance(row, Index) or (row.extent, row.start) == (self.tensor.shape[0], self.tensor.origin[0]):
            return ""
        return rf" \qquad \left({doprint(row.start)} \le {doprint(row)} \le {doprint(sp.expand(row.last))}\right)"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex('matrix')}$"


@dataclass(frozen=True)
class Gradient:
    """The derivative by one tensor: a line for each case of its rows."""

    name: str
    lines: tuple[Line, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The numbered steps of all cases."""
        return tuple(s for line in self.lines for s in line.steps)

    def latex(self, form: str = "index") -> str:
        """LaTeX of the gradient; several cases stand on lines of their own."""
        return r" \\ ".join(line.latex(form) for line in self.lines)

    def _repr_latex_(self) -> str:
        return "".join(line._repr_latex_() for line in self.lines)


class Derivation:
    """Every gradient of `of`, lazily: `d["W1"]` derives the lines of W1; cotangents are found by `d.cotangent("z1")`.

    program: forward and adjoint statements.  names: the tensors in the order of the backward pass.
    """

    def __init__(self, forward: Program, of: str, wrt: Iterable[str] | None = None, options: Options | None = None,
                 title: str = "", updates: "object | None" = None) -> None:
        self.forward, self.of, self.title, self.updates = forward, of, title, updates
        self.options = options or Options()
        if not forward.definition(forward.tensor(of).name):
            computed = [t.name for t in forward.tensors if forward.definition(t.name) and t.dtype == "float"]
            raise LanguageError(f"{of} is given, not computed, and has no derivative{nearest(of, computed)}")
        self.derivative: Derivative = adjoint(forward, of, wrt)
        self.program = self.derivative.program
        self.wrt = self.derivative.wrt
        self._lines: dict[str, Gradient] = {}

    # lookups that the passes share

    @cached_property
    def writer(self) -> "object":
        """The LaTeX printer of the program."""
        from symbp.printing.latex import Writer as Printer
        return Printer(self.program)

    @cached_property
    def writers(self) -> dict[str, tuple[Writer, ...]]:
        """What writes each tensor, in closed form."""
        return writers(self.program)

    @cached_property
    def relations(self) -> tuple[Relation, ...]:
        """The forward definitions, solved for what they were made of."""
        return relations(self.forward)

    @cached_property
    def kept(self) -> frozenset[str]:
        """The cotangents that stay by name: gradients, lettered ones (δ), and shared contractions."""
        bars = self.derivative.names
        kept = {bars[n] for n in self.wrt} | {bars[n] for n in bars if self.program.tensor(n).cotangent}
        kept |= {bar for bar in bars.values() if self._shared(bar)}
        kept |= self._recurrent({*bars.values()} - kept)
        return frozenset(kept - ({bars[self.of]} if not self.program.tensor(self.of).shape else set()))

    def _recurrent(self, names: set[str]) -> set[str]:
        """A cotangent of each cycle among those that would be substituted: c̄[t] reads c̄[t+1] and must keep its name."""
        reads = {n: {a.name for w in self.writers.get(n, ()) for a in _reads(w.right)} & names for n in names}
        chosen: set[str] = set()
        while cycle := _cycle({n: r - chosen for n, r in reads.items() if n not in chosen}):
            chosen.add(max(cycle, key=lambda n: (len(self._readers.get(n, ())), n)))
        return chosen

    @cached_property
    def _readers(self) -> dict[str, set[str]]:
        """For each tensor the tensors whose equations read it."""
        found: dict[str, set[str]] = {}
        for equation in self.program.equations:
            for access in accesses(equation.body):
                found.setdefault(access.name, set()).add(equation.target.name)
        return found

    def _shared(self, bar: str) -> bool:
        """Whether several tensors' cotangents read this one, and it contracts another cotangent with given data."""
        return len(self._readers.get(bar, ())) > 1 and any(self._contracts(w) for w in self.writers.get(bar, ()))

    def _contracts(self, writer: Writer) -> bool:
        given = {t.name for t in self.program.parameters} | {t.name for t in self.program.inputs if t.shape}
        bars = set(self.derivative.names.values())
        names = [{a.name for a in _reads(r)} for r in writer.right.atoms(Reduce)]
        return any(found & bars for found in names) and any(found & given for found in names)

    # results

    @property
    def names(self) -> tuple[str, ...]:
        """The forward tensors whose cotangents have lines of their own, in the order of the backward pass."""
        base = {bar: name for name, bar in self.derivative.names.items()}
        order = dict.fromkeys(eq.target.name for eq in self.program.equations)
        return tuple(base[b] for b in order if b in self.kept)

    def __getitem__(self, name: str) -> Gradient:
        return self.cotangent(name)

    def __iter__(self) -> "Iterable[str]":
        return iter(self.wrt)

    def cotangent(self, name: str) -> Gradient:
        """The lines of ∂of/∂name; raises `LanguageError` with the nearest name for an unknown one."""
        if name not in self.derivative.names:
            raise LanguageError(f"there is no derivative by {name!r} here{nearest(name, self.derivative.names)}")
        if name not in self._lines:
            bar = self.derivative.names[name]
            lines = merged([self._line(case) for case in self._cases(bar)])
            self._lines[name] = Gradient(name, tuple(lines))
        return self._lines[name]

    def _cases(self, bar: str) -> list[Case]:
        seeds = {t.name for t in self.program.inputs}
        inline = set(self.derivative.names.values()) - self.kept - {bar} - seeds
        first = Access(bar, *self._plain(bar))
        if any(at(w, first) is None for w in self.writers.get(bar, ())):
            return [Case(w.target, w.right, ()) for w in self.writers[bar]]
        first = self._all_rows(first)
        return unroll_recurrence(first, inline, self.writers, self.program.size_facts)

    def _all_rows(self, access: Access) -> Access:
        """The access with its row index running over the whole axis, not over one loop's part of it."""
        tensor = self.program.tensor(access.name)
        if not access.indices or (access.name, 0) not in self._rows:
            return access
        row = access.indices[0]
        return substitute(access, {row: Index(row.name, tensor.shape[0], tensor.origin[0])})

    @cached_property
    def _rows(self) -> set[tuple[str, int]]:
        return row_axes(self.program)

    def _plain(self, bar: str) -> tuple[Index, ...]:
        """Plain indices for a tensor: those that its writers use, and new letters where they are compound or data."""
        tensor = self.program.tensor(bar)
        targets = [w.target for w in self.writers.get(bar, ())]
        plain = next((t.indices for t in targets if _is_plain(t)), None)
        if plain is not None:
            return plain
        letters = (c for c in "hwrsqvm" if c not in {i.name for i in self.program.indices})
        found: list[Index] = []
        for axis, (extent, origin) in enumerate(zip(tensor.shape, tensor.origin)):
            single = [p.name for t in targets if len(p_s := t.indices[axis].atoms(Index)) == 1 and not t.indices[axis].has(Access) for p in p_s]
            name = next((n for n in single if n not in {i.name for i in found}), None) or next(letters, f"i_{axis}")
            found.append(Index(name, extent.xreplace({AXIS0: found[0]} if found else {}), origin))
        return tuple(found)

    def _line(self, case: Case) -> Line:
        log: list[tuple[str, sp.Expr, sp.Expr, tuple[Fact, ...]]] = []
        self._start(case, log)
        final, rest = self._finish(tidy(case.expression))
        steps = [Step(k + 1, *entry) for k, entry in enumerate([*log, *rest])]
        return Line(case.target, final, tuple(steps), self)

    def _start(self, case: Case, log: list) -> None:
        """Chain rule, local derivative, substitution: the writers that are active in the case."""
        if not _is_plain_row(case.target):
            return
        active, _ = contributions(case.target, self.writers, case.facts, index_names(case.target))
        local = sp.Add(*(p.right for p in active)) if active else case.expression
        if active:
            chain = chain_rule(active, self.derivative, index_names(case.target))
            log.append(("chain rule", case.target, chain, ()))
            if chain != local:
                log.append(("local derivative", chain, local, ()))
        if local != case.expression:
            log.append(("substitution", local, tidy(case.expression), ()))

    def _finish(self, expression: sp.Expr) -> tuple[sp.Expr, list]:
        """The shortest of the reader's admitted foldings, with its log."""
        choice = self.options.activation_derivatives
        openings = {"kept": (False,), "folded": (True,), "auto": (False, True)}[choice]
        if not any(any(f.orders) for f in expression.atoms(Defined)):
            openings = (False,)
        results = [self._fold(expression, hide, opened) for opened in openings for hide in self._hidden(expression)]
        return min(results, key=lambda r: complexity(r[0]))

    def _hidden(self, expression: sp.Expr) -> list[frozenset[str]]:
        """The candidate sets of forward tensors to eliminate."""
        helpers = frozenset(t.name for t in self.forward.tensors if t.auxiliary)
        if self.options.keep is not None:
            return [frozenset(t.name for t in self.forward.tensors if t.name not in self.options.keep)]
        sources = frozenset(r.source.name for r in self.relations if isinstance(r.source, Access))
        reads = {a.name for a in expression.atoms(Access)}
        return [helpers, helpers | sources] if (sources - helpers) & reads else [helpers]

    def _fold(self, expression: sp.Expr, hide: frozenset[str], opened: bool) -> tuple[sp.Expr, list]:
        log: list = []

        def record(rule: str, after: sp.Expr, facts: tuple[Fact, ...] = ()) -> None:
            nonlocal expression
            if after != expression:
                log.append((rule, expression, after, facts))
                expression = after

        if opened:
            record("definition opened", open_definitions(expression, self.relations))
        for _ in range(ROUNDS):
            start = expression
            record("folded", shortest(tidy(shortest(eliminate(expression, self.relations, hide), thorough=False)), thorough=False))
            record("sums collapsed", collapse(expression))
            if self.options.facts == "used":
                record("fact used", *use_facts(expression, self.forward.facts))
            if expression == start:
                break
        record("simplified", gather(shortest(expression)))
        record("helper written out", self.write_out(expression))
        return expression, log

    def jacobian(self, name: str) -> list[tuple[Access, Access, sp.Expr]]:
        """The elements ∂of[q]/∂name[i], for an `of` with axes: the cotangent's lines with [m = q] for the seed.

        Each entry holds the element of `of`, the element of `name`, and the derivative.
        """
        target, seed = self.program.tensor(self.of), self.derivative.names[self.of]
        entries = []
        for line in self[name].lines:
            taken = index_names(line.target, line.right)
            chosen = tuple(i.renamed(unused(i.name, taken)) for i in self._plain(self.of))
            one = {a: sp.Mul(*(equal(p, q) for p, q in zip(a.indices, chosen))) for a in line.right.atoms(Access) if a.name == seed}
            value, _ = self._fold(collapse(line.right.xreplace(one)), self._hidden(line.right)[0], False)
            entries.append((target[chosen], Access(name, *line.target.indices), value))
        return entries

    def write_out(self, expression: sp.Expr) -> sp.Expr:
        """Replace helper tensors (auxiliary ones) by what defines them."""
        helpers = {t.name for t in self.forward.tensors if t.auxiliary}
        while found := [a for a in expression.atoms(Access) if a.name in helpers and a.name in self.writers]:
            access = min(found, key=str)
            parts, doubt = contributions(access, self.writers, (), index_names(expression))
            if parts is None or doubt is not None:
                return expression
            expression = expression.xreplace({access: sp.Add(*(p.right for p in parts))})
        return expression

    def forward_lines(self) -> list[tuple[Access, sp.Expr]]:
        """The forward equations in closed form, helpers written out, in order."""
        groups: dict[Access, list[sp.Expr]] = {}
        parts = {w.equation: w for ws in writers(self.forward).values() for w in ws}
        for equation in self.forward.equations:
            if not self.forward.tensor(equation.target.name).auxiliary:
                groups.setdefault(equation.target, []).append(parts[equation].right)
        return [(target, fresh_bound(self.write_out(sp.Add(*rights)), index_names(target))) for target, rights in groups.items()]

    def update_lines(self) -> tuple[Program, list[tuple[Access, sp.Expr]]]:
        """The optimiser's equations and their program, where the source is a network that has an optimiser."""
        return (self.program, []) if self.updates is None else self.updates.update_lines(self)

    def report(self) -> "Report":
        """The derivation as a document."""
        from symbp.report.derivation import derivation_report
        return derivation_report(self)

    def write(self, folder: str | Path, formats: Iterable[str] = ("pdf", "html", "tex"), stem: str | None = None) -> Mapping:
        """Write the document into a folder; answers the path for each format, None where it could not be made."""
        from symbp.report.write import write
        return write(self.report(), Path(folder), stem or "derivation", formats=tuple(formats))

    def _repr_latex_(self) -> str:
        return "".join(self[name]._repr_latex_() for name in self.names)


def merged(lines: list[Line]) -> list[Line]:
    """Join a single row to a range of rows next to it where the same formula holds; single rows come first."""
    lines = sorted(lines, key=lambda line: _row_index(line) is not None)
    for line in [x for x in lines if _row_index(x) is not None]:
        for single in [x for x in lines if x.target.indices and _row_index(x) is None]:
            joined = _joined(line, single)
            if joined is not None:
                return merged([joined if x is line else x for x in lines if x is not single])
    return lines


def _row_index(line: Line) -> Index | None:
    first = line.target.indices[0] if line.target.indices else None
    return first if isinstance(first, Index) else None


def _joined(line: Line, single: Line) -> Line | None:
    """The line over one more row, where its formula at that row is the single row's."""
    index, value = _row_index(line), single.target.indices[0]
    ends = {sp.expand(index.last + 1): index.start, sp.expand(index.start - 1): value}
    if sp.expand(value) not in ends:
        return None
    if any(substitute(a, {index: value}) != b for a, b in ((line.target, single.target), (line.right, single.right))):
        return None
    longer = Index(index.name, sp.expand(index.extent + 1), ends[sp.expand(value)])
    move = {index: longer}
    steps = tuple(replace(s, before=substitute(s.before, move), after=substitute(s.after, move)) for s in line.steps)
    return Line(substitute(line.target, move), substitute(line.right, move), steps, line.derivation)


def _cycle(graph: dict[str, set[str]]) -> list[str]:
    """The names of one cycle of a graph, or an empty list."""
    done: set[str] = set()

    def search(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name):]
        if name in done:
            return []
        done.add(name)
        return next((found for other in sorted(graph.get(name, ())) if (found := search(other, [*path, name]))), [])

    return next((found for name in sorted(graph) if (found := search(name, []))), [])


def _reads(expression: sp.Expr) -> tuple[Access, ...]:
    return tuple(expression.atoms(Access))


def _is_plain_row(access: Access) -> bool:
    """Plain but for a row of a recurrence, which may be L; else the line is a contribution (a strided scatter)."""
    later = access.indices[1:]
    return all(isinstance(p, Index) for p in later) and len(set(access.indices)) == len(access.indices) and \
        not (access.indices and len(access.indices[0].atoms(Index)) > 1)


def _is_plain(access: Access) -> bool:
    return all(isinstance(p, Index) for p in access.indices) and len(set(access.indices)) == len(access.indices)


def derive(source: "object", of: str | None = None, wrt: str | Iterable[str] | None = None, *,
           activation_derivatives: str | None = None, facts: str | None = None,
           keep: Iterable[str] | None = None) -> Derivation:
    """Derive the gradients of a network, a program, or a formula in the expression language.

    of: the tensor to differentiate (default: the network's loss, or the formula's value).  wrt: one name or several
    (default: all parameters; for a formula all its tensors).  The other arguments are `Options`.
    Raises `SymbpError` for unknown names and whatever the language does not admit.

    >>> print(derive("sum(i, w[i]*x[i])^2", wrt="w")["w"].latex())
    \\frac{\\partial y}{\\partial w_{i}} = 2 x_{i} \\sum_{i'} w_{i'} x_{i'}
    """
    wanted = (wrt,) if isinstance(wrt, str) else tuple(wrt) if wrt is not None else None
    program, default, title, settings, updates = _source(source, wanted)
    choices = {"activation_derivatives": activation_derivatives, "facts": facts}
    options = Options(**{**settings, **{k: v for k, v in choices.items() if v is not None}},
                      keep=None if keep is None else frozenset(keep))
    name = of or default
    if name is None:
        raise LanguageError("say which tensor to differentiate: derive(program, of=…)")
    return Derivation(program, name, wanted, options, title, updates)


def _source(source: "object", wrt: tuple[str, ...] | None) -> tuple[Program, str | None, str, dict, "object | None"]:
    """The program, default tensor, title, reader's choices and optimiser of whatever is to be derived."""
    if isinstance(source, str):
        from symbp.formula import formula_program
        program, name = formula_program(source, wrt)
        return program, name, source, {}, None
    if isinstance(source, Program):
        scalars = [eq.target.name for eq in source.equations if not source.tensor(eq.target.name).shape]
        return source, scalars[-1] if scalars else None, "", {}, None
    return source.program, source.loss, source.title or source.name, dict(source.derivation), source


__all__ = ["Derivation", "Equation", "Gradient", "Line", "Local", "Options", "Step", "derive"]
