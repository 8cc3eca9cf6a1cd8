"""A program with the names that its tensors have in code: its equations numbered, and its functions' lines.

Stage: L1 Program → lines of Python.  A module has one such for training, and one for inference where that is another program.
"""
from __future__ import annotations

import textwrap
from collections.abc import Mapping

from symbp.arrays import lower
from symbp.arrays.nodes import Assign, Fill, For, Statement
from symbp.language.program import Program
from symbp.module_equations import equation_texts
from symbp.module_text import WIDTH, broken_line
from symbp.passes.needless import without_needless
from symbp.passes.prune import prune
from symbp.targets import Target


class Code:
    """A program, its names in code, and the number of each tensor's equation, in the order in which they are computed.

    known: the numbers of equations, by their text, that have one already.
    """

    def __init__(self, program: Program, names: Mapping[str, str], target: Target, known: Mapping[str, int] | None = None) -> None:
        self.program, self.names, self.target = program, dict(names), target
        self.printer = target.printer(self.names)
        self.known = dict(known or {})
        self._lowered: dict[tuple[str, ...], tuple[Statement, ...]] = {}
        self.texts = {name: self._spelled(text) for name, text in equation_texts(program).items()}
        fresh = [text for text in self.texts.values() if text not in self.known]
        numbers = {**self.known, **{text: k for k, text in enumerate(fresh, len(self.known) + 1)}}
        self.numbers = {name: numbers[text] for name, text in self.texts.items()}

    def _spelled(self, text: str) -> str:
        """The equations of a tensor, with the names of the code."""
        for old in sorted(self.names, key=len, reverse=True):
            text = text.replace(f"{old}[", f"{self.names[old]}[") if self.names[old] != old else text
        return text.replace("[]", "")

    def equations(self) -> list[str]:
        """The equations that get a number here, in wrapped lines."""
        found = []
        for name, text in self.texts.items():
            if text not in self.known:
                found += textwrap.wrap(f"({self.numbers[name]})".ljust(6) + text, WIDTH, initial_indent="    ",
                                       subsequent_indent=" " * 14)
        return found

    def statements(self, *wanted: str) -> tuple[Statement, ...]:
        """The array statements that leave these tensors."""
        if wanted not in self._lowered:
            self._lowered[wanted] = lower(without_needless(prune(self.program, wanted), wanted), wanted)
        return self._lowered[wanted]

    def readable(self, *wanted: str) -> list[str]:
        """Lines for these tensors, each with its shape and the number of its equation."""
        return [line for s in self.statements(*wanted) for line in self._commented(s, list(self.printer.lines([s])))]

    def _commented(self, statement: Statement, lines: list[str], column: int = 56) -> list[str]:
        if isinstance(statement, For):
            inner = (line for s in statement.body for line in self._commented(s, list(self.printer.lines([s])), column - 4))
            return [lines[0], *("    " + line for line in inner)]
        if isinstance(statement, Fill) or statement.name not in self.numbers:
            return [part for line in lines for part in broken_line(line, WIDTH)]
        shape = self.program.tensor(statement.name).shape if isinstance(statement, Assign) else ()
        text = f"({self.numbers[statement.name]})" + (f"  {self.printer.shape(shape)}" if shape else "")
        broken = broken_line(lines[-1])
        return [*lines[:-1], *broken[:-1], f"{broken[-1]:<{column}}  # {text}"]
