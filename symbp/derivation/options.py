"""The reader's choices for a derivation."""
from __future__ import annotations

from dataclasses import dataclass

from symbp.errors import LanguageError
from symbp.suggest import nearest


@dataclass(frozen=True)
class Options:
    """The reader's choices.

    activation_derivatives: "kept" prints σ'(z), "folded" prints a(1 − a), "auto" folds where that is shorter.
    facts: "used" or "ignored".  keep: the tensors that may appear; None lets the shortest form win.
    """

    activation_derivatives: str = "auto"
    facts: str = "used"
    keep: frozenset[str] | None = None

    def __post_init__(self) -> None:
        for name, valid in (("activation_derivatives", ("auto", "folded", "kept")), ("facts", ("used", "ignored"))):
            if getattr(self, name) not in valid:
                raise LanguageError(f"{name} = {getattr(self, name)!r} is unknown{nearest(getattr(self, name), valid)}")
