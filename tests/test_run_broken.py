"""Runs whose numbers, files, data or surroundings break: one paragraph, and what was whole stays whole."""
from __future__ import annotations

import errno
import io
import json
import math
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from symbp import data
from symbp.cli import main
from symbp.data.dataset import from_arrays
from symbp.errors import DivergedError, RunError
from symbp.run import Result, loop, resume, train
from symbp.run.checkpoint import Place, read_checkpoint
from symbp.run.diverged import Good, find_broken
from symbp.run.folder import RunFolder
from symbp.run.plots import draw
from symbp.run.progress import Progress
from symbp.run.records import plain
from symbp.run.samples import Samples

ROOT = Path(__file__).resolve().parent.parent
DIGITS = ROOT / "examples/digits_mlp.toml"


def quick(out: Path, path: Path = DIGITS, **options: object) -> Result:
    """A run of the digits without pictures: 6 batches in an epoch, the last one smaller."""
    return train(path, out=out, plots=False, quiet=True, **{"epochs": 2, "batch_size": 256, **options})


def going_on(folder: Path, **options: object) -> Result:
    return resume(folder, plots=False, quiet=True, **options)


def strictly(text: str) -> object:
    """JSON as every reader takes it: without NaN and Infinity."""
    def refuse(word: str) -> None:
        raise AssertionError(word)
    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Add lines to every module that is generated."""
    real = loop.generate

    def patch(lines: str) -> None:
        monkeypatch.setattr(loop, "generate", lambda network: real(network) + lines)
    return patch


# numbers

BREAKS = """
_step = train_step
def train_step(params, state, x, y):
    loss = _step(params, state, x, y)
    if state["step"] == {step}:
        params["W2"][3, 1] = np.{value}
    return loss
