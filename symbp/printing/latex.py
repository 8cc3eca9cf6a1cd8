"""LaTeX of tensors, expressions and equations: a subclass of SymPy's `LatexPrinter`.

Stage: L1 → LaTeX.  A tensor prints by its symbol and upper layer index, `W^{(2)}_{kj}`; a cotangent by its letter,
`δ^{(1)}_{nj}`, or as ∂L/∂W.  Sums keep their indices, conditions print as Iverson brackets, and products stand in the
order of textbooks: numbers, constants, parameters, cotangents, other tensors, functions.
"""
from __future__ import annotations

import re
from collections.abc import Iterable

import sympy as sp
from sympy.printing.latex import LatexPrinter, translate

from symbp.language.build import Reduce
from symbp.language.facts import RELATIONS, Fact
from symbp.language.functions import Defined, equal, step
from symbp.language.index import Index
from symbp.language.program import Program
from symbp.language.tensor import Access, Tensor
from symbp.passes.closed import closed, reduced

ROLE_ORDER = {"constant": 1, "parameter": 2}


def name_latex(name: str) -> str:
    r"""A plain name as LaTeX: Greek letters by name, digits and the part behind `_` as a subscript.

    >>> name_latex("alpha"), name_latex("i_1"), name_latex("hidden")
    ('\\alpha', 'i_{1}', '\\mathit{hidden}')
    """
    name, primes = name.rstrip("'"), name[len(name.rstrip("'")):]
    return _name_latex(name) + primes


def _name_latex(name: str) -> str:
    head, _, tail = name.partition("_")
    split = re.fullmatch(r"([A-Za-z]+?)(\d+)", head)
    if split and not tail:
        head, tail = split.groups()
    letter = translate(head) if not head.startswith("\\") else head
    if len(letter) > 1 and not letter.startswith("\\"):
        letter = rf"\mathit{{{letter}}}"
    return f"{letter}_{{{_escape(tail)}}}" if tail else letter


def _escape(text: str) -> str:
    return text.replace("_", r"\_")


