r"""A claim's formula as it can be printed: as mathematics where TeX is sure to set it, else as the text that it is; and its code.

Only known commands get through, so that a claim file can neither break a report nor reach anything with one.
"""
from __future__ import annotations

import ast
import contextlib
import itertools
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from symbp.errors import SymbpError
from symbp.report.model import Inline, Math
from symbp.report.text import visible
from symbp.verify.listing import Code, read

LONGEST, MOST_LINES = 600, 60
_GREEK = ("alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi "
          "varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega")
_SIGNS = ("partial nabla odot circ ast cdot cdots ldots dots times div pm mp top intercal leftarrow gets to rightarrow sum prod frac tfrac "
          "dfrac sqrt le leq ge geq lt gt ne neq approx equiv sim in infty ell lVert rVert lvert rvert mid prime vert Vert")
_NAMES = "exp log ln max min sin cos tan tanh sinh cosh arg det lim"
_STYLES = ("left right big Big bigg Bigg bigl bigr Bigl Bigr quad qquad limits displaystyle mathbf boldsymbol mathrm mathit mathcal mathbb "
           "mathsf text operatorname hat bar tilde dot vec widehat overline begin end")
KNOWN = frozenset(f"{_GREEK} {_SIGNS} {_NAMES} {_STYLES}".split()) | frozenset(r"\{},;:! |")
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.DOTALL)
_WORD = re.compile(r"(?<![\\A-Za-z@{])([A-Za-z]{3,})(?![A-Za-z])")
_ENVIRONMENTS = re.compile(r"\\(?:begin|end)\{(?:cases|matrix|pmatrix|bmatrix|vmatrix|aligned)\}")
_FONTS = "text mathrm operatorname mathbf boldsymbol mathit mathcal mathbb mathsf hat bar tilde dot vec widehat overline"
_ARGUMENTS = {"^": 1, "_": 1, r"\sqrt": 1, r"\frac": 2, r"\tfrac": 2, r"\dfrac": 2} | {f"\\{name}": 1 for name in _FONTS.split(" ")}
_WRITTEN = re.compile(r"\\text\s*\{[^{}]*[_^\\&$][^{}]*\}")


def quoted(formula: str) -> Inline:
    r"""The formula as mathematics, or as plain text where that could not be set.

    >>> quoted(r"\delta = w^{(3)}^T x"), quoted(r"\input{secret}"), quoted("y = softmax(z)")
    (Math(latex='\\delta = w^{(3)}{}^T x'), '\\input{secret}', Math(latex='y = {\\mathrm{softmax}}(z)'))
    """
    plain = visible(formula).strip().strip("$").replace(r"\bm", r"\boldsymbol").rstrip()
    return Math(_apart(_WORD.sub(r"{\\mathrm{\1}}", plain))) if _is_safe(plain) else visible(formula)


def source_of(code: Code, folder: Path) -> str:
    """The function that a claim of code names, as it stands, or the listing; "" where it cannot be read."""
    with contextlib.suppress(SymbpError, SyntaxError, ValueError, RecursionError):
        source = read(folder / code.file) if code.file else code.code
        *owner, name = code.wanted.split(".")
        body = ast.parse(source).body
        if owner:
            body = next(n.body for n in body if isinstance(n, ast.ClassDef) and n.name == owner[0])
        found = next((n for n in body if isinstance(n, ast.FunctionDef) and n.name == name), None)
        lines = source.splitlines()[found.lineno - 1:found.end_lineno] if found else [] if code.file else source.splitlines()
        return textwrap.dedent("\n".join([*lines[:MOST_LINES], *["…"] * (len(lines) > MOST_LINES)]))
    return ""


def _is_safe(latex: str) -> bool:
    """Whether TeX can set it: known commands only, and all brackets and environments closed."""
    if not latex or len(latex) > LONGEST or re.search(r"[$#%~]|\\$|\^\s*$|_\s*$", latex) or _WRITTEN.search(latex):
        return False
    tokens = _TOKEN.findall(latex)
    if any(t[1:] not in KNOWN for t in tokens if t.startswith("\\")) or tokens.count(r"\left") != tokens.count(r"\right"):
        return False
    outside, opened = _ENVIRONMENTS.sub("", latex), latex.count(r"\begin")
    if r"\begin" in outside or r"\end" in outside or opened != latex.count(r"\end"):
        return False
    columns = "&" in tokens or r"\\" in tokens
    return bool(opened or not columns) and _closed(tokens) and all(_complete(tokens, k) for k in range(len(tokens)))


def _closed(tokens: Sequence[str]) -> bool:
    """Whether every brace is closed, and none before it is opened."""
    depths = list(itertools.accumulate((t == "{") - (t == "}") for t in tokens))
    return min(depths) >= 0 and depths[-1] == 0


def _complete(tokens: Sequence[str], k: int) -> bool:
    """Whether what stands at a place has the arguments that TeX wants: groups, or single characters and symbols."""
    wanted, at = _ARGUMENTS.get(tokens[k], 0), k + 1
    for _ in range(wanted):
        while at < len(tokens) and tokens[at].isspace():
            at += 1
        if at == len(tokens) or tokens[at] in "}&^_'" or tokens[at] in _ARGUMENTS:
            return False
        end = at
        if tokens[at] == "{":
            depth = itertools.accumulate((t == "{") - (t == "}") for t in tokens[at:])
            end = at + next(j for j, d in enumerate(depth) if d == 0)
        at = end + 1
    return True


def _apart(latex: str) -> str:
    """The same with `{}` before a second upper or lower index, which TeX refuses."""
    out: list[str] = []
    stack: list[set[str]] = []
    used: set[str] = set()
    script = False
    for token in _TOKEN.findall(latex):
        if token in ("^", "_", "'"):
            kind = "^" if token == "'" else token
            if kind in used and out[-1] != "'":
                out.append("{}")
                used = set()
            used, script = used | {kind}, token != "'"
        elif token == "{":
            stack.append(used if script else set())
            used, script = set(), False
        elif token == "}":
            used = stack.pop() if stack else set()
        elif not token.isspace():
            used, script = used if script else set(), False
        out.append(token)
    return "".join(out)
