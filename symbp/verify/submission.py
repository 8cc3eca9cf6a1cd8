"""A person's code beside a text or a network: the verdict with its explanations, and for `symbp check-code` a score for each tensor.

Stage: code + text → `Checked`; file + network → `Graded`, as text and as JSON.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from symbp.certify.ladder import shrunk
from symbp.certify.smaller import smaller
from symbp.errors import SymbpError
from symbp.network import Network
from symbp.numbers import TooLarge
from symbp.optim import GradientDescent
from symbp.report.text import visible
from symbp.verify.claimfile import Text
from symbp.verify.code import Check, Checked, Item, said
from symbp.verify.explain_code import explain
from symbp.verify.layouts import Fit
from symbp.verify.listing import Code
from symbp.verify.outcome import RIGHT, RIGHT_IF, UNDECIDED, WRONG
from symbp.verify.sandbox import SECONDS, Result

NOT_RUN = "not run; give --run-code"


def judge_code(code: Code, text: Text, run_code: bool) -> Checked:
    """The verdict on a claim of code, with the slips that explain what is wrong; without `run_code` it is not run."""
    if not run_code:
        return Checked(UNDECIDED, NOT_RUN)
    try:
        check = Check(text, code, text.folder)
        return explained(check, check.result())
    except SymbpError as error:
        return Checked(UNDECIDED, str(error))
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        return Checked(UNDECIDED, f"a quantity of it has no value here ({type(error).__name__}: {error})"[:300])


def explained(check: Check, checked: Checked) -> Checked:
    """The same with the slips that give its wrong results."""
    return replace(checked, slips=explain(check, checked)) if checked.verdict == WRONG else checked


@dataclass(frozen=True)
class Graded:
    """What `symbp check-code` says: the verdict, each tensor's item, and what the arguments were taken for."""

    title: str
    against: str
    checked: Checked
    items: tuple[Item, ...]
    bound: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def right(self) -> int:
        """How many tensors are right."""
        return len(self.items) if self.checked.verdict in (RIGHT, RIGHT_IF) and all(i.fit.kind != "missing" for i in self.items) else \
            sum(i.holds for i in self.items)

    @property
    def score(self) -> float:
        """The share of tensors that are right, from 0 to 1."""
        return self.right / len(self.items) if self.items else 0.0

    @property
    def passed(self) -> bool:
        """Whether everything is there and right, if only in a convention of its own."""
        return self.checked.verdict in (RIGHT, RIGHT_IF) and self.right == len(self.items) > 0

    @property
    def verdict(self) -> str:
        """The verdict; wrong where a gradient is missing, failed where the code stops."""
        if self.checked.failure is not None:
            return "failed"
        return self.checked.verdict if self.passed or self.checked.verdict not in (RIGHT, RIGHT_IF) else WRONG

    @property
    def first_wrong(self) -> Item | None:
        """The first wrong tensor in the order of the calculation: values of the forward pass, then gradients from the loss back."""
        return next((i for i in self.items if not i.holds), None) if not self.passed else None

    def text(self) -> str:
        """A line for each tensor, then the first mistake and what explains it."""
        lines = [f"{self.title} beside {self.against}: {self.verdict}, {self.right} of {len(self.items)} tensors right"]
        width = max((len(i.label) for i in self.items), default=0)
        whole = self.checked.verdict in (RIGHT, RIGHT_IF)
        for item in self.items:
            fine = item.holds or whole and item.fit.kind != "missing"
            lines.append(f"  {'right' if fine else item.fit.kind if item.fit.kind == 'missing' else 'wrong':8}{item.label:{width}}  "
                         f"{'' if item.label == item.quantity else item.quantity}".rstrip() + ("" if fine else f"  {_why(item)}".rstrip()))
        notes = [self.checked.note] if self.checked.verdict not in (WRONG, RIGHT) else []
        if self.first_wrong is not None and self.checked.failure is None and self.checked.verdict != UNDECIDED:
            notes.append(f"first wrong: {said(self.first_wrong)}")
        notes += [f"explained by: {'; or '.join(self.checked.slips)}"] if self.checked.slips else []
        notes.append("taken as: " + ", ".join(f"{name} = {what}{_shape(self.shapes.get(name))}" for name, what in self.bound.items()))
        return "\n".join([*lines, *map(visible, notes)])

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        failure, whole = self.checked.failure, self.checked.verdict in (RIGHT, RIGHT_IF)
        tensors = [{"name": i.label, "quantity": i.quantity, "right": i.holds or whole and i.fit.kind != "missing", "note": _why(i),
                    "ratio": i.fit.ratio} for i in self.items]
        return {"function": self.title, "against": self.against, "verdict": self.verdict, "score": round(self.score, 4),
                "right": self.right, "of": len(self.items), "tensors": tensors,
                "first_wrong": self.first_wrong.quantity if self.first_wrong else None, "note": self.checked.note,
                "explained_by": list(self.checked.slips), "arguments": dict(self.bound),
                "shapes": {k: list(v) for k, v in self.shapes.items()},
                "failure": failure and {"kind": failure.kind, "message": failure.message, "line": failure.line, "text": failure.text}}


