"""What a module keeps beside its parameters, and what it draws: running statistics, masks, and the conditions on a batch's size.

Stage: Network → lines of Python.  A mask comes from the state's seed and the number of the step alone, in single precision
whatever the dtype: the same numbers on every target, and nothing to keep but those two.
"""
from __future__ import annotations

from collections.abc import Iterable

from symbp.language.facts import Fact
from symbp.module_code import Code
from symbp.module_text import N, tuple_text
from symbp.network import Network
from symbp.printing.planned import Buffer

OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">=", "==": "!="}
GENERATOR = 'rng = np.random.default_rng([state["seed"], state["step"], 1])'


class State:
    """The lines about a network's running statistics and masks, for one of its programs."""

    def __init__(self, network: Network, code: Code) -> None:
        self.network, self.code = network, code
        tensors = {t.name: t for t in code.program.tensors}
        self.running = [tensors[name] for name in network.starts if name in tensors]
        self.masks = [tensors[name] for name in network.rates if name in tensors]
        self.following = {t.name: t.next_of for t in code.program.tensors if t.next_of}

    def declared(self) -> list[str]:
        """The names, shapes and first values of the running statistics."""
        number = self.code.printer
        entries = [f'    ("{self.code.names[t.name]}", {number.shape(t.shape)}, {self.network.starts[t.name]}),' for t in self.running]
        return ["RUNNING = (", *entries, ")"] if entries else []

    def checked(self) -> list[str]:
        """Lines that refuse a batch of a size of which the facts say that it cannot be."""
        return [line for fact in self.code.program.facts if _is_about_n(fact) for line in (
            f"if {fact.left} {OPPOSITE[fact.relation]} {fact.right}:",
            f'    raise ValueError(f"the network is trained with batches of {fact} samples, but this one has N = {{N}}")')]

    def required(self, names: Iterable[str]) -> list[str]:
        """Lines that refuse a call without a state, where the named ones of its arrays are used."""
        kinds = {"running statistics": self.running, "random masks": self.masks}
        what = [kind for kind, tensors in kinds.items() if any(t.name in names for t in tensors)]
        if not what:
            return []
        return ["if state is None:", f'    raise ValueError("{" and ".join(what)} come from a state: pass that of init_state or load")']

    def taken(self) -> list[str]:
        """Lines that name the running statistics."""
        names = [self.code.names[t.name] for t in self.running]
        return [f'{tuple_text(names)[1:-1]} = (state["running"][name] for name, *_ in RUNNING)'] if names else []

    def drawn(self) -> list[str]:
        """Lines that draw the masks, the readable way."""
        lines = [f"{self.code.names[t.name]} = {self._drawing(t.name)}" for t in self.masks]
        shapes = [self.code.printer.shape(t.shape) for t in self.masks]
        return [GENERATOR, *(f"{line:<56}  # {shape}" for line, shape in zip(lines, shapes))] if lines else []

    def redrawn(self) -> tuple[list[str], list[Buffer]]:
        """Lines that draw the same masks into buffers, where the target's library can; and the buffers."""
        if not self.code.target.redrawn or not self.masks:
            return self.drawn(), []
        lines, buffers = [GENERATOR], []
        for tensor in self.masks:
            name = self.code.names[tensor.name]
            pair = [Buffer(f"uniform_{name}", tensor.shape, "single"), Buffer(name, tensor.shape, "float")]
            lines += [line.format(uniform=pair[0].name, rate=self._rate(tensor.name), name=name) for line in self.code.target.redrawn]
            buffers += pair
        return lines, buffers

    def _drawing(self, name: str) -> str:
        shape = self.code.printer.shape(self.code.program.tensor(name).shape)
        return self.code.target.drawn.format(shape=shape, rate=self._rate(name))

    def _rate(self, name: str) -> str:
        return repr(float(self.network.rates[name]))


def _is_about_n(fact: Fact) -> bool:
    """Whether a fact is about the number of samples alone."""
    return not fact.tensors and not fact.over and (fact.left.free_symbols | fact.right.free_symbols) == {N}
