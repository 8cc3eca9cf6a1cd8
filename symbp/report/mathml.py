"""LaTeX → MathML Core, by latex2mathml and a few repairs.

Browsers read MathML Core, which knows no `mathvariant="bold"`, no `columnalign` and no named
spaces; and latex2mathml does not know every command.  The repairs turn both into what browsers
show.  A formula that cannot be converted is shown as its LaTeX.
"""
from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from functools import lru_cache
from html import escape
from itertools import pairwise

_SCRIPTED = ("msub", "msup", "msubsup", "munder", "mover", "munderover")
_STACKED = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
_LARGE = ("\u2211", "\u220f")
_LIMITS = {"max", "min", "lim", "sup", "inf", "arg\u2009max", "arg\u2009min", "argmax", "argmin"}
_TALL = {"mfrac", "munder", "mover", "munderover", "mtable", "msqrt", "mroot"}
_BEFORE = ((r"(?<=\\operatorname)(\*?)\{arg *(?:\\,|\\;|~|\\ ) *(max|min)\}", r"{arg \2}"),
           (r"\\begin\{aligned\}", r"\\begin{split}"), (r"\\end\{aligned\}", r"\\end{split}"),
           (r"\\operatorname\*?\{([^{}]*)\}", r"\\operatorname{\1}"), (r"\\arg(?![A-Za-z])", r"\\operatorname{arg}"),
           (r"\\negthinspace(?![A-Za-z])", r"\\!"), (r"\\coloneqq(?![A-Za-z])", ":="))
_RANGES = {  # mathvariant: first character of A–Z, a–z, 0–9, Α–Ω, α–ω
    "bold": (0x1D400, 0x1D41A, 0x1D7CE, 0x1D6A8, 0x1D6C2),
    "bold-italic": (0x1D468, 0x1D482, 0x1D7CE, 0x1D71C, 0x1D736),
    "double-struck": (0x1D538, 0x1D552, 0x1D7D8, None, None),
}
_STARTS = (("A", 26), ("a", 26), ("0", 10), ("Α", 25), ("α", 25))
_STRUCK = dict(zip("CHNPQRZ", "ℂℍℕℙℚℝℤ", strict=True))


@lru_cache(maxsize=4096)
def mathml(latex: str, display: bool = False) -> str:
    """Return a `<math>` element; where the LaTeX cannot be converted, a `<code>` element that shows it."""
    from latex2mathml.converter import convert

    prepared = " ".join(latex.split())
    for pattern, replacement in _BEFORE:
        prepared = re.sub(pattern, replacement, prepared)
    try:
        raw = convert(prepared, display="block" if display else "inline")
        root = ET.fromstring(re.sub(r' xmlns="[^"]*"', "", raw, count=1).replace("<mi>&</mi>", ""))
    except Exception:  # latex2mathml raises many kinds of errors; the formula must still be shown
        return f'<code class="latex">{escape(latex)}</code>'
    _repair(root, display)
    return ET.tostring(root, encoding="unicode")


def _repair(root: ET.Element, display: bool) -> None:
    """Mend the tree in place."""
    for element in root.iter():
        _assignment(element)
        _merge_letters(element)
        _alphabet(element)
        _attributes(element)
    for element in list(root.iter()):
        _operator_names(element, display)
    for element in root.iter():
        _spaces_around_names(element)
        _signs(element)
        _fences(element)


def _assignment(element: ET.Element) -> None:
    """`:=` is one operator."""
    for colon, equals in list(pairwise(element)):
        if (colon.text, equals.text) == (":", "="):
            colon.tag, colon.text = "mo", ":="
            element.remove(equals)


def _merge_letters(element: ET.Element) -> None:
    """Upright letters in a row are one name: `\\mathrm{relu}`."""
    children = list(element)
    if len(children) > 1 and all(c.tag == "mi" and c.get("mathvariant") == "normal" for c in children):
        children[0].text = "".join(c.text or "" for c in children)
        for child in children[1:]:
            element.remove(child)


def _alphabet(element: ET.Element) -> None:
    """Bold and double-struck letters are characters of their own."""
    variant = element.get("mathvariant")
    if variant not in _RANGES or not element.text:
        return
    element.text = "".join(_styled(c, variant) for c in element.text)
    del element.attrib["mathvariant"]


def _styled(character: str, variant: str) -> str:
    if variant == "double-struck" and character in _STRUCK:
        return _STRUCK[character]
    for (first, count), start in zip(_STARTS, _RANGES[variant], strict=True):
        if start is not None and 0 <= ord(character) - ord(first) < count:
            return chr(start + ord(character) - ord(first))
    return character


def _attributes(element: ET.Element) -> None:
    if element.get("width") == "negativethinmathspace":
        element.set("width", "-0.167em")
    side = element.attrib.pop("columnalign", None)
    if side:
        element.set("style", f"text-align: {side}")


def _signs(element: ET.Element) -> None:
    """A minus after another operator is a sign; a transpose or prime is a letter."""
    for before, this in pairwise(element):
        closing = before.get("form") == "postfix" or (before.text or "") in ")]}"
        if this.tag == "mo" and this.text in ("\u2212", "+") and before.tag == "mo" and not closing:
            this.set("form", "prefix")
    for child in element:
        if child.tag == "mo" and child.text in ("\u22a4", "\u22ba", "\u2032"):
            child.tag = "mi"


def _fences(element: ET.Element) -> None:
    """Brackets around what is not tall keep their size (browsers leave gaps beside brackets that may grow)."""
    fences = [child for child in element if child.get("fence") == "true" and not child.get("minsize")]
    if fences and not any(inner.tag in _TALL for inner in element.iter()):
        for fence in fences:
            fence.set("stretchy", "false")


def _name(element: ET.Element) -> str:
    """The operator name that an element is, or nothing."""
    text = "".join(element.itertext()).replace("\u00a0", " ").strip()
    return text if element.tag in ("mo", "mi") and re.fullmatch(r"[A-Za-z][A-Za-z \u2009]+", text) else ""


def _operator_names(element: ET.Element, display: bool) -> None:
    """Names such as log become identifiers; max and its like get their index below in displays."""
    large = element.tag in _STACKED and element[0].text in _LARGE
    if large or display and element.tag == "msub" and _name(element[0]) in _LIMITS:
        element.tag = _STACKED[element.tag]
    if _name(element):
        element.text, element.tag = re.sub(r"^arg ?(?=max|min)", "arg\u2009", _name(element)), "mi"
        for child in list(element):
            element.remove(child)


def _core(element: ET.Element) -> ET.Element:
    """What scripts are attached to, or the element itself."""
    return _core(element[0]) if element.tag in _SCRIPTED and len(element) else element


def _spaces_around_names(element: ET.Element) -> None:
    """A thin space after a name unless a bracket follows, and before it unless an operator precedes: 2 log x."""
    if element.tag not in ("mrow", "mtd", "math", "mstyle"):
        return
    for position in range(len(element) - 1, -1, -1):
        core = _core(element[position])
        if core.tag != "mi" or len(core.text or "") < 2 or core.get("mathvariant"):
            continue
        following = next(element[position + 1].itertext(), "") if position + 1 < len(element) else "("
        spaced = position + 1 < len(element) and element[position + 1].tag == "mspace"
        if not spaced and following not in ("(", "[", "{", ")", "]", ",", "=", "+", "\u2212"):
            element.insert(position + 1, ET.Element("mspace", width="0.167em"))
        if position and _core(element[position - 1]).tag not in ("mo", "mspace"):
            element.insert(position, ET.Element("mspace", width="0.167em"))
