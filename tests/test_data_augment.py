"""Scaling, flips and crops: what they do to an image, and that a run with them goes on with the same bits."""
from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from test_run_killed import contents, in_a_process, killed_at

import symbp
from symbp.cli import main
from symbp.data import load
from symbp.data.dataset import from_arrays
from symbp.data.prepare import Augmenter, Preparation, moved
from symbp.emit import generate
from symbp.errors import DataError, SymbpError
from symbp.netfile import parse
from symbp.run import resume, train
from symbp.run.samples import read_samples
from symbp.run.settings import RunSettings

ROOT = Path(__file__).resolve().parent.parent
DIGITS = (ROOT / "examples/digits_mlp.toml").read_text()
AUGMENTED = DIGITS.replace('name = "digits"\n', 'name = "digits"\nflip = true\ncrop = 1\nscale = "symmetric"\n')


def test_the_scales() -> None:
    digits = load("digits")
    bytes_ = digits.train_x.reshape(-1, 64)
    np.testing.assert_array_equal(digits.inputs("train", [64], "float64", "unit"), bytes_ / 16)
    np.testing.assert_array_equal(digits.inputs("train", [64], "float64", "symmetric"), 2 * (bytes_ / 16) - 1)
    standard = digits.inputs("train", [64], "float64", "standard")
    assert abs(standard.mean()) < 1e-12 and abs(standard.std() - 1) < 1e-12
    np.testing.assert_array_equal(standard, digits.inputs("train", [64], "float64"))
    with pytest.raises(DataError, match='unknown scale "unti"; did you mean "unit"'):
        digits.inputs("train", [64], "float64", "unti")


@pytest.mark.parametrize("shape", [(5, 7, 6), (5, 7, 6, 3), (1, 1, 1)])
@pytest.mark.parametrize("border", [0, 1, 4])
def test_moved_is_what_plain_loops_do(shape: tuple[int, ...], border: int) -> None:
    rng = np.random.default_rng(border)
    images = rng.integers(0, 256, shape, np.uint8)
    mirrored, shifts = rng.random(shape[0]) < 0.5, rng.integers(0, 2 * border + 1, (2, shape[0]))
    found = moved(images, mirrored, shifts, border)
    for k, image in enumerate(images):
        padded = np.pad(image, [(border, border)] * 2 + [(0, 0)] * (image.ndim - 2))
        wanted = padded[shifts[0, k]:shifts[0, k] + shape[1], shifts[1, k]:shifts[1, k] + shape[2]]
        np.testing.assert_array_equal(found[k], wanted[:, ::-1] if mirrored[k] else wanted)


def test_choices_come_from_seed_epoch_and_batch() -> None:
    made = Augmenter(load("digits"), Preparation(flip=True, crop=2), (8, 8), "float32", 3)
    chosen = np.arange(40)
    first = made.batch(chosen, 1, 2)
    assert first.tobytes() == made.batch(chosen, 1, 2).tobytes() and first.dtype == np.float32
    assert first.tobytes() != made.batch(chosen, 2, 2).tobytes() != made.batch(chosen, 1, 3).tobytes()
    assert first.tobytes() != Augmenter(made.data, made.how, (8, 8), "float32", 4).batch(chosen, 1, 2).tobytes()


def test_half_of_the_images_are_mirrored_and_all_shifts_occur() -> None:
    images = np.zeros((4000, 5, 5), np.uint8)
    images[:, 2, 1] = 255
    data = from_arrays("dots", images, np.zeros(4000, np.int64), images[:1], np.zeros(1, np.int64))
    flipped = Augmenter(data, Preparation("unit", flip=True), (5, 5), "float32", 0).batch(np.arange(4000), 0, 0)
    assert abs(flipped[:, 2, 3].mean() - 0.5) < 0.05 and (flipped.sum(axis=(1, 2)) == 1).all()
    moved_ = Augmenter(data, Preparation("unit", crop=1), (5, 5), "float32", 0).batch(np.arange(4000), 0, 0)
    counts = moved_.sum(axis=0)
    assert (counts[1:4, 0:3] > 300).all() and counts.sum() == 4000


