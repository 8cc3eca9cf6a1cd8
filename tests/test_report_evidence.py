"""The evidence in a document: what each rung of the ladder said of each gradient, in every format, and a failure on top."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from report_sample import text_of

import symbp as sb
from symbp.certify import ladder, torch
from symbp.certify.result import FAILED, INDEPENDENT, NOT_RUN, PASSED, RUNGS, CheckReport, GradientCertificate, RungResult
from symbp.cli import main
from symbp.derivation import Derivation
from symbp.report.evidence import evidence_table, evidence_warning, scientific, silent
from symbp.report.jsonout import to_json
from symbp.report.markdown import to_markdown
from symbp.report.model import Evidence, EvidenceRow
from symbp.report.page import to_html
from symbp.report.tex import to_tex

FORMULA = "sum(i, w[i]*x[i])^2"
EXAMPLE = Path(__file__).parent.parent / "examples" / "softmax_classifier.toml"
RENDERERS = {"tex": to_tex, "html": to_html, "md": to_markdown, "json": to_json}


@pytest.fixture(scope="module")
def derivation() -> Derivation:
    return sb.derive(FORMULA, wrt="w")


def broken(certificate: CheckReport) -> CheckReport:
    """The certificate with the differences of its first gradient failed."""
    first, *rest = certificate.gradients
    rungs = tuple(RungResult("differences", FAILED, 0.0123, "far off") if r.rung == "differences" else r for r in first.rungs)
    return replace(certificate, gradients=(replace(first, rungs=rungs), *rest))


@pytest.mark.parametrize("suffix", RENDERERS)
def test_every_format_says_which_rungs_were_passed(derivation: Derivation, suffix: str) -> None:
    text = RENDERERS[suffix](derivation.report(derivation.check()))
    assert "Evidence" in text and "differences" in text and "passed" in text
    assert "NOT certified" not in text and "FAILED" not in text
    assert "Evidence" not in RENDERERS[suffix](derivation.report())


@pytest.mark.parametrize("suffix", RENDERERS)
def test_a_failure_stands_before_everything_else(derivation: Derivation, suffix: str) -> None:
    text = RENDERERS[suffix](derivation.report(broken(derivation.check())))
    assert "FAILED" in text and "far off" in text
    if suffix != "json":
        assert text.index("These gradients are NOT certified.") < text.rindex("What is given") < text.rindex("FAILED")
    else:
        assert "FAILED" in "".join(p for p in json.loads(text)["warning"] if isinstance(p, str))


def test_json_has_every_figure(derivation: Derivation) -> None:
    certificate = derivation.check()
    sections = json.loads(to_json(derivation.report(certificate)))["sections"]
    (item,) = [i for s in sections for i in s["items"] if i["kind"] == "evidence"]
    assert [r["figure"] for r in item["rows"][0]["rungs"]] == [r.figure for r in certificate.gradients[0].rungs]


def test_without_torch_the_document_says_so(derivation: Derivation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "installed", lambda: False)
    assert "not run (PyTorch is not installed)" in to_markdown(derivation.report(derivation.check())).replace("\\", "")


@pytest.mark.needs_tex
@pytest.mark.parametrize("spoil", [False, True])
def test_the_evidence_as_pdf(derivation: Derivation, tmp_path: Path, spoil: bool) -> None:
    certificate = broken(derivation.check()) if spoil else derivation.check()
    assert derivation.write(tmp_path, ("pdf",), certificate=certificate).files["pdf"].is_file()
    text = text_of(tmp_path / "derivation.pdf")
    assert "Evidence" in text and ("Warning. These gradients are NOT certified." in " ".join(text.split())) is spoil


def test_the_rungs_are_described_once() -> None:
    report = sb.check(FORMULA, wrt="w")
    assert [r.rung for r in report.gradients[0].rungs] == list(RUNGS)
    assert set(INDEPENDENT) < set(RUNGS)


def test_a_rung_that_never_ran_has_no_column() -> None:
    missing = RungResult("independent", NOT_RUN, None, "PyTorch is not installed")
    said = {"W": RungResult("exact", PASSED, None, "3 of 3"), "b": RungResult("exact", NOT_RUN, None, "large")}
    rows = tuple(EvidenceRow(name, (result, missing)) for name, result in said.items())
    table = evidence_table(Evidence(rows))
    assert table.header == ("gradient", "exact")
    assert table.rows == (("W", "passed (3 of 3)"), ("b", "not run (large)"))
    assert silent(Evidence(rows), "independent") == "not run (PyTorch is not installed)"


def test_nothing_certain_is_a_warning() -> None:
    only = GradientCertificate("w", (RungResult("identity", PASSED, 0.0), RungResult("exact", NOT_RUN)))
    assert "NOT certified" in evidence_warning(CheckReport("L", 0, (only,)), str)[0]
    assert evidence_warning(CheckReport("L", 0, ()), str)


def test_figures_are_written_by_hand() -> None:
    assert [scientific(x) for x in (1.26e-16, 0.5, 12.0, float("inf"))] == ["1.3·10⁻¹⁶", "5.0·10⁻¹", "1.2·10¹", "inf"]


@pytest.mark.parametrize("source", [FORMULA, str(EXAMPLE)])
def test_derive_checks_unless_told_not_to(source: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["derive", source, "--out", str(tmp_path), "--format", "md"]) == 0
    assert "gradients checked: all hold" in capsys.readouterr().out
    (page,) = tmp_path.glob("*.md")
    assert "## Evidence" in page.read_text(encoding="utf-8")
    assert main(["derive", source, "--out", str(tmp_path), "--format", "md", "--no-check"]) == 0
    assert "checked" not in capsys.readouterr().out
    assert "## Evidence" not in page.read_text(encoding="utf-8")


def test_derive_with_a_failed_check_writes_and_is_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    check = ladder.check
    monkeypatch.setattr(ladder, "check", lambda *a, **k: broken(check(*a, **k)))
    assert main(["derive", FORMULA, "--out", str(tmp_path), "--format", "md,json", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["check"]["passed"] is False
    assert "> **Warning.** These gradients are NOT certified." in (tmp_path / "formula.md").read_text(encoding="utf-8")
    assert main(["derive", FORMULA, "--out", str(tmp_path), "--format", "md"]) == 1
    assert "NOT certified" in capsys.readouterr().out


def test_what_cannot_be_checked_is_refused_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                          capsys: pytest.CaptureFixture) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise sb.LanguageError("inputs cannot be drawn on x^3 == 2")

    monkeypatch.setattr(ladder, "check", refuse)
    assert main(["derive", FORMULA, "--out", str(tmp_path / "new"), "--format", "md"]) == 2
    assert "--no-check" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
