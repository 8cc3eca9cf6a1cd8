"""Training runs: the same bits every time, going on after any end, and bad input."""
from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from images import grey, write_idx

import symbp
from symbp.cli import main
from symbp.errors import DivergedError, RunError, SymbpError
from symbp.run import Result, loop, resume, train
from symbp.run.checkpoint import Place, read_checkpoint, write_checkpoint
from symbp.run.folder import RunFolder
from symbp.run.metrics import by_class, confusion, first_broken, norms, table
from symbp.run.progress import Progress

ROOT = Path(__file__).resolve().parent.parent
DIGITS = ROOT / "examples/digits_mlp.toml"


def quick(out: Path, **options: object) -> Result:
    """A run of the digits without pictures."""
    return train(DIGITS, out=out, plots=False, quiet=True, **{"epochs": 3, **options})


def arrays(path: Path) -> dict[str, bytes]:
    """The bytes of all arrays of a file."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name].tobytes() for name in file.files}


def records(path: Path) -> list[dict]:
    """The records of a run, without the seconds."""
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in (path / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of five epochs from start to end."""
    return quick(tmp_path_factory.mktemp("run") / "unbroken", epochs=5).folder


# what a run gives

def test_digits_reach_96_percent(tmp_path: Path) -> None:
    result = train(DIGITS, out=tmp_path / "run", quiet=True)
    assert result.finished and result.accuracy is not None and result.accuracy >= 0.96
    assert {"network.toml", "module.py", "metrics.jsonl", "params.npz", "report.json", "loss.png", "gradients.png",
            "confusion.png"} <= set(result.files)
    for name in ("loss.png", "gradients.png", "confusion.png"):
        assert (result.folder / name).read_bytes().startswith(b"\x89PNG") and (result.folder / name).stat().st_size > 5000
    report = json.loads((result.folder / "report.json").read_text())
    matrix = np.array(report["confusion"])
    assert matrix.shape == (10, 10) and matrix.sum() == 360 and matrix.trace() == round(result.accuracy * 360)
    assert all(r["recall"] > 0.8 for r in report["classes"])


def test_records_hold_loss_accuracy_and_gradient_norms(unbroken: Path) -> None:
    found = records(unbroken)
    epochs = [r for r in found if r["kind"] == "epoch"]
    steps = [r for r in found if r["kind"] == "step"]
    assert [r["epoch"] for r in epochs] == [1, 2, 3, 4, 5] and epochs[-1]["accuracy"] > 0.9
    assert set(steps[0]["gradient_norms"]) == {"W1", "b1", "W2", "b2"} and all(v > 0 for v in steps[0]["gradient_norms"].values())


def test_the_saved_module_and_parameters_need_no_symbp(unbroken: Path) -> None:
    code = ("import sys, importlib.util; spec = importlib.util.spec_from_file_location('m', sys.argv[1]); "
            "m = importlib.util.module_from_spec(spec); spec.loader.exec_module(m); p, s = m.load(sys.argv[2]); print(sorted(p))")
    call = [sys.executable, "-I", "-c", code, str(unbroken / "module.py"), str(unbroken / "params.npz")]
    assert subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip() == "['W1', 'W2', 'b1', 'b2']"


def test_the_same_seed_gives_the_same_bits_and_another_others(unbroken: Path, tmp_path: Path) -> None:
    again, other = quick(tmp_path / "again", epochs=5).folder, quick(tmp_path / "other", epochs=5, seed=1).folder
    assert arrays(again / "params.npz") == arrays(unbroken / "params.npz") and records(again) == records(unbroken)
    assert arrays(other / "params.npz") != arrays(unbroken / "params.npz")


