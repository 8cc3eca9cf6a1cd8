"""Text comes out as text, whatever it holds; mathematics comes out well formed."""
from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from report_sample import HOSTILE, rich_report

from symbp.report.jsonout import to_json
from symbp.report.markdown import portable_math, to_markdown
from symbp.report.mathml import mathml
from symbp.report.model import Formula, Math, Paragraph, Ref, Report, Section, StepRow, Steps, Table
from symbp.report.page import to_html
from symbp.report.tex import to_tex
from symbp.report.texchars import pdf_string, tex_math, tex_text
from symbp.report.text import anchor, visible

NASTY = st.text(st.one_of(st.sampled_from("\\{}$%&#_^~<>|\"'`-,*[]()!:;@/= \t\n\x00\u202e中😀é½²₂ﬁΣ∑"), st.characters()), max_size=60)
ALLOWED_IN_TEX = {"textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar", "textquotedbl",
                  "textasciigrave", "allowbreak", "codepoint", "ensuremath", "textsuperscript", "textsubscript", "mathbb"}


def titled(text: str) -> Report:
    """A report with the text in every place where text may stand."""
    items = (Paragraph((text, Math("x"), text)), Formula("x = y", "1", (text,)),
             Steps((StepRow(text, text, "a", "b", (text,), (text,)),)), Table((text,), ((text,),)))
    return Report(text, text, (Section(text, items), Section(text, (), 2)), {"key": text})


