"""What the README and the pages show works: network files, commands, Python."""
from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

import symbp as sb
from symbp.cli import main
from symbp.verify.claimfile import parse as parse_claims
from symbp.verify.verdict import verdicts

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "examples" / "README.md", *(ROOT / "docs").glob("*.md")])


def fenced(language: str) -> list[str]:
    """The blocks of a language on all pages."""
    return [block for page in PAGES for block in re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)]


def commands() -> list[str]:
    """Every `symbp …` line that names its input; `NET` stands for one."""
    lines = [line.strip().removeprefix("$ ") for page in PAGES for line in page.read_text(encoding="utf-8").splitlines()
             if re.match(r"(    |\$ )symbp (derive|check)", line)]
    return sorted({line for line in lines if " NET" not in line})


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_python_on_the_pages(page: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    assert doctest.testfile(str(page), module_relative=False).failed == 0


@pytest.mark.parametrize("text", fenced("toml"))
def test_network_files_on_the_pages_derive(text: str):
    if "[[claims]]" in text:
        said = [v.verdict for v in verdicts(parse_claims(text), run_code=True)]
        assert said.count("right-if") == text.count("# right-if") and said.count("right") == len(said) - text.count("# right-if")
        return
    if text.startswith("[[layers]]"):
        text = f'name = "page"\ninput = {{ shape = [3] }}\ntarget = {{ shape = [64] }}\nloss = {{ type = "squared_error" }}\n{text}'
    assert sb.derive(sb.parse(text)).wrt


@pytest.mark.parametrize("line", commands())
def test_commands_on_the_pages_work(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(ROOT)
    words = shlex.split(line)[1:]
    output = [] if words[0] == "check" else ["--out", str(tmp_path)] + ([] if "--format" in words else ["--format", "html,tex"])
    assert main([*words, *output]) == 0
    assert capsys.readouterr().out


def test_there_are_examples_of_each():
    assert len(fenced("toml")) > 1
    assert len(commands()) > 3
    assert ">>>" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
