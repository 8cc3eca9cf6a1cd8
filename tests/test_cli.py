"""The command line as a user runs it: exit codes, one paragraph for a mistake, files whole or not at all."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from symbp.cli import main

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "softmax_classifier.toml"


def symbp(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
    """Run the command in a process of its own."""
    return subprocess.run([sys.executable, "-m", "symbp", *map(str, arguments)], capture_output=True, encoding="utf-8", errors="replace",
                          cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, timeout=120, check=False)


def refused(*arguments: object, cwd: Path | None = None) -> str:
    """Run a command that is the user's mistake; answers its one paragraph."""
    done = symbp(*arguments, cwd=cwd)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("symbp: ")
    assert done.stderr.count("\n") == 1
    assert not done.stdout
    return done.stderr


def test_importing_symbp_loads_nothing_large() -> None:
    code = "import sys, symbp; print([m for m in ('sympy', 'numpy', 'pydantic', 'torch', 'lark') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    assert done.stdout.strip() == "[]"


# derive

def test_derive_writes_the_formats_that_are_asked_for(tmp_path: Path) -> None:
    done = symbp("derive", EXAMPLE, "--out", tmp_path / "new" / "folder", "--format", "html,tex,md,json")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == [f"softmax_classifier.{e}" for e in ("html", "json", "md", "tex")]
    assert "W1:" in done.stdout
    assert "\x1b" not in done.stdout


def test_derive_answers_in_json(tmp_path: Path) -> None:
    done = symbp("derive", EXAMPLE, "--wrt", "b1", "--out", tmp_path, "--format", "md", "--json")
    answer = json.loads(done.stdout)
    assert list(answer["gradients"]) == ["b1"]
    assert Path(answer["files"]["md"]).is_file()


def test_derive_a_formula(tmp_path: Path) -> None:
    done = symbp("derive", "softmax(sum(i, W[k,i]*x[i]) + b[k])", "--wrt", "W", "--format", "json", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "formula.json").is_file()
    assert "W:" in done.stdout


def test_the_readers_choices_change_the_result(tmp_path: Path) -> None:
    texts = [symbp("derive", ROOT / "examples" / "two_layer_sigmoid.toml", "--activation-derivatives", choice, "--wrt", "w3", "--format", "md",
                   "--out", tmp_path / choice).stdout for choice in ("kept", "folded")]
    assert all(texts)
    pages = [(tmp_path / choice / "two_layer_sigmoid.md").read_text(encoding="utf-8") for choice in ("kept", "folded")]
    assert r"\sigma'" in pages[0]
    assert pages[0] != pages[1]


@pytest.mark.needs_tex
def test_derive_makes_a_pdf(tmp_path: Path) -> None:
    done = symbp("derive", EXAMPLE, "--out", tmp_path, "--format", "pdf")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "softmax_classifier.pdf").read_bytes().startswith(b"%PDF")


# mistakes