class Reader(HTMLParser):
    """The text, the tags and the attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        self.texts[-1:] = [(self.texts or [""])[-1] + data]


def squeezed(text: str) -> str:
    return " ".join(text.split())


@given(NASTY)
@settings(max_examples=150, deadline=None)
def test_html_shows_the_text_and_nothing_else(text: str) -> None:
    plain, nasty = Reader(to_html(titled("x"))), Reader(to_html(titled(text)))
    shown = [squeezed(t) for t in nasty.texts]
    assert squeezed(visible(text)) in shown
    assert {tag for tag in nasty.tags if tag != "small"} <= set(plain.tags)
    assert {name for name, _ in nasty.attributes} <= {name for name, _ in plain.attributes}


@given(NASTY)
@settings(max_examples=300, deadline=None)
def test_tex_text_holds_no_command_of_the_user(text: str) -> None:
    source = tex_text(text)
    commands = re.findall(r"\\([A-Za-z]+)", re.sub(r"\\ensuremath\{[^}]*\}+", "", source))
    assert set(commands) <= ALLOWED_IN_TEX
    assert not re.search(r"(?<!\\)[%$&#_^]", re.sub(r"\\ensuremath\{[^}]*\}+", "", source))
    assert "\n" not in source and source.count("{") - source.count(r"\{") == source.count("}") - source.count(r"\}")


@given(NASTY)
@settings(max_examples=300, deadline=None)
def test_the_outline_of_the_pdf_is_plain(text: str) -> None:
    assert re.fullmatch(r"([^\\{}%#&_^~$]|\\[%#&_])*", pdf_string(text))


@given(NASTY)
@settings(max_examples=200, deadline=None)
def test_markdown_shows_the_text(text: str) -> None:
    document = to_markdown(Report(text, "", (Section("s", (Paragraph((text,)), Table((text,), ((text,),)))),)))
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(document)
    inline = [token for token in tokens if token.type == "inline"]
    wanted = squeezed(visible(text))
    for token in (inline[0], *inline[2:5]) if wanted else ():
        kinds = {child.type for child in token.children or ()}
        assert kinds <= {"text", "text_special", "html_inline"}
        shown = "".join(child.content for child in token.children or () if child.type != "html_inline")
        assert squeezed(shown) == wanted


@given(NASTY)
def test_json_keeps_the_text(text: str) -> None:
    read = json.loads(to_json(titled(text)))
    assert read["title"] == text
    assert read["sections"][0]["items"][0]["parts"] == [text, {"latex": "x"}, text]


@given(NASTY)
def test_anchors_are_plain_and_visible_text_is_one_line(text: str) -> None:
    assert re.fullmatch(r"eq-[0-9A-Za-z-]+", anchor("eq", text))
    assert visible(visible(text)) == visible(text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2028]", visible(text))


LATEX = [item.latex for section in rich_report().sections for item in section.items if isinstance(item, Formula)]


@pytest.mark.parametrize("latex", [*LATEX, r"\begin{aligned} a &= b \\ &= c \end{aligned}", r"\mathbf{x}^{\top} \mathbb{R}", r"\frac{1",
                                   "a & b", r"\unknown{x}", "}", "x < y", r"\text{<script>}"])
@pytest.mark.parametrize("display", [True, False])
def test_mathml_is_well_formed(latex: str, display: bool) -> None:
    root = ET.fromstring(mathml(latex, display))
    assert root.tag in ("math", "code")
    assert not any("script" in element.tag for element in root.iter())


@given(NASTY)
@settings(max_examples=200, deadline=None)
def test_mathml_is_well_formed_for_anything(latex: str) -> None:
    assert ET.fromstring(mathml(visible(latex))).tag in ("math", "code")


def test_mathml_keeps_what_browsers_do_not_know() -> None:
    assert "𝜹" in mathml(r"\boldsymbol{\delta}")
    assert "ℝ" in mathml(r"\mathbb{R}")
    assert "<mo>:=</mo>" in mathml(r"W := W - \alpha", True)
    assert "<munder>" in mathml(r"\operatorname*{arg\,max}_{u} x", True)
    assert mathml(r"\begin{aligned} a &= b \\ &= c \end{aligned}", True).count("<mtr>") == 2
    assert 'form="prefix">−' in mathml("a = -b")


@pytest.mark.parametrize("latex", [*LATEX, r"\left[x\right](y) x_{a}}_{b} \{c\}\, \\ *d* e_f_ \|z\| <i>"])
def test_markdown_leaves_formulas_alone(latex: str) -> None:
    portable = portable_math(latex).strip()
    inline = MarkdownIt("gfm-like", {"linkify": False}).parse(f"$$\n{portable}\n$$")[1]
    assert {child.type for child in inline.children or ()} <= {"text", "softbreak"}
    assert inline.content == f"$$\n{portable}\n$$"
    assert "".join(child.content for child in inline.children or ()) == f"$${portable}$$"


def test_what_markdown_cannot_keep_goes_into_a_fence() -> None:
    report = Report("t", "", (Section("s", (Formula(r"\mathrm{a\_b} = 1"), Paragraph((Math(r"\mathrm{a\_b}"),)))),))
    assert "```math\n\\mathrm{a\\_b} = 1\n```" in to_markdown(report)
    assert "$`\\mathrm{a\\_b}`$" in to_markdown(report)


def test_mathematics_in_tex_is_one_line_without_comments() -> None:
    assert tex_math("a % b\n\n c") == r"a \% b c"
    assert tex_math("σ 中") == r"\sigma  \text{\codepoint{4E2D}}"
    assert tex_math(r"5\% \\% x") == r"5\% \\\% x"


def test_references_link_to_numbers_that_exist() -> None:
    report = Report("t", "", (Section("s", (Paragraph((Ref("1"), Ref("2"))), Formula("x", "1"))),))
    assert r"\hyperref[eq-1]{(1)}(2)" in to_tex(report)
    assert '<a href="#eq-1">(1)</a>(2)' in to_html(report) and 'id="eq-1"' in to_html(report)


def test_the_page_needs_no_network_and_no_script() -> None:
    page = to_html(rich_report())
    read = Reader(page)
    assert not re.search(r"https?://", re.sub(r'xmlns="[^"]*"', "", page))
    assert "script" not in read.tags and "link" not in read.tags
    assert all(value is None or value.startswith("#") for name, value in read.attributes if name in ("href", "src"))
    assert squeezed(visible(HOSTILE)) in [squeezed(text) for text in read.texts]