class Writer(LatexPrinter):
    r"""Prints the expressions of one program.

    >>> W, x = Tensor("W1", (3, 4), role="parameter", symbol="W", level="1"), Tensor("x", (4,), role="input")
    >>> i, j = Index("i", 4), Index("j", 3)
    >>> Writer(Program((W, x), ())).doprint(Reduce("sum", W[j, i]*x[i], [i]))
    '\\sum_{i} W^{(1)}_{ji} x_{i}'
    """

    def __init__(self, program: Program) -> None:
        super().__init__({"order": "none"})
        self.program = program

    # tensors

    def symbol(self, tensor: Tensor, row: sp.Expr | None = None, transpose: bool = False) -> str:
        r"""A tensor without its indices: `W^{(2)\top}`, `\delta^{(l)}`, `\frac{\partial L}{\partial W^{(1)}}`."""
        if self.is_fraction(tensor):
            of, by = tensor.cotangent_of
            text = rf"\frac{{\partial {self.symbol(self.program.tensor(of))}}}{{\partial {self.symbol(self.program.tensor(by), row)}}}"
            return rf"\left({text}\right)^{{\top}}" if transpose else text
        letter, level = self._letter(tensor)
        if tensor.level_axis and row is not None:
            level = self.doprint(row)
        upper = (f"({level})" if level else "") + (r"\top" if transpose else "")
        return f"{letter}^{{{upper}}}" if upper else letter

    def is_fraction(self, tensor: Tensor) -> bool:
        """Whether a cotangent prints as ∂L/∂T, having no letter of its own."""
        if tensor.cotangent_of is None:
            return False
        of, by = tensor.cotangent_of
        scalar = of in self.program and not self.program.tensor(of).shape
        return scalar and not self.program.tensor(by).cotangent and not tensor.symbol

    def _letter(self, tensor: Tensor) -> tuple[str, str]:
        if tensor.next_of:
            return self._letter(self.program.tensor(tensor.next_of))
        if tensor.cotangent_of is not None and not tensor.symbol:
            base = self.program.tensor(tensor.cotangent_of[1])
            if base.cotangent:
                return base.cotangent, self._letter(base)[1]
            mark = "bar" if tensor.cotangent_of[0] else "dot"
            return rf"\{mark}{{{self._letter(base)[0]}}}", self._letter(base)[1]
        split = re.fullmatch(r"([A-Za-z]+?)_?(\d+)", tensor.name)
        if tensor.symbol or not split:
            return tensor.symbol or name_latex(tensor.name), tensor.level
        return name_latex(split[1]), tensor.level or split[2]

    def subscript(self, positions: Iterable[sp.Expr]) -> str:
        """Index expressions side by side, with commas where one of them is compound."""
        texts = [self.doprint(p) for p in positions]
        simple = all(isinstance(p, Index) and re.fullmatch(r"([a-z]|\\[a-z]+)'*", t) for p, t in zip(positions, texts))
        joined = (" " if any(t.startswith("\\") for t in texts) else "").join(texts) if simple else ", ".join(texts)
        return f"_{{{joined}}}" if texts else ""

    def _print_Access(self, access: Access) -> str:
        tensor = self.program.tensor(access.name)
        positions = list(access.indices)
        row = positions.pop(0) if tensor.level_axis and positions else None
        if self.is_fraction(tensor):
            of, by = (self.program.tensor(n) for n in tensor.cotangent_of)
            return rf"\frac{{\partial {self.symbol(of)}}}{{\partial {self._indexed(self.symbol(by, row), positions)}}}"
        return self._indexed(self.symbol(tensor, row), positions)

    def _indexed(self, symbol: str, positions: list[sp.Expr]) -> str:
        """A symbol with indices; one that has a subscript of its own is grouped ({} first: TeX unwraps a lone accent)."""
        lower = self.subscript(positions)
        return f"{{{{}}{symbol}}}{lower}" if lower and "_" in symbol and not symbol.startswith("{") else symbol + lower

    # indices, sizes, functions

    def _print_Local(self, node: sp.Expr) -> str:
        return rf"\frac{{\partial {self.doprint(node.args[0])}}}{{\partial {self.doprint(node.args[1])}}}"

    def _print_Index(self, index: Index) -> str:
        return name_latex(index.name)

    def _print_Symbol(self, symbol: sp.Symbol, style: str = "plain") -> str:
        return name_latex(symbol.name)

    def _print_AppliedUndef(self, width: sp.Expr) -> str:
        return f"{name_latex(width.func.__name__)}_{{{self.doprint(width.args[0])}}}"

    def _print_Function(self, expr: sp.Expr, exp: str | None = None) -> str:
        if isinstance(expr, sp.core.function.AppliedUndef):
            return self._print_AppliedUndef(expr)
        if isinstance(expr, Defined):
            return self._defined(expr, exp)
        return super()._print_Function(expr, exp)

    def _defined(self, application: Defined, exp: str | None = None) -> str:
        arguments = ", ".join(self.doprint(a) for a in application.args)
        power = f"^{{{exp}}}" if exp else ""
        return rf"{type(application).latex_name}{power}\left({arguments}\right)"

    def _print_step(self, application: step, exp: str | None = None) -> str:
        return rf"\left[{self.doprint(application.args[0])} > 0\right]"

    def _print_equal(self, application: equal, exp: str | None = None) -> str:
        return rf"\left[{self.doprint(application.args[0])} = {self.doprint(application.args[1])}\right]"

    def _print_log(self, application: sp.Expr, exp: str | None = None) -> str:
        argument = application.args[0]
        inner = self.doprint(argument)
        power = f"^{{{exp}}}" if exp else ""
        return rf"\log{power} {inner}" if isinstance(argument, (Access, sp.Symbol)) else rf"\log{power}\left({inner}\right)"

    def _print_ExpBase(self, expr: sp.Expr, exp: str | None = None) -> str:
        """e with its exponent on one line: `e^{z / T}`."""
        above, below = sp.fraction(expr.exp)
        text = self.doprint(expr.exp)
        if below != 1 and not expr.exp.is_Add:
            text = " / ".join(rf"\left({self.doprint(p)}\right)" if p.is_Add or k and p.is_Mul else self.doprint(p)
                              for k, p in enumerate((above, below)))
        return self._do_exponent(f"e^{{{text}}}", exp)

    def _print_Reduce(self, node: Reduce) -> str:
        over = self._join(node.over)
        operator = {"sum": r"\sum", "max": r"\max", "argmax": r"\operatorname{argmax}", "softmax": r"\operatorname{softmax}"}[node.op]
        body = self.doprint(node.body)
        if node.body.is_Add:
            body = rf"\left({body}\right)"
        if node.domain:
            body = f"{body} {self.brackets(node.domain)}" if node.body != 1 else self.brackets(node.domain)
        if not node.over:
            return body
        return rf"{operator}_{{{over}}} {body}"

    def _join(self, indices: Iterable[Index]) -> str:
        return ", ".join(self.doprint(i) for i in indices)

    def range(self, index: Index) -> str:
        """The values of an index: `1 \\le l \\le L`."""
        return rf"{self.doprint(index.start)} \le {self.doprint(index)} \le {self.doprint(sp.expand(index.last))}"

    def brackets(self, domain: Iterable[sp.Expr]) -> str:
        """Iverson brackets of a domain, two-sided where two conditions bound the same expression."""
        rest, texts = list(domain), []
        while rest:
            first = rest.pop(0)
            linear = sp.expand(first - first.subs(dict.fromkeys(first.atoms(Index), 0)))
            other = next((c for c in rest if sp.expand(c - c.subs(dict.fromkeys(c.atoms(Index), 0)) + linear) == 0), None)
            texts.append(self._bracket(first, linear, other))
            if other is not None:
                rest.remove(other)
        return " ".join(texts)

    def _bracket(self, first: sp.Expr, linear: sp.Expr, other: sp.Expr | None) -> str:
        if other is not None and sp.expand(first + other) == 0:
            left, right = _sides(first)
            return rf"\left[{self.doprint(left)} = {self.doprint(right)}\right]"
        if other is not None:
            return rf"\left[0 \le {self.doprint(first)} \le {self.doprint(sp.expand(first + other))}\right]"
        left, right = _sides(first)
        return rf"\left[{self.doprint(right)} \le {self.doprint(left)}\right]"

    def _print_Pow(self, expr: sp.Expr) -> str:
        whole = expr.exp.is_Integer and expr.exp > 0
        if isinstance(expr.base, Reduce) and whole or isinstance(expr.base, Access) and (whole or not expr.exp.is_Rational):
            base = self.doprint(expr.base)
            if isinstance(expr.base, Reduce) or "^" in base or self.is_fraction(self.program.tensor(expr.base.name)):
                return rf"\left({base}\right)^{{{self.doprint(expr.exp)}}}"
        return super()._print_Pow(expr)

    # arithmetic in textbook order

    def _print_Add(self, expr: sp.Expr, order: str | None = None) -> str:
        number_last = all(t.is_Symbol or isinstance(t, Access) for t in expr.args if not t.is_number) or \
            not expr.has(Access, sp.Function) and expr.has(Index)
        terms = sorted(expr.args, key=lambda t: (t.is_number, self._term_key(t)) if number_last else self._term_key(t))
        text = self.doprint(terms[0])
        for term in terms[1:]:
            piece = self.doprint(term)
            text += f" - {piece[1:].strip()}" if piece.startswith("-") else f" + {piece}"
        return text

    def _term_key(self, term: sp.Expr) -> tuple:
        factors = sp.Mul.make_args(term)
        constant = not term.is_number and all(map(self._is_constant, factors))
        gradient = any(self.program.tensor(a.name).cotangent_of for a in term.atoms(Access))
        text = self.doprint(term)
        return (term.could_extract_minus_sign(), not term.is_number, constant, not term.has(Reduce), any(f.is_Add for f in factors),
                gradient, -sum(1 for _ in term.atoms(Access)), text.count("-"), text)

    def _print_Mul(self, expr: sp.Expr) -> str:
        coefficient, rest = expr.as_coeff_Mul()
        sign = "-" if coefficient.could_extract_minus_sign() else ""
        coefficient = abs(coefficient)
        factors = list(sp.Mul.make_args(rest))
        below = [f.base ** -f.exp for f in factors if f.is_Pow and not isinstance(f, sp.exp) and f.exp.could_extract_minus_sign()]
        above = [f for f in factors if not (f.is_Pow and not isinstance(f, sp.exp) and f.exp.could_extract_minus_sign())]
        top = ([sp.Integer(coefficient.p)] if coefficient.is_Rational and coefficient.p != 1 else []) + \
            ([] if coefficient.is_Rational else [coefficient]) + above
        bottom = ([sp.Integer(coefficient.q)] if coefficient.is_Rational and coefficient.q != 1 else []) + below
        return sign + self._quotient(top, bottom)

    def _quotient(self, top: list[sp.Expr], bottom: list[sp.Expr]) -> str:
        """A fraction; sums, brackets and tensors stand beside a fraction of numbers, sizes and scalar constants."""
        if not bottom:
            return self._factors(top) if top else "1"
        aside = [f for f in top if not self._is_constant(f)] if all(map(self._is_constant, bottom)) else []
        above = [f for f in top if f not in aside]
        fraction = rf"\frac{{{self._factors(above) if above else 1}}}{{{self._factors(bottom)}}}"
        return f"{fraction} {self._factors(aside, alone=False)}" if aside else fraction

    def _is_constant(self, node: sp.Expr) -> bool:
        """A number, a size, or a scalar constant such as ε."""
        return node.is_number or node.is_Symbol or isinstance(node, Access) and not node.indices and \
            self.program.tensor(node.name).role == "constant"

    def _factors(self, factors: list[sp.Expr], alone: bool = True) -> str:
        ordered = sorted(factors, key=self._factor_key)
        last = len(ordered) - 1
        return " ".join(self._factor(f, k == last, alone and len(ordered) == 1) for k, f in enumerate(ordered))

    def _factor(self, factor: sp.Expr, is_last: bool, alone: bool) -> str:
        text = self.doprint(factor)
        if alone:
            return text
        needs = factor.is_Add or (isinstance(factor, Reduce) and not is_last) or factor.could_extract_minus_sign()
        return rf"\left({text}\right)" if needs else text

    def _factor_key(self, factor: sp.Expr) -> tuple:
        base = factor.base if factor.is_Pow and not isinstance(factor, sp.exp) else factor
        return self._rank(base), 1 if isinstance(base, Access) else 0 if base.is_Symbol else 2, str(factor)

    def _rank(self, base: sp.Expr) -> int:
        """Numbers; constants; parameters; cotangents; tensors; functions; brackets; sums; σ'(z); and log, which has no brackets."""
        if base.is_number:
            return 0
        if isinstance(base, Access):
            tensor = self.program.tensor(base.name)
            return 3 if tensor.cotangent_of else ROLE_ORDER.get(tensor.role, 4)
        if base.is_Add:
            return 1 if {self.program.tensor(a.name).role for a in base.atoms(Access)} <= {"constant"} else 6
        if isinstance(base, Defined) and any(base.orders):
            return 8
        return 7 if isinstance(base, Reduce) else 1 if isinstance(base, sp.Symbol) else 9 if isinstance(base, sp.log) else 5

    # equations

    def fact(self, fact: Fact) -> str:
        """A fact as LaTeX."""
        left = Reduce("sum", fact.left, fact.over) if fact.over else fact.left
        return f"{self.doprint(left)} {RELATIONS[fact.relation]} {self.doprint(fact.right)}"

    def left(self, target: Access) -> str:
        """The left side of an equation."""
        return self.doprint(target)

    def equation(self, target: Access, right: sp.Expr, adds: bool = False) -> str:
        """`left = right`; the new value of a tensor prints as an assignment `:=`, one of many contributions as `+=`."""
        sign = ":=" if self.program.tensor(target.name).next_of else r"\mathrel{+}=" if adds else "="
        return f"{self.left(target)} {sign} {self.doprint(right)}"


def _sides(condition: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Write `condition ≥ 0` as left ≥ right without minus signs."""
    terms = sp.Add.make_args(sp.expand(condition))
    left = sp.Add(*(t for t in terms if not t.could_extract_minus_sign()))
    return left, -sp.Add(*(t for t in terms if t.could_extract_minus_sign()))


__all__ = ["Writer", "closed", "name_latex", "reduced"]