@pytest.mark.parametrize(("arguments", "part"), [
    (["derive", "missing.toml"], "No such file"),
    (["derive", "."], "folder"),
    (["derive", EXAMPLE, "--of", "Q"], "'Q'"),
    (["derive", EXAMPLE, "--wrt", "W9"], "valid are: x, W1, b1"),
    (["derive", EXAMPLE, "--wrt", ","], "--wrt names no tensor"),
    (["derive", EXAMPLE, "--format", "pfd"], 'did you mean "pdf"'),
    (["derive", EXAMPLE, "--facts", "maybe"], "invalid choice"),
    (["derive", "7"], "a formula has an access"),
    (["derive", "sum(i, 1)"], "no name to differentiate by"),
    (["derive"], "required"),
    (["dervie", EXAMPLE], "invalid choice"),
    ([], "required"),
    (["derive", "sigmod(x[i])"], 'did you mean "sigmoid"'),
    (["derive", "__import__('os').system('touch pwned')"], "cannot read"),
    (["derive", "sum(i, x[i]", "--wrt", "x"], "cannot read"),
    (["derive", "sum(i, x[i]^2)", "--wrt", "y"], "'y'"),
    (["derive", "(" * 5000], "nested"),
    (["check", EXAMPLE, "--seed", "one"], "invalid int"),
])
def test_mistakes_are_one_paragraph(arguments: list, part: str, tmp_path: Path) -> None:
    assert part in refused(*arguments, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_network_without_parameters(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('name = "n"\n[network]\nindices = { n = "N" }\ntensors.x = { axes = ["n"] }\nequations = ["L = sum(n, x[n]^2)"]\n',
                    encoding="utf-8")
    assert "no tensor has the role parameter" in refused("derive", path, "--out", tmp_path / "out")
    assert symbp("derive", path, "--wrt", "x", "--out", tmp_path / "out", "--format", "md").returncode == 0


def test_a_bad_file_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8").replace('"dense"', '"dnese"'), encoding="utf-8")
    message = refused("derive", path, "--out", tmp_path / "out")
    assert "bad.toml" in message
    assert 'did you mean "dense"' in message
    assert [p.name for p in tmp_path.iterdir()] == ["bad.toml"]


def test_an_output_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("keep me", encoding="utf-8")
    assert "--out" in refused("derive", EXAMPLE, "--out", tmp_path / "file", "--format", "md")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "keep me"


def test_escape_sequences_do_not_reach_the_terminal(tmp_path: Path) -> None:
    assert "\x1b" not in refused("derive", "\x1b[31mred(x[i])", cwd=tmp_path)


def test_a_terminal_that_knows_ascii_only(tmp_path: Path) -> None:
    done = symbp("derive", EXAMPLE, "--out", tmp_path, "--format", "md", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr


def test_an_interrupt_is_130() -> None:
    code = ("import symbp.cli, sys, time\n"
            "def run(options): print('ready', flush=True); time.sleep(60)\n"
            "symbp.cli._doctor = run\n"
            "sys.exit(symbp.cli.main(['doctor']))")
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": str(ROOT)}, preexec_fn=_heed_interrupts)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.strip() == "symbp: interrupted"


def _heed_interrupts() -> None:
    """A process in the background inherits that interrupts are ignored; the child of this test must not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


# check and doctor

def test_check_passes_and_answers_in_json() -> None:
    done = symbp("check", EXAMPLE, "--json")
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)


def test_check_prints_a_line_for_each_gradient() -> None:
    done = symbp("check", EXAMPLE, "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert "W1" in done.stdout
    assert "b1" in done.stdout


def test_a_failed_check_is_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    from symbp.certify import ladder

    class Failed:
        passed = False

        def table(self) -> str:
            return "W1 failed"
    monkeypatch.setattr(ladder, "check", lambda *_a, **_k: Failed())
    assert main(["check", str(EXAMPLE)]) == 1
    assert "W1 failed" in capsys.readouterr().out


def test_doctor_lists_what_is_installed() -> None:
    done = symbp("doctor", "--json")
    found = {f["what"]: f for f in json.loads(done.stdout)}
    assert found["sympy"]["found"]
    assert {"Python", "pdflatex", "torch", "python-flint", "GPU"} <= set(found)
    assert done.returncode == 0
    assert "sympy" in symbp("doctor").stdout


def test_doctor_without_tex() -> None:
    done = symbp("doctor", PATH="/nonexistent")
    assert done.returncode == 0, done.stderr
    assert "apt install" in done.stdout


def test_version_and_help() -> None:
    assert symbp("--version").stdout.startswith("symbp ")
    assert "derive" in symbp("--help").stdout


@pytest.mark.parametrize("formula", ["exp(2)*sum(i, x[i]) + relu(3)", "sum(i, sqrt(i+1)*x[i])", "sum(i, exp(i)*x[i])", "sum(i, 3^i*x[i])",
                                     "sum(i, 123456789012345678901234567890*x[i])", "log(sum(i, x[i]))", "sum(i, x[i]^(1/3))"])
def test_numbers_and_indices_in_formulas_are_checked_on_every_rung(formula: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", formula]) == 0
    answer = capsys.readouterr().out
    assert "failed" not in answer and "lowered      passed" in answer and "all hold" in answer
