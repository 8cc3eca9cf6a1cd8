"""A network of the same layers with few units and a small input, for checks that calculate element by element.

The extents of a program cannot be changed one by one where windows slide along them, since each follows from those before it; the layers
calculate them anew.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from symbp.errors import SymbpError
from symbp.layers import Layer
from symbp.losses import Target
from symbp.network import Network

MOST = 4
FACTORS = (1, 2, 4)
"""What small widths are multiples of, one after the other: groups and heads divide them."""


def smaller(network: Network) -> Network | None:
    """The first small network that can be built of the layers; None where there is none.

    Equal widths stay equal and different ones different, and so do the axes of an input.

    >>> import symbp as sb
    >>> small = smaller(sb.load("examples/lenet.toml"))
    >>> [t.shape for t in small.program.tensors if t.name in ("x", "K1", "W3")]
    [(N, 1, 16, 17), (3, 1, 5, 5), (5, 4)]
    """
    made = network.recipe
    if not made.get("input"):
        return None
    for factor in FACTORS:
        widths = _widths(made, factor)
        for shape in _inputs(made["input"]):
            try:
                return Network.of_layers(**{**made, "layers": [_narrow(layer, widths) for layer in made["layers"]], "input": shape,
                                            "target": _answer(made["target"], widths)})
            except SymbpError:
                continue
    return None


def _widths(made: Mapping[str, Any], factor: int) -> dict[int, int]:
    """A small number for each width of a layer, and for the number of classes."""
    target = made["target"] or Target()
    used = {getattr(layer, key) for layer in made["layers"] for key in layer.widths} | {target.classes, *(target.shape or ())}
    large = sorted(w for w in used - {None} if w > MOST)
    free = (factor * k for k in range(2, 100) if factor * k not in used)
    return dict(zip(large, free))


def _inputs(shape: Sequence[int]) -> Iterator[list[int]]:
    """Shapes that grow towards an input's."""
    for least in range(2, max(shape) + 1):
        yield [min(extent, least + k) for k, extent in enumerate(shape)]


def _narrow(layer: Layer, widths: Mapping[int, int]) -> Layer:
    """The layer with small widths."""
    return layer.model_copy(update={key: widths.get(getattr(layer, key), getattr(layer, key)) for key in layer.widths})


def _answer(target: Target | None, widths: Mapping[int, int]) -> Target | None:
    """The target with as many classes, or of the shape, as the last layer then has."""
    if target is None:
        return None
    shape = target.shape and [widths.get(extent, extent) for extent in target.shape]
    return target.model_copy(update={"classes": widths.get(target.classes, target.classes), "shape": shape})
