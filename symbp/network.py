"""Networks (level 0): layers, a loss and an optimiser, and the forward program that they stand for.

Stage: L0 → L1.  A network knows forward equations only; gradients are the calculus' work.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from symbp.draft import Draft, Signal
from symbp.language import Access, Conventions, Index, Program, Tensor, walk
from symbp.layers import Layer
from symbp.layers.dense import WIDTH, Dense
from symbp.layers.equations import Reader
from symbp.losses import Loss, Target
from symbp.notation import Notation
from symbp.optim import Optimizer, Update
from symbp.passes.closed import closed
from symbp.settings import NetworkError, place

if TYPE_CHECKING:
    from sympy import Expr, Rational

    from symbp.calculus.differentiate import Derivative
    from symbp.derivation import Derivation

IMAGE = "chw"
"""The letters of an input with three axes: channels, height and width."""


@dataclass(frozen=True)
class LayerRecord:
    """What a layer became: its settings, its parameters' names, and the name of its output."""

    layer: Layer
    parameters: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Network:
    """A network: a forward program up to the scalar `loss`, and what a person said about it.

    Make one with `Network.of_layers`, `Network.of_equations` or `symbp.load`.  derivation: the reader's choices
    (activation_derivatives, facts).  output: the tensor that the loss compares with the target.

    `program` is the one that is trained, and differentiated.  trained: the network with the program that is used after training, over
    the same parameters and running statistics; None where no layer makes a difference.  starts: the first value of each running
    statistic, a tensor of role "state".  rates: how often an element of each mask, a tensor of role "random", is 0.
    reconstructs: whether the values of the target are those of the input, as for an autoencoder.
    recipe: the arguments of `of_layers` that it was made with, if it was.
    """

    name: str
    program: Program
    loss: str
    title: str = ""
    records: tuple[LayerRecord, ...] = ()
    output: str = ""
    optimizer: Optimizer | None = None
    notation: Notation = field(default_factory=Notation)
    derivation: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, Any] = field(default_factory=dict)
    starts: Mapping[str, int] = field(default_factory=dict)
    rates: Mapping[str, Rational] = field(default_factory=dict)
    trained: Network | None = None
    reconstructs: bool = False
    recipe: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def inference(self) -> Network:
        """The network as it is used after training: itself, where no layer makes a difference."""
        return self.trained or self

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """The tensors that training changes."""
        return self.program.parameters

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in order."""
        return tuple(record.layer for record in self.records)

    def update(self, derivative: Derivative, gradients: Mapping[str, str] | None = None) -> Update | None:
        """The optimiser's equations behind those of the gradients; None without an optimiser.

        gradients: for each parameter the tensor of its gradient (default: its cotangent).
        """
        if self.optimizer is None:
            return None
        gradients = gradients or {name: derivative.names[name] for name in derivative.wrt}
        return self.optimizer.update(derivative.program, gradients, self.notation.learning_rate)

    def update_lines(self, derivation: Derivation) -> tuple[Program, list[tuple[Access, Expr]]]:
        """The program with the optimiser's equations, and these as (target, right side), for a document."""
        made = self.update(derivation.derivative, derivation.gradients)
        if made is None:
            return derivation.program, []
        program = made.extended()
        return program, [(group[0].target, closed(group)) for group in (program.definition(name) for name in
                                                                   dict.fromkeys(eq.target.name for eq, _ in walk(made.statements)))]

    def __str__(self) -> str:
        return f"{self.name}\n{self.program}"

    @classmethod
    def of_layers(cls, name: str, layers: Sequence[Layer], loss: Loss, *, input: Sequence[int] | None = None, tokens: int | None = None,
                  target: Target | None = None, conventions: Conventions | None = None, notation: Notation | None = None,
                  **rest: Any) -> Network:
        """A network of layers in order; `rest` are further fields of the network.

        input: the shape of one sample; left out where the first layer has `repeat`.  tokens: how many different whole numbers the
        input has, where it has whole numbers, from 0 on.

        >>> from symbp.losses import SquaredError
        >>> net = Network.of_layers("line", [Dense(units=1)], SquaredError(), input=[2])
        >>> [p.name for p in net.parameters], net.loss
        (['W1', 'b1'], 'L')
        """
        notation, answer = notation or Notation(), (target or Target()).of_input(input, tokens)
        recipe = {"name": name, "layers": layers, "loss": loss, "input": input, "tokens": tokens, "target": target,
                  "conventions": conventions, "notation": notation, **rest}
        rest["reconstructs"] = target is not None and target.same_as is not None

        def built(mode: Literal["training", "inference"], **more: Any) -> Network:
            draft = Draft(conventions, notation, _letters(rest.get("optimizer")), mode)
            total = draft.claim(notation.loss, "the loss")
            records: list[LayerRecord] = []
            signal = draft.output("input", _input(draft, input, layers, tokens))
            for k, layer in enumerate(layers):
                with place(f"layer {k + 1} ({layer.type} {layer.name}".rstrip() + ")"):
                    _check_name(layer, layers[:k])
                    signal = _build(draft, layer, signal, records)
            with place(f"loss ({loss.type})"):
                scalar = draft.tensor(total)
                loss.build(draft, signal, answer, scalar)
                if loss.prior is not None:
                    loss.prior.build(draft, scalar)
                draft.tensors.sort(key=lambda t: t is scalar)
            return cls(name, draft.program(), total, records=tuple(records), output=signal.tensor.name, notation=notation,
                       starts=draft.starts, rates=draft.rates, recipe=recipe, **rest, **more)

        return built("training", trained=built("inference") if any(layer.two_modes for layer in layers) else None)

    @classmethod
    def of_equations(cls, name: str, equations: Iterable[str], tensors: Mapping[str, Mapping[str, Any]], *, loss: str,
                     indices: Mapping[str, int | str] | None = None, facts: Iterable[str] = (),
                     conventions: Conventions | None = None, **rest: Any) -> Network:
        """A network written as equations; `tensors` declares axes (index letters), role and dtype of each given tensor.

        >>> net = Network.of_equations("line", ["L = sum(i, (w[i] - c[i])^2)"], loss="L", indices={"i": 3},
        ...     tensors={"w": {"axes": ["i"], "role": "parameter"}, "c": {"axes": ["i"]}})
        >>> print(net.program)
        L[] += sum(i, (-c[i] + w[i])**2)
        """
        reader = Reader(indices or {})
        for letter, declared in tensors.items():
            axes = reader.axes(f"tensor {letter}", declared.get("axes", ()))
            metadata = {k: v for k, v in declared.items() if k != "axes"}
            reader.declare(letter, Tensor(letter, tuple(i.extent for i in axes), **{"role": "input", **metadata}))
        reader.read(equations, facts)
        if loss not in reader.assigned:
            raise NetworkError(f"loss = {loss!r}: no equation assigns it; they assign {', '.join(reader.assigned)}")
        if reader.scope.tensors[loss].shape:
            raise NetworkError(f"the loss {loss} has indices; a loss is one number: sum over them")
        return cls(name, reader.program(conventions or Conventions()), loss, **rest)