"""


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("every", [0.0, 15.0])
@pytest.mark.parametrize("step", [1, 5, 6, 9, 12])
def test_an_update_that_breaks_although_its_loss_is_finite(step: int, every: float, value: str, patched: Callable, tmp_path: Path) -> None:
    patched(BREAKS.format(step=step, value=value))
    with pytest.raises(DivergedError) as caught:
        quick(tmp_path / "run", every=every)
    assert f"the first tensor that is no finite number is W2, in step {step}" in str(caught.value)
    for name in ("params.npz", "checkpoint.npz"):
        with np.load(tmp_path / "run" / name) as file:
            assert all(np.isfinite(file[k]).all() for k in file.files)
            assert file["step"] < step
    assert not (tmp_path / "run/report.json").exists()
    assert all(strictly(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines())


def test_a_run_that_broke_breaks_again_where_it_goes_on(patched: Callable, tmp_path: Path) -> None:
    patched(BREAKS.format(step=9, value="nan"))
    found = []
    for work in (lambda: quick(tmp_path / "run"), lambda: going_on(tmp_path / "run")):
        with pytest.raises(DivergedError) as caught:
            work()
        found.append(str(caught.value))
    assert found[0] == found[1]


def test_the_intermediate_that_broke_first_is_named(tmp_path: Path) -> None:
    text = DIGITS.read_text().replace('type = "adam"', 'type = "gd"').replace("1e-3", "1e6")
    (tmp_path / "net.toml").write_text(text)
    with pytest.raises(DivergedError, match=r"first tensor that is no finite number is z\d, in step \d+"):
        quick(tmp_path / "run", tmp_path / "net.toml", epochs=20)


def test_without_intermediates_it_is_the_first_parameter() -> None:
    module = ModuleType("m")
    module.STATES = ()
    module.train_step = lambda params, state, x, y: params["w"].fill(np.nan)
    good = Good(0, {"w": np.ones(2)}, {"step": 4})
    assert find_broken(module, good, 0, lambda _: (np.ones((1, 2)), np.ones(1)), None) == ("w", 4)
    assert find_broken(module, good, 0, lambda _: (np.array([[np.inf]]), np.ones(1)), None) == ("x", 5)
    assert good.params["w"].tolist() == [1, 1]


def test_a_test_loss_that_is_not_finite_is_null(patched: Callable, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patched("\n_evaluate = evaluate\ndef evaluate(params, x, y, state=None):\n    return np.inf, _evaluate(params, x, y)[1]\n")
    assert quick(tmp_path / "run").loss is None
    assert main(["train", str(DIGITS), "--out", str(tmp_path / "second"), "--epochs", "1", "--json"]) == 0
    assert strictly(capsys.readouterr().out)["loss"] is None
    assert main(["train", str(DIGITS), "--out", str(tmp_path / "third"), "--epochs", "1"]) == 0
    assert "test loss not finite, accuracy" in capsys.readouterr().out
    assert strictly((tmp_path / "run/report.json").read_text())["test_loss"] is None
    assert all(strictly(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines())


def test_losses_that_are_sums_are_summed_and_means_are_means(tmp_path: Path) -> None:
    for kind in ("mean", "sum"):
        (tmp_path / "net.toml").write_text(DIGITS.read_text() + f'\n[conventions]\nbatch_loss = "{kind}"\n')
        run = quick(tmp_path / kind, tmp_path / "net.toml", epochs=1)
        module = ModuleType("m")
        exec((run.folder / "module.py").read_text(), module.__dict__)  # noqa: S102 - written by the run
        found = data.load("digits")
        x, y = found.inputs("test", [64]), found.targets("test")
        assert run.loss == pytest.approx(float(module.evaluate(module.load(run.folder / "params.npz")[0], x, y)[0]), rel=1e-5)


# going on

def test_a_finished_run_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = quick(tmp_path / "run").folder
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}
    assert going_on(folder).already and going_on(folder, epochs=2).already
    assert main(["train", "--resume", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("this run is finished: 2 epochs, test loss ")
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()} == before
    assert not going_on(folder, epochs=3).already
    (folder / "report.json").unlink()
    again = going_on(folder)
    assert not again.already and again.finished and (folder / "report.json").is_file()


def test_a_flipped_bit_is_noticed_or_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(DIGITS.read_text().replace("units = 128", "units = 1"))
    folder = RunFolder(quick(tmp_path / "run", tmp_path / "net.toml", epochs=1).folder)
    module = ModuleType("m")
    exec(folder.module.read_text(), module.__dict__)  # noqa: S102 - written by the run

    def read() -> str:
        params, state, place = read_checkpoint(folder, module, "float32")
        arrays = [a.tobytes() for d in (params, *(state[s] for s in module.STATES)) for a in d.values()]
        return repr((arrays, state["step"], state["seed"], place))
    whole, good, noticed = folder.checkpoint.read_bytes(), read(), 0
    for at in range(0, len(whole), 3):
        folder.checkpoint.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1:])
        try:
            assert read() == good
        except RunError:
            noticed += 1
    assert noticed > len(whole) / 6


@pytest.mark.parametrize("content", [b"\xff", b"[]\n", b"null\n", b"[" * 5000 + b"\n", b"{\n", b'{"kind": "other"}\n'])
def test_records_that_are_damaged(content: bytes, tmp_path: Path) -> None:
    folder = quick(tmp_path / "run", epochs=1).folder
    length = (folder / "metrics.jsonl").stat().st_size
    (folder / "metrics.jsonl").write_bytes((content + b" " * length)[:max(length, len(content))])
    with pytest.raises(RunError, match=r"metrics.jsonl is damaged"):
        going_on(folder, epochs=2)


def test_a_network_file_that_was_changed_in_between(tmp_path: Path) -> None:
    folder = quick(tmp_path / "run", epochs=1).folder
    net = folder / "network.toml"
    net.write_text(net.read_text().replace("1e-3", "2e-3"))
    with pytest.raises(RunError, match="do not belong together any more"):
        going_on(folder, epochs=2)
    (folder / "module.py").unlink()
    with pytest.raises(RunError, match=r"module.py is missing"):
        going_on(folder, epochs=2)


def test_data_that_were_changed_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = quick(tmp_path / "run", epochs=1).folder
    found = data.load("digits")
    images = found.train_x.copy()
    images[7, 3, 3] ^= 1
    other = from_arrays("digits", images, found.train_y, found.test_x, found.test_y, found.maximum)
    monkeypatch.setattr(data, "load", lambda *_: other)
    with pytest.raises(RunError, match="the data digits are others than those that this run began with"):
        going_on(folder, epochs=2)


def test_the_folder_of_the_data_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = data.load("digits")
    monkeypatch.setattr(data, "load", lambda name, folder: found if os.path.isabs(folder) else None)
    monkeypatch.chdir(tmp_path)
    quick(tmp_path / "run", epochs=1, data="own", data_dir="images")
    assert json.loads((tmp_path / "run/run.json").read_text())["data_dir"] == str(tmp_path / "images")


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    folder = RunFolder(quick(tmp_path / "run", epochs=1).folder)
    with folder.lock(), pytest.raises(RunError, match="another process is training in"):
        going_on(folder.path, epochs=2)
    assert going_on(folder.path, epochs=2).finished


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    folder = quick(tmp_path / "run", epochs=1).folder
    for name in (".0123456789abcdef.npz", ".0123456789abcdef.json", ".mine", "notes.txt"):
        (folder / name).write_text("")
    going_on(folder, epochs=2)
    assert {".mine", "notes.txt"} == {p.name for p in folder.iterdir() if p.name.startswith(".") or p.suffix == ".txt"}


# folders and disks

@pytest.mark.parametrize("name", ["x" * 300, "a/" + "x" * 300, "nul\0", "file/run", ".", ".."])
def test_names_of_folders_that_cannot_be(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "inside/file").write_text("")
    monkeypatch.chdir(tmp_path / "inside")
    with pytest.raises(RunError, match="--out"):
        quick(Path(name))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "inside"]


def test_a_name_that_a_file_has_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    assert quick(tmp_path / "run", epochs=1).folder.name == "run-2"
    assert (tmp_path / "run").read_text() == "mine"


def test_a_folder_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(RunError, match="cannot make the folder .*run for the run: Read-only file system; name another with --out"):
        quick(tmp_path / "run")


def limited(size: int, *arguments: object) -> subprocess.CompletedProcess:
    """The command, in a process whose files may have so many bytes: a disk that is full for all but small files."""
    return subprocess.run([sys.executable, "-m", "symbp", "train", *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))


def one_paragraph(done: subprocess.CompletedProcess, part: str) -> None:
    assert done.returncode == 2 and part in done.stderr, done.stderr
    assert done.stderr.startswith("symbp: ") and done.stderr.count("\n") == 1


def test_a_disk_that_fills_up_keeps_the_checkpoint_before(tmp_path: Path) -> None:
    folder = quick(tmp_path / "run", epochs=1).folder
    before = (folder / "checkpoint.npz").read_bytes()
    one_paragraph(limited(60_000, "--resume", folder, "--epochs", 3, "--no-plots"), "cannot write checkpoint.npz")
    assert (folder / "checkpoint.npz").read_bytes() == before
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]
    assert going_on(folder, epochs=3).finished


def test_records_that_find_no_room(tmp_path: Path) -> None:
    folder = quick(tmp_path / "run", epochs=1).folder
    size = (folder / "metrics.jsonl").stat().st_size
    one_paragraph(limited(size + 20, "--resume", folder, "--epochs", 400, "--no-plots"), "File too large; what was written before is kept")


def test_pictures_that_find_no_room_can_be_drawn_later(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = limited(125_000, DIGITS, "--out", folder, "--epochs", 3, "--batch-size", 2)
    one_paragraph(done, "what was written before is kept")
    assert resume(folder, quiet=True).finished and (folder / "report.json").is_file()


def test_without_matplotlib_all_but_the_pictures_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "symbp.run.plots", None)
    assert main(["train", str(DIGITS), "--out", str(tmp_path / "run"), "--epochs", "1"]) == 0
    assert "no pictures: " in capsys.readouterr().out
    assert (tmp_path / "run/report.json").is_file()


def test_a_backend_that_matplotlib_does_not_know(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "symbp", "train", str(DIGITS), "--out", str(tmp_path / "run"), "--epochs", "1"], check=False,
                          capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "none_such"})
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "none_such" in done.stdout


# data

@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_data_that_are_no_finite_numbers(value: float) -> None:
    x = np.zeros((5, 2), np.float32)
    x[3, 1] = value
    good = {"train": np.zeros((5, 2), np.float32), "test": np.zeros((5, 2), np.float32)}
    with pytest.raises(RunError, match=rf"train_x of own holds {value} in sample 3"):
        Samples("own", {**good, "train": x}, good, 2)
    with pytest.raises(RunError, match=rf"test_y of own holds {value} in sample 3"):
        Samples("own", good, {**good, "test": x}, 2)


def test_batches_are_rows_of_the_order_and_the_last_is_smaller() -> None:
    x, y = np.arange(14.0).reshape(7, 2), np.arange(7)
    samples = Samples("own", {"train": x, "test": x}, {"train": y, "test": y}, 3)
    order = np.array([6, 2, 0, 1, 5, 3, 4])
    found = [(a.copy(), b.copy()) for a, b in (samples.batch(order, k) for k in range(samples.batches))]
    assert [len(a) for a, _ in found] == [3, 3, 1]
    assert np.array_equal(np.concatenate([a for a, _ in found]), x[order])
    assert np.array_equal(np.concatenate([b for _, b in found]), y[order])


# the terminal

class Stream(io.StringIO):
    """An output that may be a terminal, and may break off."""

    def __init__(self, live: bool = True, encoding: str = "utf-8", broken: bool = False) -> None:
        super().__init__()
        self.live, self.spelling, self.broken = live, encoding, broken

    encoding = property(lambda self: self.spelling)

    def isatty(self) -> bool:
        return self.live

    def write(self, text: str) -> int:
        if self.broken:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        return super().write(text)


def test_the_bar_fits_the_terminal_and_its_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    stream = Stream(encoding="ascii")
    progress = Progress(2, 4, stream)
    progress.batch(0, 2, 0.5, 0.25)
    text = stream.getvalue()
    assert text.startswith("\repoch 1/2  ####") and len(text.replace("\x1b[K", "")) <= 30 and text.isascii()
    progress.end()
    progress.end()
    assert stream.getvalue().count("\n") == 1


def test_the_bar_shows_loss_and_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    stream = Stream()
    Progress(2, 4, stream).batch(0, 2, 0.5, 0.25)
    assert "████████████············  loss 0.5000  accuracy 0.2500" in stream.getvalue()
    other = Stream()
    Progress(2, 4, other).batch(0, 2, 0.5, math.nan)
    assert "accuracy" not in other.getvalue()


def test_an_output_that_breaks_off_does_not_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Stream(live=False, broken=True))
    assert train(DIGITS, out=tmp_path / "run", epochs=1, plots=False).finished


# pictures

def test_pictures_of_unusual_runs(tmp_path: Path) -> None:
    step = {"kind": "step", "epoch": 1, "accuracy": None}
    epoch = {"kind": "epoch", "epoch": 1, "accuracy": None}
    names = [f"{w}{k}" for k in range(1, 30) for w in "Wb"]
    many = [{**step, "step": s, "loss": 10.0 ** -s, "gradient_norms": dict.fromkeys(names, 0.5)} for s in range(9)]
    runs = {
        "nothing": [], "one": [{**step, "step": 1, "loss": 0.0, "gradient_norms": {"w": 0.0}}], "many": many,
        "gaps": [{**step, "step": 1, "loss": None, "gradient_norms": {"w": None, "b": 1.0}}, {**epoch, "step": 2, "loss": None, "test_loss": None}],
        "negative": [{**epoch, "step": 2, "loss": -3.0, "test_loss": -1.0, "accuracy": 0.5}],
    }
    for name, records in runs.items():
        (tmp_path / name).mkdir()
        made = draw(RunFolder(tmp_path / name), records, np.eye(100, dtype=np.int64) if name == "many" else None, "$5_{ 数 " + name)
        assert all(p.read_bytes().startswith(b"\x89PNG") for p in made)
        assert bool(made) == (name != "nothing")


def test_a_place_says_nothing_of_numbers_that_are_not_finite() -> None:
    assert plain({"a": (1.0, -math.inf), "b": True, "c": "x"}) == {"a": [1.0, None], "b": True, "c": "x"}
    assert Place().seconds == 0


def test_the_command_to_go_on_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stopped = Result(tmp_path / "my run", False, 1, 5, None, None, 1.0)
    monkeypatch.setattr("symbp.run.train", lambda *_, **__: stopped)
    assert main(["train", str(DIGITS)]) == 130
    assert capsys.readouterr().err == f"symbp: interrupted; to go on: symbp train --resume '{tmp_path}/my run'\n"
