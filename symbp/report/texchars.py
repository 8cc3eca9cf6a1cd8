"""Characters in TeX: text and mathematics that pdflatex sets with T1 fonts and nothing else.

What Latin Modern has no glyph for (Chinese, emoji, …) is printed as its code point, `U+4E2D`: real
glyphs would need the Debian packages `texlive-lang-cjk` or `texlive-xetex`, and a report must
compile without them.
"""
from __future__ import annotations

import re
import unicodedata

from symbp.report.text import code_point, visible

_SPECIAL = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "%": r"\%", "&": r"\&", "#": r"\#", "_": r"\_\allowbreak{}",
            "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
            '"': r"\textquotedbl{}", "`": r"\textasciigrave{}",
            "/": r"/\allowbreak{}", "\u00a0": "~", "\u2019": "'"}
_GREEK = ("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho varsigma sigma tau upsilon "
          "varphi chi psi omega")
_SYMBOLS = {
    "∑": r"\sum", "∏": r"\prod", "∫": r"\int", "∂": r"\partial", "∇": r"\nabla", "√": r"\surd", "∞": r"\infty", "∈": r"\in",
    "∉": r"\notin", "∅": r"\emptyset", "∀": r"\forall", "∃": r"\exists", "≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "≈": r"\approx",
    "≡": r"\equiv", "∝": r"\propto", "∼": r"\sim", "⊂": r"\subset", "⊆": r"\subseteq", "∪": r"\cup", "∩": r"\cap", "∧": r"\wedge",
    "∨": r"\vee", "¬": r"\neg", "⊙": r"\odot", "⊗": r"\otimes", "⊕": r"\oplus", "⊤": r"\top", "⊥": r"\perp", "∘": r"\circ",
    "∗": r"\ast", "⋅": r"\cdot", "·": r"\cdot", "×": r"\times", "÷": r"\div", "±": r"\pm", "∓": r"\mp", "−": "-", "→": r"\to",
    "←": r"\leftarrow", "↔": r"\leftrightarrow", "⇒": r"\Rightarrow", "⇔": r"\Leftrightarrow", "↦": r"\mapsto", "↑": r"\uparrow",
    "↓": r"\downarrow", "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil", "⟨": r"\langle", "⟩": r"\rangle",
    "ℓ": r"\ell", "ℝ": r"\mathbb{R}", "ℕ": r"\mathbb{N}", "ℤ": r"\mathbb{Z}", "′": "'", "″": "''", "∣": r"\mid", "‖": r"\|",
    "⋯": r"\cdots", "…": r"\ldots", "ϵ": r"\epsilon", "ε": r"\varepsilon", "φ": r"\varphi", "ϕ": r"\phi", "ϑ": r"\vartheta",
}
_CAPITALS = {"Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi",
             "Ω": "Omega", "Υ": "Upsilon"}
MATH = ({chr(0x3B1 + i): "\\" + name for i, name in enumerate(_GREEK.split()) if name not in ("omicron", "epsilon", "varphi")}
        | {character: "\\" + name for character, name in _CAPITALS.items()} | _SYMBOLS)
"""LaTeX mathematics for characters that occur in formulas written as text."""

_PLAIN = set("¡¢£¤¥¦§¨©ª«¬®¯°±²³´¶¹º»¼½¾¿–—‘“”„‚•†‡‰€™№℃")
_LATIN = (set(range(0xC0, 0x17F)) - {0x126, 0x127, 0x138, 0x13F, 0x140, 0x149, 0x166, 0x167, 0xD7, 0xF7}) | set(range(0x218, 0x21C))


def tex_text(text: str) -> str:
    """Return text as TeX that prints that text; never a command, never an error."""
    separated = re.sub(r"([-,'])(?=\1)", r"\1{}", "".join(_character(c) for c in visible(text)))
    return separated.replace("][", r"]\allowbreak{}[")


def tex_math(latex: str) -> str:
    """Return LaTeX mathematics fit for a display: on one line, comments and foreign characters made harmless."""
    one_line = re.sub(r"(?<!\\)((?:\\\\)*)%", r"\1\\%", " ".join(latex.split()))
    return "".join(c if " " <= c < "\x7f" else _foreign_math(c) for c in one_line)


def pdf_string(text: str) -> str:
    """Return text for the PDF's own title or outline: characters of ASCII and Latin-1 only, escaped for TeX.

    >>> pdf_string("50% {a}")
    '50\\\\% (a)'
    """
    plain = visible(text).translate(str.maketrans({"{": "(", "}": ")", "\\": "/", "^": " ", "~": " ", "$": " ", "∂": "d"}))
    return "".join(re.sub(r"([%#&_])", r"\\\1", c) if " " <= c < "\x7f" else c if c in "äöüÄÖÜßéèêáàâçñ" else code_point(c)
                   for c in plain)


def _character(c: str) -> str:
    """One character of text."""
    if c in _SPECIAL:
        return _SPECIAL[c]
    if " " <= c < "\x7f" or c in _PLAIN or ord(c) in _LATIN:
        return c
    if c in MATH:
        return rf"\ensuremath{{{MATH[c]}}}"
    return _substitute(c)


def _substitute(c: str) -> str:
    """A compatible spelling (ﬁ → fi, ₂ → subscript 2, Ａ → A), or the code point."""
    decomposition = unicodedata.decomposition(c)
    plain = unicodedata.normalize("NFKD", c)
    if decomposition.startswith("<") and plain != c and all(" " <= p < "\x7f" or p in MATH for p in plain):
        inner = "".join(_character(p) for p in plain)
        command = {"<super>": "textsuperscript", "<sub>": "textsubscript"}.get(decomposition.split()[0])
        return rf"\{command}{{{inner}}}" if command else inner
    return rf"\codepoint{{{ord(c):04X}}}"


def _foreign_math(c: str) -> str:
    """One character outside ASCII in mathematics."""
    if c in MATH:
        return MATH[c] + " "
    return rf"\text{{{_character(c)}}}" if c.isprintable() else rf"\text{{\codepoint{{{ord(c):04X}}}}}"
