"""Conventions on which textbooks differ: explicit, printed with the derivation, and switchable."""
from __future__ import annotations

from dataclasses import dataclass, fields

from symbp.errors import LanguageError
from symbp.suggest import nearest

CHOICES: dict[str, tuple[str, ...]] = {
    "relu_at_zero": ("0", "1/2", "1"),
    "ties": ("first", "split"),
    "batch_loss": ("mean", "sum"),
    "storage": ("out_in", "in_out"),
    "samples": ("rows", "column"),
    "scale_in": ("delta", "gradient"),
}


@dataclass(frozen=True)
class Conventions:
    """What a text leaves unsaid.

    relu_at_zero: the value of relu'(0).  ties: a tied maximum hands its cotangent to the first hit or splits
    it evenly.  batch_loss: mean or sum over the batch.  storage: a weight matrix is out×in (`W x`) or in×out
    (`x W`).  samples: rows of a batch (`X W^⊤ + b`), or one column vector (`W x + b`), which says the program
    for a single sample.  scale_in: where a derivation puts the 1/N of a mean, in δ, or in the parameters' gradients
    (δ is then ∂(N L)/∂z).

    >>> Conventions(ties="split").ties
    'split'
    """

    relu_at_zero: str = "0"
    ties: str = "first"
    batch_loss: str = "mean"
    storage: str = "out_in"
    samples: str = "rows"
    scale_in: str = "delta"

    def __post_init__(self) -> None:
        for item in fields(self):
            value, valid = getattr(self, item.name), CHOICES[item.name]
            if value not in valid:
                raise LanguageError(f"convention {item.name} = {value!r} is unknown{nearest(value, valid)}")

    def sentences(self) -> tuple[str, ...]:
        """The conventions in words, for the printed derivation."""
        ties = "goes to the first hit" if self.ties == "first" else "is split evenly"
        storage = "out × in" if self.storage == "out_in" else "in × out"
        samples = "rows of a batch" if self.samples == "rows" else "one column vector"
        scale = ("1/N stands in the gradients of the parameters, not in δ",) * (self.scale_in == "gradient")
        return (f"relu′(0) = {self.relu_at_zero}", f"the cotangent of a tied maximum {ties}",
                f"the loss is the {self.batch_loss} over the batch" if self.samples == "rows" else "the loss is that of one sample",
                f"weight matrices are stored {storage}", f"samples are {samples}", *scale)