def grade(path: str, network: Network, code: Code, seconds: float = SECONDS) -> Graded:
    """Call "file.py::function" beside a network, made small first; in its own size where the code does not run in small.

    Code that stops in small because of its shapes is undecided where its own size is too large.

    Raises `SymbpError` for a file or function that is not there, and for arguments that nothing explains.
    """
    file = Path(path.partition("::")[0])
    code = code.model_copy(update={"python": f"{file.name}{path[len(path.partition('::')[0]):]}"})
    texts = [_text(small) for small in _small(network)]
    tried: list[tuple[Check, Checked]] = []
    limit = ""
    for text in texts:
        try:
            check = Check(text, code, file.parent, seconds)
            tried.append((check, check.result()))
        except TooLarge as error:
            if not tried:
                raise
            limit = str(error)
            break
        failure = tried[-1][1].failure
        if failure is None or failure.kind in ("OutOfTime", "Ended"):
            break
    check, checked = tried[-1] if tried[-1][1].failure is None else tried[0]
    if limit and checked.failure is not None and checked.failure.is_unfit:
        note = (f"it may be made for its own sizes only, where there is too much to check ({limit}); "
                f"beside smaller ones it stops: {checked.failure}")
        checked = replace(checked, verdict=UNDECIDED, note=note, failure=None)
    return _graded(check, explained(check, checked), network)


def _small(network: Network) -> list[Network]:
    """The network with few units, where it can be had, and itself."""
    made = smaller(network)
    if made is not None:
        return [made, network]
    program = shrunk(network.program)
    return [network] if program is network.program else [replace(network, program=program, recipe={}), network]


def _text(network: Network) -> Text:
    """A network as a text without claims."""
    optimizer = network.optimizer or GradientDescent(type="gd")
    return Text(network.title or network.name, "", network.program.given(), network.loss, optimizer, {}, {})


def _graded(check: Check, checked: Checked, network: Network) -> Graded:
    place = {t.name: k for k, t in enumerate(check.text.program.tensors)}
    last = len(place)

    def order(item: Item) -> int:
        tensor = check.known.tensor(item.quantity)
        return place[item.quantity] if item.quantity in place else 2 * last - place.get(tensor, 0)

    items = sorted((*checked.items, *_missing(check, checked)), key=order)
    bound = {name: _called(what) for name, what in check.arguments.items()}
    shapes = {}
    for name, what in check.arguments.items():
        if isinstance(what, str) and check.known.tensor(what):
            shapes[name] = check._laid(what, checked.way, 0).shape
    return Graded(f"{check.file}::{check.function.title}", network.name, checked, tuple(items), bound, shapes)


def _missing(check: Check, checked: Checked) -> Sequence[Item]:
    """The parameters whose gradients, or next values, are not among the results of a backward pass."""
    known = {check.known.tensor(i.quantity) for i in checked.items if i.quantity not in check.text.program}
    wanted = check.names.parameters if known & {*check.names.parameters} or not checked.items else []
    form = "{} after 1" if check.updates else f"d{check.text.loss}/d{{}}"
    if checked.failure:
        note = "it did not get so far"
    elif check.undrawn or checked.verdict == UNDECIDED and not checked.items:
        note = "it is not compared"
    else:
        note = "it is not returned, or has no name that is known"
    return [Item(form.format(name), form.format(name), Fit("missing", note=note)) for name in wanted if name not in known]


def _called(what: Any) -> str:
    if isinstance(what, Result):
        return f"what was returned as {what.name}"
    return what if isinstance(what, str) else str(what)


def _shape(shape: tuple[int, ...] | None) -> str:
    return f" ({'×'.join(map(str, shape))})" if shape else ""


def _why(item: Item) -> str:
    if item.fit.ratio is not None:
        return f"it is {item.fit.ratio:.6g} times the right value"
    return item.fit.note