def test_the_module_trains_from_its_own_command_line(tmp_path: Path) -> None:
    symbp.generate(symbp.load(DIGITS), path=tmp_path / "digits_mlp.py")
    assert main(["data", "digits", "--out", str(tmp_path / "digits.npz")]) == 0
    call = [sys.executable, "-I", str(tmp_path / "digits_mlp.py"), "--data", str(tmp_path / "digits.npz"), "--epochs", "8",
            "--out", str(tmp_path / "p.npz")]
    lines = subprocess.run(call, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == 8 and float(lines[-1].split()[-1]) >= 0.96
    missing = subprocess.run([*call[:4], str(tmp_path / "none.npz")], capture_output=True, text=True, check=False)
    assert missing.returncode == 2 and "there is no file" in missing.stderr


# going on

def test_a_run_that_was_killed_at_any_moment_goes_on_with_the_same_bits(unbroken: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    start = ("import sys; from symbp.run import train, resume; from pathlib import Path; f = Path(sys.argv[2])\n"
             "print('ready', flush=True)\n"
             "(resume(f, quiet=True, plots=False, every=0.0) if (f / 'checkpoint.npz').exists() else\n"
             " train(sys.argv[1], epochs=5, out=f, quiet=True, plots=False, every=0.0))\n")

    def begin(into: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", start, str(DIGITS), str(into)], stdout=subprocess.PIPE, text=True,
                                   env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        return process

    whole, began = begin(tmp_path / "whole"), time.monotonic()
    assert whole.wait() == 0
    seconds = time.monotonic() - began  # moments of this machine, however fast it is
    rng = np.random.default_rng(5)
    kills = 0
    for attempt in range(40):
        if not (folder / "checkpoint.npz").exists():
            shutil.rmtree(folder, ignore_errors=True)  # killed before it began: there is nothing to go on with
        process = begin(folder)
        try:
            process.wait(timeout=None if attempt >= 8 else seconds * (rng.random() if attempt else 0.5))
            if process.returncode == 0:
                break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills > 0
    assert arrays(folder / "params.npz") == arrays(unbroken / "params.npz")
    assert records(folder) == records(unbroken)
    assert not [p for p in folder.iterdir() if p.name.startswith(".") and p.name.endswith(".json")]


def test_every_place_within_an_epoch_can_be_gone_on_from(unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stop(Exception):
        pass

    real, count = write_checkpoint, 0

    def stop_later(*args: object) -> None:
        nonlocal count
        real(*args)
        count += 1
        if count in (7, 30, 61):
            raise Stop

    monkeypatch.setattr("symbp.run.loop.write_checkpoint", stop_later)
    folder = tmp_path / "stopped"
    with pytest.raises(Stop):
        quick(folder, epochs=5, every=0.0)
    while True:
        try:
            resume(folder, quiet=True, plots=False, every=0.0)
            break
        except Stop:
            continue
    assert count > 61
    assert arrays(folder / "params.npz") == arrays(unbroken / "params.npz") and records(folder) == records(unbroken)


def test_more_epochs_extend_a_finished_run(unbroken: Path, tmp_path: Path) -> None:
    folder = quick(tmp_path / "short", epochs=2).folder
    assert resume(folder, quiet=True, plots=False).steps == 2 * 45
    assert resume(folder, epochs=5, quiet=True, plots=False).epochs == 5
    assert arrays(folder / "params.npz") == arrays(unbroken / "params.npz")


def test_an_interrupt_ends_the_step_and_keeps_a_checkpoint(unbroken: Path, tmp_path: Path) -> None:
    call = [sys.executable, "-m", "symbp", "train", str(DIGITS), "--out", str(tmp_path / "run"), "--epochs", "4000", "--no-plots"]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    assert process.stdout is not None and process.stdout.readline().startswith("epoch")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip() == f"symbp: interrupted; to go on: symbp train --resume {tmp_path / 'run'}"
    module = loop.ModuleType("m")
    exec((tmp_path / "run/module.py").read_text(), module.__dict__)  # noqa: S102 - written by the run
    assert read_checkpoint(RunFolder(tmp_path / "run"), module, "float32")[1]["step"] > 0


def test_an_interrupt_while_the_results_are_written_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                      capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt
    monkeypatch.setattr(loop._Loop, "_finish", interrupted)
    assert main(["train", str(DIGITS), "--out", str(tmp_path / "run"), "--epochs", "1", "--no-plots"]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == f"symbp: interrupted; to go on: symbp train --resume {tmp_path / 'run'}"
    monkeypatch.undo()
    assert main(["train", "--resume", str(tmp_path / "run"), "--no-plots"]) == 0


# what breaks

def test_a_loss_that_is_not_finite_names_step_and_tensor_and_keeps_the_last_good_parameters(tmp_path: Path) -> None:
    text = DIGITS.read_text().replace('type = "adam"', 'type = "gd"').replace("1e-3", "1e6")
    (tmp_path / "wild.toml").write_text(text)
    with pytest.raises(DivergedError, match=r"loss of step \d+ \(epoch \d+, batch \d+\) is (nan|inf); the first tensor that is no finite"):
        train(tmp_path / "wild.toml", out=tmp_path / "run", quiet=True)
    assert all(np.isfinite(np.frombuffer(v, np.float32)).all() for k, v in arrays(tmp_path / "run/params.npz").items() if "params" in k)
    assert main(["train", str(tmp_path / "wild.toml"), "--out", str(tmp_path / "run2")]) == 1


def test_a_batch_larger_than_the_data_names_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"a batch of 5,000 samples is larger than the 1,437 samples of digits"):
        quick(tmp_path / "run", batch_size=5000)
    assert not (tmp_path / "run").exists()


def test_a_network_for_other_images_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(DIGITS.read_text().replace("[64]", "[65]"))
    with pytest.raises(SymbpError, match="65 elements"):
        train(tmp_path / "net.toml", out=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_labels_that_the_network_does_not_tell_apart(tmp_path: Path) -> None:
    text = DIGITS.read_text().replace("classes = 10", "classes = 7").replace("units = 10", "units = 7")
    (tmp_path / "net.toml").write_text(text)
    with pytest.raises(SymbpError, match="^digits: expected labels from 0 to 6, found [789]"):
        train(tmp_path / "net.toml", out=tmp_path / "run", quiet=True)
    arrays = grey(size=8)
    arrays[1][2] = 12
    folder = write_idx(tmp_path / "own", arrays)
    with pytest.raises(SymbpError, match=f"^{re.escape(str(folder))}: expected labels from 0 to 9, found 12"):
        train(DIGITS, data="own", data_dir=str(folder), batch_size=4, out=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_an_earlier_run_is_never_written_over(tmp_path: Path) -> None:
    first, second = quick(tmp_path / "run", epochs=1), quick(tmp_path / "run", epochs=1)
    assert (first.folder.name, second.folder.name) == ("run", "run-2")


@pytest.mark.parametrize(("change", "message"), [
    ({"batch_size": 64}, "batch_size = 32, and cannot go on with batch_size = 64"),
    ({"seed": 3}, "seed = 0, and cannot go on with seed = 3"),
    ({"epochs": 1}, "asked for 2 epochs; --epochs 1 is less"),
])
def test_a_run_goes_on_only_as_it_began(change: dict, message: str, tmp_path: Path) -> None:
    folder = quick(tmp_path / "run", epochs=2).folder
    with pytest.raises(RunError, match=message):
        resume(folder, quiet=True, **change)


def test_a_checkpoint_of_another_network_names_tensor_and_shapes(tmp_path: Path) -> None:
    folder = quick(tmp_path / "run", epochs=1).folder
    net = folder / "network.toml"
    net.write_text(net.read_text().replace("units = 128", "units = 100"))
    with pytest.raises(RunError, match=r"params/W1 has the shape \(128, 64\), but this network needs \(100, 64\)"):
        resume(folder, quiet=True)


@pytest.mark.parametrize("name", ["run.json", "checkpoint.npz", "metrics.jsonl", "network.toml"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\x00\xff garbage", b"PK\x03\x04 half a zip"])
def test_a_damaged_run_is_one_paragraph(name: str, content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = quick(tmp_path / "run", epochs=1).folder
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    code = main(["train", "--resume", str(folder), "--no-plots", "--epochs", "2"])
    assert code == (0 if name == "metrics.jsonl" and content and len(content) > 10**6 else 2)
    assert capsys.readouterr().err.startswith("symbp: ")


def test_a_checkpoint_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    folder = quick(tmp_path / "run", epochs=1).folder
    whole = (folder / "checkpoint.npz").read_bytes()
    for length in range(0, len(whole) - 1, 9973):
        (folder / "checkpoint.npz").write_bytes(whole[:length])
        with pytest.raises(RunError):
            resume(folder, epochs=2, quiet=True)


def test_a_full_disk_is_one_paragraph_and_the_earlier_checkpoint_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(quick(tmp_path / "run", epochs=1).folder)
    before = folder.checkpoint.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device; what was written before is kept"):
        resume(folder.path, epochs=2, quiet=True)
    assert folder.checkpoint.read_bytes() == before and not [p for p in folder.path.iterdir() if p.name.startswith(".")]


def test_a_folder_that_cannot_be_made_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot make the folder"):
        quick(tmp_path / "file" / "run")


@pytest.mark.parametrize("arguments", [[], ["NET", "--resume", "x"], ["--resume", "none"], ["NET", "--epochs", "0"], ["NET", "--epochs", "-1"],
                                       ["NET", "--batch-size", "x"], ["NET", "--data", "digitz"], ["--resume", "x", "--data", "mnist"]])
def test_the_command_line_refuses_in_one_paragraph(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(DIGITS) if a == "NET" else a for a in arguments]
    assert main(["train", *given, "--out", str(tmp_path / "run")] if "NET" in arguments else ["train", *given]) == 2
    error = capsys.readouterr().err
    assert error.startswith("symbp: ") and error.count("\n") == 1


def test_a_network_without_data_says_how_to_name_it(tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(DIGITS.read_text().replace('[data]\nname = "digits"\n', ""))
    with pytest.raises(RunError, match=r"add the table \[data\]"):
        train(tmp_path / "net.toml", out=tmp_path / "run")
    assert train(tmp_path / "net.toml", data="digits", out=tmp_path / "run", epochs=1, quiet=True, plots=False).finished


# the parts

def test_confusion_counts_agree_with_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    wanted, predicted = rng.integers(4, size=50), rng.integers(4, size=50)
    matrix = confusion(wanted, predicted, 4)
    assert all(matrix[i, j] == np.sum((wanted == i) & (predicted == j)) for i in range(4) for j in range(4))
    assert by_class(np.array([[2, 0], [0, 0]]))[1] == {"class": 1, "precision": None, "recall": None, "samples": 0}
    assert "–" in table(by_class(np.array([[2, 0], [0, 0]])))


def test_norms_do_not_overflow_in_float32() -> None:
    assert norms({"W": np.full(4, 1e30, np.float32)})["W"] == pytest.approx(2e30)
    assert first_broken({"a": np.ones(2), "b": np.array([np.nan])}) == "b"


def test_the_bar_is_for_terminals_only(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(2, 10)
    progress.batch(0, 5, 0.5)
    progress.epoch(0, 0.5, 0.4, 0.9, 1.0)
    assert capsys.readouterr().out == "epoch 1/2  loss 0.5000  test loss 0.4000  accuracy 0.9000  1.0 s\n"


def test_a_terminal_gets_a_bar_that_is_drawn_over() -> None:
    class Terminal(list):
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> None:
            self.append(text)

        def flush(self) -> None:
            pass

    stream = Terminal()
    progress = Progress(2, 10, stream)  # type: ignore[arg-type]
    progress.batch(0, 5, 0.25)
    time.sleep(0.11)
    progress.batch(0, 10, 0.25)
    assert len(stream) == 2 and all(t.startswith("\repoch 1/2") and "█" in t for t in stream)


def test_a_place_survives_its_checkpoint(tmp_path: Path) -> None:
    folder = RunFolder(quick(tmp_path / "run", epochs=1).folder)
    namespace: dict = {}
    exec(folder.module.read_text(), namespace)  # noqa: S102 - written by the run
    module = type(sys)("m")
    module.__dict__.update(namespace)
    params, state, _ = read_checkpoint(folder, module, "float32")
    write_checkpoint(folder, module, params, state, Place(3, 4, 50, 1.25))
    assert read_checkpoint(folder, module, "float32")[2] == Place(3, 4, 50, 1.25)
