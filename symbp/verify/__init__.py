"""Checks what a text says: which of its printed numbers and formulas are right, which are wrong, and where the first mistake enters.

Stage: claim file → verdicts → report.

    claimfile.py   TOML → values (draws.py: from a seed), program (textnet.py) and claims (claims.py)
    printed.py     the digits of a text, and the numbers that they stand for
    quantity.py    what a claim is of: an element, a derivative, an expression (wording.py, expressions.py), in LaTeX (latex_quantity.py)
    recompute.py   its value, exactly and from the digits printed before: when (visits.py), and in which ways a text calculates (ways.py)
    enclosures.py  numbers with error bounds, and labels, for the oracle; longrun.py: many steps in floating point
    numbers.py     printed digits beside recomputed ones → verdict (outcome.py)
    latex.py       a formula as books print it → nodes.py: tokens.py and vocabulary.py (words), formula.lark (grammar), structure.py,
                   chain.py and brackets.py (what is a function, a derivative, a sum), scoping.py (letters of sums)
    naming.py      which tensor a symbol with its scripts is; layers.py: letters that count names; updates.py: old and new values
    meaning.py     what nodes mean over arrays: shapes.py (matrices as books mean them), indexing.py, calls.py, sums.py, slopes.py,
                   linear.py
    points.py      arrays of tensors and derivatives at a random point, as floats, expressions or to 60 digits
    formulas.py    the verdict on a formula: equalities.py (two sides), forms.py (how they are compared), deciding.py (whether equal),
                   otherclaims.py (updates), identities.py (functions alone), elsewhere.py and extents.py (where axes of one length by
                   chance have lengths of their own)
    definitions.py a definition beside the standard one that it names, standards.py
    code.py        a person's function beside what is derived: listing.py (read), binding.py (names), layouts.py, known.py (right values)
    sandbox.py     calls it in a process with limits, guarded.py
    mistakes.py    programs with one slip, by places.py and elements.py; trial.py: what they would give
    explain.py     the slips that give a wrong number's digits; lines.py: an element's line written out; typos.py: slips of the pen
    submission.py  code's verdict and score; explain_code.py: the slips that explain it
    slips.py       changes that make a wrong formula right: changes.py (all of one place), composite.py (more than a name)
    verdict.py     the verdicts on all claims, each behind what it was calculated from
    report.py      the verdicts on one file; audit.py: on several
    terminal.py    as a table; document.py: as a document, with what shows it (proof.py) and formulas as they stand (quoting.py)
    write.py       the document in a format

The package can be called as its function `verify` is: `symbp.verify("claims.toml")`.
"""
import sys
from pathlib import Path
from types import ModuleType

from symbp.verify.audit import Audit, audit
from symbp.verify.report import Report, verify
from symbp.verify.verdict import Verdict

__all__ = ["Audit", "Report", "Verdict", "audit", "verify"]


class _Package(ModuleType):
    """The package, which answers a call."""

    def __call__(self, path: str | Path, run_code: bool = False) -> Report:
        """The verdicts on a claim file, as `symbp.verify.report.verify` gives them."""
        return verify(path, run_code)


sys.modules[__name__].__class__ = _Package
