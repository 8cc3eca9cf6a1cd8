"""What stands side by side, from left to right: functions with their arguments, derivatives, names with what they depend on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symbp.errors import SymbpError
from symbp.verify.brackets import (
    ALIASES,
    OVER_LETTERS,
    WHOLE,
    Operator,
    Paren,
    Partials,
    derivative,
    letter,
    listed,
    must_be_letter,
    only_names,
    unwrapped,
    whole_number,
)
from symbp.verify.nodes import (
    Big,
    Bracket,
    Call,
    Derivative,
    Lowered,
    Node,
    Number,
    Product,
    Quotient,
    Raised,
    Relation,
    Row,
    Script,
    Sum,
    Sym,
    is_letter,
)

if TYPE_CHECKING:
    from symbp.verify.structure import Structure


class Chain:
    """What stands side by side, from left to right."""

    def __init__(self, structure: Structure, raws: list[Node], signs: list[str]) -> None:
        self.structure, self.raws, self.signs = structure, raws, signs

    def whole(self) -> Node:
        """The product, with functions, derivatives and brackets put together."""
        factors: list[Node] = []
        signs: list[str] = []
        k = 0
        while k < len(self.raws):
            made, after = self.operand(k)
            if isinstance(made, Operator):
                rest = Chain(self.structure, self.raws[after:], self.signs[after:]).whole() if after < len(self.raws) else None
                if rest is None:
                    raise SymbpError("behind d/dz stands what is differentiated")
                made, after = Derivative(rest, made.by, made.gradient), len(self.raws)
            if factors:
                signs.append(self.signs[k - 1])
            factors.append(made)
            k = after
        if len(factors) == 1:
            return factors[0]
        return Product(tuple(factors), tuple(signs))

    def beside(self, k: int) -> bool:
        """Whether raw k follows the one before without a sign."""
        return k < len(self.raws) and not self.signs[k - 1]

    def operand(self, k: int) -> tuple[Node, int]:
        """The operand that begins at k, and where the next begins."""
        raw = self.raws[k]
        if isinstance(raw, Quotient):
            return raw, k + 1
        if isinstance(raw, Derivative) and is_letter(raw.of, "∂"):
            return Operator(raw.by), k + 1
        if not isinstance(raw, Sym):
            if (
                isinstance(raw, Number)
                and raw.value == 1
                and self.beside(k + 1)
                and isinstance(self.raws[k + 1], Paren)
                and isinstance(self.raws[k + 1].body, Relation)
            ):
                return Bracket(self.structure.clean(self.raws[k + 1].body)), k + 2
            return raw, k + 1
        if raw.base in ("∂", "d") and (raw.base == "∂" or self._is_quotient_of_d(k)):
            return self._partial(k)
        if raw.base == "∇":
            return self._gradient(k)
        if (
            raw.base in ("𝟏", "I")
            and self.beside(k + 1)
            and isinstance(self.raws[k + 1], Paren)
            and isinstance(self.raws[k + 1].body, Relation)
        ):
            return Bracket(self.structure.clean(self.raws[k + 1].body)), k + 2
        if raw.base == "𝟏" and len(raw.subs) == 1 and isinstance(raw.subs[0].body, Relation):
            return Bracket(raw.subs[0].body), k + 1
        if raw.base in ("𝟏", "I") and len(raw.subs) == 1 and isinstance(raw.subs[0].body, (Relation, Bracket)):
            body = raw.subs[0].body
            return body if isinstance(body, Bracket) else Bracket(body), k + 1
        if self.structure.is_function(raw):
            return self._call(raw, k)
        if raw.primes == 1 and raw.base in self.structure.names and (by := self._names_behind(k)):
            return Derivative(replace(raw, primes=0), by), k + 2
        if (
            raw.base == "Delta"
            and self.beside(k + 1)
            and isinstance(self.raws[k + 1], Sym)
            and f"Delta{self.raws[k + 1].base}" in self.structure.names
        ):
            return replace(self.raws[k + 1], base=f"Delta{self.raws[k + 1].base}"), k + 2
        if self._has_time(raw, k):
            return replace(raw, subs=(*raw.subs, Script("(", self.structure.clean(self.raws[k + 1].body)))), k + 2
        if self._has_arguments(raw, k):
            self.structure.applied.append((raw, self.raws[k + 1].body))
            return raw, k + 2
        return raw, k + 1

    def _names_behind(self, k: int) -> tuple[Node, ...]:
        """The names in brackets behind a raw, by which f'(x) is differentiated."""
        behind = self.raws[k + 1] if self.beside(k + 1) else None
        return (
            tuple(listed(behind.body)) if isinstance(behind, Paren) and not isinstance(behind.body, Row) and only_names(behind.body) else ()
        )

    def _has_time(self, raw: Sym, k: int) -> bool:
        """Whether brackets behind a name say at which step: m(t), m(t - 1)."""
        if raw.base not in self.structure.timed or not self.beside(k + 1) or not isinstance(self.raws[k + 1], Paren):
            return False
        body = self.raws[k + 1].body
        return is_letter(body, "t") or isinstance(body, Sum) and len(body.terms) == 2 and is_letter(body.terms[0], "t")

    def _has_arguments(self, raw: Sym, k: int) -> bool:
        """Whether brackets behind a name say on what it depends: J(w, b), L(ŷ, y)."""
        if not self.beside(k + 1) or not isinstance(self.raws[k + 1], Paren) or self.raws[k + 1].shape != "(":
            return False
        body = self.raws[k + 1].body
        return only_names(body) and (isinstance(body, Row) and raw.base in self.structure.names or raw.base in self.structure.numbers)

    # derivatives

    def _is_quotient_of_d(self, k: int) -> bool:
        if "d" in self.structure.names or not is_letter(self.raws[k], "d") or not self.beside(k + 1):
            return False
        over = next((j for j in range(k + 1, len(self.signs) + 1) if self.signs[j - 1] == "over"), None)
        return (
            over is not None
            and over <= k + 3
            and over + 1 < len(self.raws) + 1
            and over < len(self.raws)
            and is_letter(self.raws[over], "d")
        )

    def _partial(self, k: int) -> tuple[Node, int]:
        """∂J/∂w, ∂_w J, or one half of a fraction."""
        raw = self.raws[k]
        if raw.subs:
            of, after = self.operand(k + 1) if k + 1 < len(self.raws) else (None, k)
            if of is None:
                raise SymbpError("behind ∂ with a lower index stands what is differentiated")
            return Derivative(of, tuple(s.body for s in raw.subs)), after
        order, items, j = whole_number(raw.sups), [], k + 1
        while self.beside(j) and (not items or isinstance(self.raws[j], Sym) and self.raws[j].base == raw.base):
            if isinstance(self.raws[j], Sym) and self.raws[j].base == raw.base:
                j += 1
                if not self.beside(j):
                    break
            if not items and isinstance(self.raws[j], Paren):
                items.append(self.raws[j])
                j += 1
                continue
            made, j = self.operand(j)
            items.append(made)
        top = Partials(order, tuple(items))
        if j < len(self.raws) and self.signs[j - 1] == "over" and isinstance(self.raws[j], Sym) and self.raws[j].base == raw.base:
            below, after = self._partial(j)
            return derivative(top, below), after
        if j < len(self.raws) and self.signs[j - 1] == "over" and isinstance(self.raws[j], Paren):
            below = self.structure._differential(self.raws[j].body)
            if below is not None:
                return derivative(top, below), j + 1
        return top, j

    def _gradient(self, k: int) -> tuple[Node, int]:
        raw = self.raws[k]
        if k + 1 >= len(self.raws):
            raise SymbpError("behind ∇ stands what is differentiated")
        of, after = self.operand(k + 1)
        by = tuple(s.body for s in raw.subs)
        if (
            isinstance(of, Sym)
            and after < len(self.raws)
            and self.beside(after)
            and isinstance(self.raws[after], Paren)
            and only_names(self.raws[after].body)
        ):
            by = by or tuple(map(self.structure.clean, listed(self.raws[after].body)))
            after += 1
        elif isinstance(of, Sym) and not by and after == k + 3:
            by = tuple(map(self.structure.clean, listed(self.raws[k + 2].body)))
        by = by or (Sym("?"),)
        return Derivative(of, by * whole_number(raw.sups) if len(by) == 1 else by, True), after

    # functions

    def _call(self, raw: Sym, k: int) -> tuple[Node, int]:
        name = ALIASES.get(raw.base, raw.base) if raw.base not in self.structure.functions else raw.base
        power = [s for s in raw.sups if not s.shape and not is_letter(s.body, "l", "L")]
        behind = self.raws[k + 1] if self.beside(k + 1) else None
        inner, wraps = unwrapped(behind)
        if name in OVER_LETTERS and raw.subs:
            body, after = (self.raws[k + 1].body, k + 2) if isinstance(behind, Paren) else self._rest(k + 1)
            subs = [s.body for s in raw.subs]
            return self.structure._over(name, subs[0] if len(subs) == 1 else Row(tuple(subs)), None, body), after
        if (
            name in OVER_LETTERS
            and isinstance(inner, Paren)
            and isinstance(inner.body, Row)
            and all(letter(p) for p in inner.body.parts[:-1])
            and name != "max"
            or name in ("sum", "mean")
            and isinstance(inner, Paren)
            and isinstance(inner.body, Row)
        ):
            letters = tuple(map(must_be_letter, inner.body.parts[:-1]))
            return Big(name, letters, inner.body.parts[-1]), k + 2
        if isinstance(inner, Paren):
            arguments = inner.body.parts if isinstance(inner.body, Row) else (inner.body,)
            if name == "softmax" and len(arguments) == 2 and letter(arguments[0]):
                arguments = arguments[1:]
            chained = name == "prod" and len(arguments) > 1  # the chain rule's product, in whatever layout
            made: Node = Product(tuple(arguments), ("",) * (len(arguments) - 1)) if chained else Call(name, tuple(arguments), raw.primes)
            for wrap in wraps:
                made = wrap(made)
            after = k + 2
        elif behind is not None and (name in WHOLE or raw.base == "sigma" and not raw.sups or raw.primes) and not isinstance(behind, Row):
            argument, after = self._argument(k + 1)
            made = Call(name, (argument,), raw.primes)
        elif name in WHOLE and k + 1 < len(self.raws):
            raise SymbpError(f"behind {raw.base} stands its argument")
        else:
            return raw, k + 1
        if raw.subs and name == "log":
            made = Quotient(made, Call("log", (raw.subs[0].body,)))
        elif raw.subs and name == "softmax":
            made = Lowered(made, raw.subs)
        for script in power:
            made = Raised(made, script)
        return made, after

    def _argument(self, k: int) -> tuple[Node, int]:
        """The argument without brackets: one factor, or from a number on as far as letters go, as in log 2πσ²; or all beside it."""
        first, after = self.operand(k)
        if self.structure.far and not isinstance(first, Number):
            factors = [first]
            while self.beside(after):
                made, after = self.operand(after)
                factors.append(made)
            return (first if len(factors) == 1 else Product(tuple(factors), ("",) * (len(factors) - 1))), after
        if not isinstance(first, Number):
            return first, after
        factors = [first]
        while (
            self.beside(after)
            and isinstance(self.raws[after], (Sym, Raised))
            and not (
                isinstance(self.raws[after], Sym)
                and self.structure.is_function(self.raws[after])
                and self.beside(after + 1)
                and isinstance(unwrapped(self.raws[after + 1])[0], Paren)
            )
        ):
            made, after = self.operand(after)
            factors.append(made)
        return (first if len(factors) == 1 else Product(tuple(factors), ("",) * (len(factors) - 1))), after

    def _rest(self, k: int) -> tuple[Node, int]:
        """All that follows, as one product."""
        if k >= len(self.raws):
            raise SymbpError("behind max stands what it is taken of")
        return Chain(self.structure, self.raws[k:], self.signs[k:]).whole(), len(self.raws)