def _letters(optimizer: Optimizer | None) -> set[str]:
    """Letters that an optimiser's states take from the indices."""
    return {"m", "v"} if optimizer is not None else set()


def _input(draft: Draft, shape: Sequence[int] | None, layers: Sequence[Layer], tokens: int | None) -> Signal:
    if shape is None and layers and isinstance(layers[0], Dense) and layers[0].repeat:
        axes: Iterable[Index] = [draft.index(WIDTH(0))]
    elif shape is None:
        raise NetworkError("the shape of one input sample is missing: [input] shape = [ … ]")
    else:
        letters = IMAGE if len(shape) == len(IMAGE) else ("",) * len(shape)
        axes = [draft.index(extent, letter) for extent, letter in zip(shape, letters)]
    if tokens is not None:
        return draft.whole_numbers(draft.notation.input, axes, tokens)
    return draft.signal(draft.notation.input, axes, role="input")


def _check_name(layer: Layer, before: Iterable[Layer]) -> None:
    if layer.name == "input":
        raise NetworkError('no layer can be called "input", which is the network\'s input; rename it')
    if layer.name and any(layer.name == other.name for other in before):
        raise NetworkError(f"an earlier layer is called {layer.name!r} too; give each layer a name of its own")


def _build(draft: Draft, layer: Layer, signal: Signal, records: list[LayerRecord]) -> Signal:
    known = len(draft.tensors)
    given = draft.named(layer.input) if layer.input else signal
    if given.tokens is not None and layer.reads == "float":
        raise NetworkError("the input is one of whole numbers (tokens); a layer of type embedding turns them into rows of numbers")
    output = layer.build(draft, given)
    if layer.name:
        draft.output(layer.name, output)
    parameters = tuple(t.name for t in draft.tensors[known:] if t.role == "parameter")
    records.append(LayerRecord(layer, parameters, output.tensor.name))
    return output
