"""What a layer is, and where layers are found by their type.

To add a layer, write one file beside this one: a subclass of `Layer` with its settings as typed fields and a `build`
that writes its forward equations, decorated with `@layer`; then name the file in `symbp/layers/__init__.py`.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, TypeVar

from symbp.settings import Identifier, Settings, kinds

if TYPE_CHECKING:
    from symbp.draft import Draft, Signal

Kind = TypeVar("Kind", bound="type[Layer]")


class Layer(Settings, ABC):
    """A layer: its settings, and the forward equations that they stand for.

    A subclass narrows `type` to the literal words that a network file writes.  input: the name of the earlier layer whose
    output this one takes, where that is not the layer before; `input` is the network's input.

    two_modes: whether `build` writes other equations where `draft.mode` is "inference" than in training; parameters and
    running statistics have the same names in both.  starts: how parameters start that do not start as all others, by letter.
    reads: whether the layer takes numbers ("float") or whole numbers ("int").  widths: the keys that say how wide the output is, which
    checks make small.
    """

    reads: ClassVar[str] = "float"
    two_modes: ClassVar[bool] = False
    starts: ClassVar[Mapping[str, str]] = {}
    widths: ClassVar[tuple[str, ...]] = ()

    type: str
    name: Identifier = ""
    input: Identifier = ""

    @abstractmethod
    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write the forward equations for the input `x` into the draft and return the output."""


LAYERS: dict[str, type[Layer]] = {}
"""Every kind of layer by the `type` that a network file writes."""


def layer(cls: Kind) -> Kind:
    """Register a class of layers under its types."""
    LAYERS.update(dict.fromkeys(kinds(cls), cls))
    return cls
