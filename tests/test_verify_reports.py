"""Verdicts as a table, a document and JSON; bad files; texts that want to break the report."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
from report_sample import HOSTILE

from symbp.cli import main
from symbp.report.model import Math
from symbp.verify.quoting import quoted

ROOT = Path(__file__).parents[1]
SEED = str(ROOT / "examples" / "claims" / "seed-002-4.4.toml")
GOOD = ('title = "good"\n[network]\nequations = ["q = x + y"]\n[values]\nx = 1\ny = 2\n'
        '[[claims]]\nof = "q"\nvalue = "3"\n')


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_the_first_mistake_stands_above_the_table(capsys: pytest.CaptureFixture[str]):
    """By hand: σ(0.67) = 1/(1 + e^-0.67) = 1/1.51171 = 0.66150."""
    assert main(["verify", SEED]) == 1
    out = capsys.readouterr().out
    assert out.index("The first mistake: a2[1] is printed as 0.6627, but it is 0.6615") < out.index("the text says") < out.index("49 claims")
    assert "\x1b" not in out and "On a3 hangs J." in out


@pytest.mark.parametrize("columns", [30, 60, 200])
def test_a_narrow_terminal_shows_every_word(columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["verify", SEED]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns and "0.6615" in "".join(lines)


def test_a_document_quotes_corrects_and_derives(tmp_path: Path):
    """Each kind of part that an author needs is there, in Markdown and in HTML without anything from outside."""
    paths = {kind: tmp_path / f"a.{kind}" for kind in ("md", "html", "tex", "json", "text")}
    for kind, path in paths.items():
        assert main(["verify", SEED, "--format", kind, "--out", str(path)]) == 1
    text = paths["md"].read_text(encoding="utf-8")
    for part in ("The first mistake", "The text prints delta3 = -0.0384", "It is -0.0203, by (6)", "*chain rule*", "What is assumed", "from a3"):
        assert part in text, part
    page = paths["html"].read_text(encoding="utf-8")
    assert "<math" in page and "src=" not in page and "http" not in page.replace("http://www.w3.org", "")
    assert json.loads(paths["json"].read_text(encoding="utf-8"))[0]["first_mistake"] == "a2[1]"


def test_each_case_has_its_own_derivations(tmp_path: Path):
    """By hand: d(x²)/dx = 6 and d(x³)/dx = 27 at 3; both claims are wrong, and each is shown by the line of its own network."""
    case = ('[[cases]]\nname = "the {0}"\n[cases.network]\nequations = ["y = x^{1}"]\n[cases.values]\nx = 3\n'
            '[[cases.claims]]\nid = "c"\nof = "dy/dx"\nvalue = "5"\n')
    path, out = tmp_path / "two.toml", tmp_path / "two.md"
    path.write_text(case.format("square", 2) + case.format("cube", 3), encoding="utf-8")
    assert main(["verify", str(path), "--format", "md", "--out", str(out)]) == 1
    text = out.read_text(encoding="utf-8")
    said = [line for line in text.splitlines() if line.startswith("It is ")]
    assert [line.split(",")[0] for line in said] == ["It is 6", "It is 27"] and len(set(said)) == 2 and all("by (" in line for line in said)
    assert all(f"The derivations: the {name}" in text and f"The equations: the {name}" in text for name in ("square", "cube"))


def test_errata_leave_out_what_is_right(good: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["verify", SEED, str(good), "--format", "md", "--errata"]) == 1
    out = capsys.readouterr().out
    assert "| good | 1 claim: 1 right |" in out and "## good" not in out and "## seed 002" in out and "What is right" not in out


BAD = {"not toml": (b"title = ", "not TOML"), "not utf-8": (b"\xff\xfe", "not UTF-8"), "unknown key": (b'titel = "a"\n' + GOOD.encode(), '"title"'),
       "deep": (b"x = " + b"[" * 50_000, "nested too deeply"), "keys": (b"a." * 50_000 + b"a = 1", "more than 40 parts"),
       "huge": (b"#" * 1_000_001, "larger than"), "empty": (b"", "empty"), "no claims": (b'[network]\nequations = ["q = x"]\n[values]\nx = 1', "no claims"),
       "digits": (b"x = " + b"9" * 900_000, "not TOML"), "kind": (GOOD.encode() + b'[[not_judged]]\nid = "a"\nkind = "wrong"\nsays = ""', "kind"),
       "claims": (GOOD.replace("[[claims]]", "[claims]").encode(), "[[claims]]"), "values": (b"values = 3\n[network]\nequations = []", "[values]")}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_paragraph_and_the_others_are_judged(name: str, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    raw, says = BAD[name]
    (tmp_path / "bad.toml").write_bytes(raw)
    assert main(["verify", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("symbp: ") and err.count("\n") == 1 and says in err and "bad.toml" in err, err
    assert "1 claim: 1 right" in out and "could not be read" in out


@pytest.mark.parametrize(("names", "says"), [(["nowhere.toml"], "cannot read the claim file"), (["\0"], "no file name"), (["."], "no claim file")])
def test_files_that_there_are_not(names: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                  capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    assert main(["verify", *names]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.needs_tex
def test_a_hostile_text_is_shown_and_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Escape sequences, markup, TeX and HTML in every place that a claim file has."""
    hostile = HOSTILE.replace("\x07", "").replace("\x00", "") + " [red]x[/red] \x1b[31m"
    word = json.dumps(hostile, ensure_ascii=False)
    path = tmp_path / "hostile.toml"
    path.write_text(f'title = {word}\nsource = {word}\n[network]\nequations = ["q = x"]\n[values]\nx = 1\n[[claims]]\nid = {word}\nof = "q"\n'
                    f'value = "2"\nwhere = {word}\n[[claims]]\nof = {word}\nvalue = {word}\n[[claims]]\nid = "f"\nformula = {word}\n'
                    f'[[claims]]\nformula = {json.dumps(chr(92) + "write18{x} = q")}\n'
                    f'[[not_judged]]\nid = {word[:70]}"\nkind = "other"\nsays = {word}\n', encoding="utf-8")
    out = {}
    for kind in ("text", "md", "html", "tex"):
        assert main(["verify", str(path), "--format", kind]) == 1
        out[kind] = capsys.readouterr().out
    assert not any("\x1b" in text for text in out.values()) and "[red]x[/red]" in out["text"] and "[U+001B]" in out["text"]
    assert "<script>" not in out["html"] and r"\input{" not in out["tex"] and r"\write18" not in out["tex"]
    assert main(["verify", str(path), "--format", "pdf", "--out", str(tmp_path / "a.pdf")]) == 1
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.needs_tex
@pytest.mark.parametrize("formula", [r"w^{(3)}^T x = x'^2 + x^2'", r"a_{i}_j^2_k = \sigma''(z)", r"\frac{\partial J}{\partial w} = w^{a^b^c}^d",
                                     r"f = \begin{cases} 1 & x > 0 \\ 0 & x \le 0 \end{cases}", r"W_new := W_old - \alpha \nabla_W L",
                                     r"y = \mathrm{softmax}(z)", "∂J/∂w = δ ⊙ xᵀ²", r"\left( x \right)^2 = 1"])
def test_what_is_quoted_as_mathematics_compiles(formula: str, tmp_path: Path):
    from symbp.report.compile import compile_tex
    from symbp.report.model import Formula, Report, Section
    from symbp.report.tex import to_tex
    shown = quoted(formula)
    assert isinstance(shown, Math)
    assert compile_tex(to_tex(Report("a", sections=(Section("b", (Formula(shown.latex),)),))), tmp_path / "a.pdf").pdf


@pytest.mark.parametrize("formula", [r"\input{x}", r"a^", r"\frac{a}", "a & b", r"\text{a_b}", r"\begin{cases} 1", "{x", "x}", r"\left( x", "a % b", "#1", "",
                                     r"\frac \alpha", "x" * 1000, r"\begin{verbatim} x \end{verbatim}", "\\", r"x_", r"x^^y"])
def test_what_tex_might_not_set_is_quoted_as_text(formula: str):
    assert isinstance(quoted(formula), str)
