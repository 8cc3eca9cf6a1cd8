"""What a test program is: equations, what to differentiate, sizes, values to draw, and a reference in PyTorch."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np

from symbp.language import Program
from symbp.language.conventions import Conventions

Values = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A program as equations.

    of: the tensor that is differentiated (scalar or not).  wrt: by what.  sizes: values of the symbolic extents.
    draw: values of all inputs.  reference: the value of `of` from the torch module and torch tensors, or None.
    smooth: central differences are valid at the drawn values (no ties, no kinks).
    """

    program: Program
    of: str
    wrt: tuple[str, ...]
    draw: Callable[[np.random.Generator], Values]
    sizes: Mapping[str, Any] = field(default_factory=dict)
    reference: Callable[[ModuleType, dict[str, Any]], Any] | None = None
    smooth: bool = True

    def split(self) -> Case:
        """The same case under the other convention on ties."""
        return replace(self, program=replace(self.program, conventions=Conventions(ties="split")))


def normals(rng: np.random.Generator, **shapes: tuple[int, ...]) -> Values:
    """Standard normal values by name and shape."""
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}
