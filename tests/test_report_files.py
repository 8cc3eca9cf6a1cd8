"""Files: golden documents, PDF, errors of TeX, folders that cannot be written."""
from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from report_sample import HOSTILE, rich_report, text_of

from symbp import resources
from symbp.errors import SymbpError
from symbp.report import compile as compiling
from symbp.report import files
from symbp.report.compile import compile_tex, first_error
from symbp.report.jsonout import to_json
from symbp.report.markdown import to_markdown
from symbp.report.model import Formula, Math, Paragraph, Report, Section, StepRow, Steps, Table
from symbp.report.page import to_html
from symbp.report.tex import to_tex
from symbp.report.write import write
from symbp.resources import templates_dir

SMALL = Report("A small report", "", (Section("One", (Paragraph(("Text with ", Math("x"))), Formula("x = 1", "1"))),))


def document(body: str) -> str:
    return f"\\documentclass{{article}}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"


@pytest.mark.parametrize(("suffix", "render"), [("tex", to_tex), ("html", to_html), ("md", to_markdown), ("json", to_json)])
def test_golden(suffix: str, render: Callable[[Report], str], golden: Callable[[str, str], None]) -> None:
    golden(f"report/sample.{suffix}", render(rich_report()))


def test_the_templates_are_found() -> None:
    assert (templates_dir() / "report.html.j2").is_file()


def test_the_templates_of_an_installed_wheel_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "__file__", str(tmp_path / "symbp" / "resources.py"))
    with pytest.raises(SymbpError, match="install symbp again"):
        templates_dir()
    (tmp_path / "symbp" / "templates").mkdir(parents=True)
    assert templates_dir() == tmp_path.resolve() / "symbp" / "templates"


def test_all_formats_but_pdf(tmp_path: Path) -> None:
    written = write(SMALL, tmp_path, "small", ("html", "tex", "md", "json"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.html", "small.json", "small.md", "small.tex"]
    assert written.messages == () and all(path and path.stat().st_size for path in written.files.values())


def test_without_tex_the_rest_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "tex_available", lambda: False)
    written = write(SMALL, tmp_path, "small")
    assert written.files["pdf"] is None and (tmp_path / "small.html").is_file()
    assert len(written.messages) == 1 and "lmodern latexmk" in written.messages[0] and "\n" not in written.messages[0]


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SymbpError, match="nowhere"):
        write(SMALL, tmp_path / "nowhere", "small")
    with pytest.raises(SymbpError, match="docx"):
        write(SMALL, tmp_path, "small", ("docx",))
    with pytest.raises(SymbpError, match="name of a file"):
        write(SMALL, tmp_path, "../small", ("md",))
    (tmp_path / "taken.md").mkdir()
    with pytest.raises(SymbpError, match=str(tmp_path)):
        write(SMALL, tmp_path, "taken", ("md",))
    assert [path.name for path in tmp_path.iterdir()] == ["taken.md"]


def test_a_read_only_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "open", refuse, raising=False)
    with pytest.raises(SymbpError, match=rf"{tmp_path}.*Permission denied"):
        write(SMALL, tmp_path, "small", ("md",))


@pytest.mark.needs_tex
def test_the_rich_report_as_pdf(tmp_path: Path) -> None:
    result = compile_tex(to_tex(rich_report()), tmp_path / "r.pdf")
    text = text_of(tmp_path / "r.pdf")
    assert result.overfull == ()
    assert "Backpropagation through a small convolutional" in text and "derivative of softmax" in text
    assert r"\input{/etc/passwd} 100% of $x_1$ & #2 <script>" in " ".join(text.split())
    assert "[U+4E2D]" in text and "(BP2)" in text and "root:" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["r.pdf"]


@pytest.mark.needs_tex
def test_every_character_that_is_printed_as_itself_compiles(tmp_path: Path) -> None:
    from symbp.report.texchars import _LATIN, _PLAIN, MATH

    characters = [*_PLAIN, *map(chr, sorted(_LATIN)), *MATH, *map(chr, range(32, 127)), *"₀₁ⁿﬁ①Ａ中😀\u0301\ue000\ud800'' -- ,,"]
    math = Formula("x" + "{}".join(MATH))
    section = Section(HOSTILE, (Paragraph(tuple(f"{c} " for c in characters)), math))
    compile_tex(to_tex(Report(HOSTILE, HOSTILE, (section,))), tmp_path / "c.pdf")
    assert "É" in text_of(tmp_path / "c.pdf")


@pytest.mark.needs_tex
def test_long_tables_and_long_chains_break_across_pages(tmp_path: Path) -> None:
    words = "a description of some length, which wraps at the margin " * 2
    table = Table(("name", "what it is"), tuple((f"row {i}", words) for i in range(60)))
    steps = Steps(tuple(StepRow(str(i), "a rule", f"x_{{{i}}}", f"x_{{{i + 1}}}") for i in range(60)))
    result = compile_tex(to_tex(Report("Long", "", (Section("s", (table, steps)),))), tmp_path / "l.pdf")
    text = text_of(tmp_path / "l.pdf")
    assert text.count("\f") >= 4 and text.count("what it is") >= 3 and "row 59" in text
    assert result.overfull == ()


@pytest.mark.needs_tex
@pytest.mark.parametrize("latexmk", [True, False])
def test_an_error_of_tex_names_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, latexmk: bool) -> None:
    if not latexmk:
        which = shutil.which
        monkeypatch.setattr(compiling.shutil, "which", lambda name: None if name == "latexmk" else which(name))
    with pytest.raises(SymbpError) as caught:
        compile_tex(document("fine\n% 中文 before\n" + "long " * 40 + r"\nosuchthing{中文}"), tmp_path / "e.pdf")
    message = str(caught.value)
    assert "Undefined control sequence" in message and r"\nosuchthing" in message and "line 5" in message and "\n" not in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.needs_tex
def test_references_are_resolved_without_latexmk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(compiling.shutil, "which", lambda name: None if name == "latexmk" else which(name))
    compile_tex(document(r"See \ref{a}. \section{A}\label{a}"), tmp_path / "p.pdf")
    assert "See 1." in text_of(tmp_path / "p.pdf")


@pytest.mark.needs_tex
def test_a_document_that_never_ends_is_stopped(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(SymbpError, match="2 seconds"):
        compile_tex(document(r"\def\x{\x}\x"), tmp_path / "t.pdf", time_limit=2)
    assert time.monotonic() - start < 10


@pytest.mark.needs_tex
@pytest.mark.parametrize("body", [r"\immediate\write18{touch PWNED}", r"\input{|touch PWNED}", r"\input{/etc/passwd}",
                                  r"\newwrite\w\immediate\openout\w=PWNED \immediate\write\w{x}"])
def test_no_shell_and_no_files_elsewhere(tmp_path: Path, body: str) -> None:
    mark = tmp_path / "PWNED"
    try:
        compile_tex(document("x" + body.replace("PWNED", str(mark))), tmp_path / "s.pdf")
        assert "root:" not in text_of(tmp_path / "s.pdf")
    except SymbpError:
        pass
    assert not mark.exists()


def test_the_first_error_of_a_log() -> None:
    log = "junk\n./document.tex:2: Missing $ inserted.\n<inserted text>\nl.2 a_\n./document.tex:3: Second.\n"
    assert first_error(log, "one\na_b 中\nthree") == "TeX could not set the report: Missing $ inserted, in line 2 of the source: a_b 中"
    assert first_error("! Emergency stop.\n", "") == "TeX could not set the report: Emergency stop"
    assert "no error message" in first_error("", "")