def test_an_epoch_of_cifar_is_quick() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5000, 32, 32, 3), np.uint8)
    data = from_arrays("colours", images, np.arange(5000) % 10, images[:9], np.arange(9))
    made = Augmenter(data, Preparation(flip=True, crop=4), (32, 32, 3), "float32", 0)
    start = time.process_time()
    for k in range(0, 5000, 64):
        made.batch(np.arange(k, min(k + 64, 5000)), 0, k)
    assert time.process_time() - start < 2


def test_a_killed_run_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    net = tmp_path / "net.toml"
    net.write_text(AUGMENTED)
    options = {"quiet": True, "plots": False, "every": 0.0}
    whole = train(net, out=tmp_path / "whole", epochs=2, batch_size=400, **options).folder
    for point in (40, 60, 75):
        path = tmp_path / f"killed{point}"
        ended = in_a_process(killed_at(point, lambda path=path: train(net, out=path, epochs=2, batch_size=400, **options)))
        assert ended == signal.SIGKILL and os.path.exists(path / "checkpoint.npz")
        resume(path, **options)
        assert contents(path) == contents(whole)
    plain = tmp_path / "plain.toml"
    plain.write_text(DIGITS)
    assert contents(train(plain, out=tmp_path / "plain", epochs=2, batch_size=400, **options).folder) != contents(whole)


def test_other_preparation_is_refused(tmp_path: Path) -> None:
    net = tmp_path / "net.toml"
    net.write_text(AUGMENTED)
    path = train(net, out=tmp_path / "run", epochs=1, batch_size=700, quiet=True, plots=False).folder
    (path / "network.toml").write_text(AUGMENTED.replace("crop = 1", "crop = 2"))
    with pytest.raises(SymbpError, match="prepared in another way"):
        resume(path, epochs=2, quiet=True, plots=False)


def test_a_module_scales_as_the_run_does_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    source = generate(parse(AUGMENTED))
    assert "flips and crops are the work of `symbp train`" in " ".join(source.split())
    load("digits").save(tmp_path / "digits.npz")
    space: dict = {"__name__": "module"}
    exec(source, space)  # noqa: S102 - generated here
    x = space["read_data"](tmp_path / "digits.npz", "float64")[0]
    np.testing.assert_array_equal(x, load("digits").inputs("train", [64], "float64", "symmetric"))
    assert "flips" not in generate(parse(DIGITS))


def test_an_autoencoder_answers_what_it_sees(tmp_path: Path) -> None:
    """Its batches' targets are the changed images; its module reads the same numbers twice."""
    text = AUGMENTED.replace("classes = 10", 'same_as = "input"').replace("units = 10", "units = 64").replace("softmax_cross_entropy", "squared_error")
    net = parse(text)
    samples = read_samples(net, RunSettings("digits", None, epochs=1, batch_size=64, seed=0, dtype="float32"))
    x, y = samples.batch(samples.order(0, 0), 0)
    assert np.array_equal(x, y) and not np.array_equal(x, samples.x["train"][samples.order(0, 0)[:64]])
    assert all(np.array_equal(a, b) for a, b in samples.parts())
    load("digits").save(tmp_path / "digits.npz")
    space: dict = {"__name__": "module"}
    exec(generate(net), space)  # noqa: S102 - generated here
    x, y, test_x, test_y = space["read_data"](tmp_path / "digits.npz", "float64")
    assert np.array_equal(x, y) and np.array_equal(test_x, test_y) and x.shape == (1437, 64)


@pytest.mark.parametrize(("line", "message"), [
    ("scale = \"unti\"", 'scale = "unti" is unknown'), ("crop = -1", "crop = -1 must be at least 0"), ("flip = 1", "flip must be true or false"),
    ("target = \"a\"", "no file is named"), ("crops = 1", 'unknown key "crops"; did you mean "crop"')])
def test_bad_input(line: str, message: str) -> None:
    with pytest.raises(SymbpError, match=message):
        parse(DIGITS.replace('name = "digits"\n', f'name = "digits"\n{line}\n'))
    assert symbp.load(ROOT / "examples/digits_mlp.toml").extras["data"].crop == 0


def test_bad_input_is_one_paragraph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = tmp_path / "net.toml"
    net.write_text(AUGMENTED.replace("crop = 1", "crop = 100"))
    assert main(["train", str(net), "--out", str(tmp_path / "run")]) == 2
    assert "crop = 100 must be at most 64" in capsys.readouterr().err
