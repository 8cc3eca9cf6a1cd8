"""The letters of a network: which symbols a text uses for its loss, weights, pre-activations and so on."""
from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from symbp.settings import NetworkError, Settings, quoted

GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa", "lambda", "mu",
    "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "varphi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda",
    "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega", "ell")
RESERVED = {"n": "the index of samples", "N": "the number of samples", "l": "the index of layers"}


def _symbol(text: str) -> str:
    """Letters, or one TeX command of the list `GREEK`; anything else could break the document."""
    bare = text.removeprefix("\\")
    if text.startswith("\\") and bare not in GREEK or not (bare.isascii() and bare.isalpha()):
        raise ValueError(f"not a symbol; write letters, or a Greek letter such as {quoted(chr(92) + 'theta')}")
    if bare in RESERVED:
        raise ValueError(f"this letter is {RESERVED[bare]}; take another")
    return bare


Symbol = Annotated[str, Field(max_length=20), AfterValidator(_symbol)]


class Notation(Settings):
    r"""A text's symbols.  A symbol is letters (`w`) or a Greek letter (`\theta`), kept without its backslash.

    first_layer: the number of the first layer with parameters (texts that count the input as layer 1 write 2).
    numbered: whether layers carry numbers at all; a text about a single layer writes W, not W^{(1)}.

    >>> Notation(loss="J", weights=r"\theta").weights
    'theta'
    """

    loss: Symbol = "L"
    weights: Symbol = "W"
    bias: Symbol = "b"
    preactivation: Symbol = "z"
    activation: Symbol = "a"
    cotangent: Symbol = "delta"
    input: Symbol = "x"
    target: Symbol | None = None
    learning_rate: Symbol = "alpha"
    first_layer: Annotated[int, Field(ge=0, le=1000)] = 1
    numbered: bool = True

    def model_post_init(self, _context: object) -> None:
        """Refuse two meanings for one symbol."""
        seen: dict[str, str] = {}
        for key in ("loss", "weights", "bias", "preactivation", "activation", "input", "target", "learning_rate"):
            value = getattr(self, key)
            if value is not None and seen.setdefault(value, key) != key:
                raise NetworkError(f"the {seen[value]} and the {key} have the same symbol {quoted(value)}; give one of them another")

    @property
    def letters(self) -> frozenset[str]:
        """Every symbol in use, so that no index takes it."""
        return frozenset(v for k, v in self if isinstance(v, str))


def tex(name: str) -> str:
    r"""A name as a LaTeX symbol that can carry further subscripts and superscripts.

    >>> tex("W"), tex("theta"), tex("V_out")
    ('W', '\\theta', '{V_{out}}')
    """
    from symbp.printing.latex import name_latex
    text = name_latex(name)
    return f"{{{text}}}" if "_" in text else text
