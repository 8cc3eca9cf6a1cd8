"""Text as characters: reading, windows, training on it, the module's own training, sampling, and the trigram to compare with."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from symbp.cli import main
from symbp.data.characters import ASCII, TOPICS, from_text, load_text
from symbp.errors import SymbpError
from symbp.run import train
from symbp.run.sample import sample

NETWORK = """
name = "tiny"
[input]
shape = [8]
tokens = {tokens}
[target]
classes = {tokens}
encoding = "integer"
[[layers]]
type = "embedding"
units = 8
[[layers]]
type = "dense"
units = {tokens}
per_position = true
[loss]
type = "softmax_cross_entropy"
[optimizer]
type = "adam"
learning_rate = 1e-1
[data]
name = "abc"
folder = "{folder}"
[train]
epochs = 2
batch_size = 4
"""
CYCLE = "abcd" * 100


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A network file and its text, in which each character follows from the one before."""
    (tmp_path / "abc.txt").write_text(CYCLE, encoding="utf-8")
    path = tmp_path / "tiny.toml"
    path.write_text(NETWORK.format(tokens=4, folder=tmp_path), encoding="utf-8")
    return path


def test_the_topics_of_pydoc() -> None:
    text = load_text(TOPICS, None, lambda _: None)
    assert text.vocabulary == ASCII
    assert len(ASCII) == 96
    assert len(text.train) == pytest.approx(9 * len(text.test), rel=1e-4)
    assert max(text.train.max(), text.test.max()) < 96


def test_other_topics_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydoc_data import topics
    monkeypatch.setattr(topics, "topics", {"b": "second “part” " * 10, "a": "first ß " * 10})
    told: list[str] = []
    text = load_text(TOPICS, None, told.append)
    assert text.decode(text.train).startswith("first ? ")
    assert 'second "part"' in text.decode(text.train)
    assert re.search("its sha256 is [0-9a-f]{16}…, expected [0-9a-f]{16}…", told[0])


def test_windows_and_their_next_characters() -> None:
    text = from_text("abc", CYCLE)
    x, y = text.windows("train", 5)
    assert x.shape == y.shape == (360 - 5, 5)
    np.testing.assert_array_equal(x[3], [3, 0, 1, 2, 3])
    np.testing.assert_array_equal(y[:, :-1], x[:, 1:])
    x, y = text.windows("test", 5, 5)
    assert x.shape == (7, 5)
    assert text.decode(x.ravel()) == "".join(text.decode(text.test))[:35]


def test_training_on_a_text(network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    result = train(network, out=folder, quiet=True, plots=False)
    assert result.steps == 2 * -(-(352 // 8) // 4)
    assert result.accuracy == 1.0
    assert result.loss is not None
    assert result.loss < 0.5
    again = train(network, out=tmp_path / "again", quiet=True, plots=False)
    assert (again.loss, again.steps) == (result.loss, result.steps)
    text = sample(folder, 11, seed=3, temperature=0.1, start="ab")
    assert text == "cdabcdabcda"
    assert sample(folder, 20, seed=1, start="a") == sample(folder, 20, seed=1, start="a")
    assert main(["sample", str(folder), "--length", "4", "--start", "d", "--temperature", "0.1"]) == 0
    assert capsys.readouterr().out == "dabcd\n"
    with pytest.raises(SymbpError, match="the character 'ß' is none of the 4"):
        sample(folder, 3, start="ß")


def test_the_module_trains_itself(network: Path, tmp_path: Path) -> None:
    assert main(["generate", str(network), "--out", str(tmp_path / "module.py")]) == 0
    assert main(["data", "abc", "--data-dir", str(tmp_path), "--out", str(tmp_path / "abc.npz")]) == 0
    run = subprocess.run([sys.executable, "-I", str(tmp_path / "module.py"), "--data", str(tmp_path / "abc.npz")],  # noqa: S603 - ours
                         capture_output=True, text=True, check=True, env={**os.environ, "HOME": str(tmp_path)})
    assert "accuracy 1.0000" in run.stdout.splitlines()[-1]


def test_what_symbp_data_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "abc.txt").write_text(CYCLE, encoding="utf-8")
    assert main(["data", "abc", "--data-dir", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["vocabulary"] == "abcd"
    assert answer["characters"] == {"train": 360, "test": 40}
    assert answer["file"] is None


@pytest.mark.parametrize(("tokens", "words", "message"), [
    (3, CYCLE, "the text abc has 4 different characters, but the network's input has tokens = 3; make tokens and classes 4"),
    (4, "abcd" * 20, "has 80 characters; at least 100 are needed"),
    (4, "abcd" * 26, None)])
def test_texts_that_do_not_fit(network: Path, tmp_path: Path, tokens: int, words: str, message: str | None) -> None:
    (tmp_path / "abc.txt").write_text(words, encoding="utf-8")
    network.write_text(NETWORK.format(tokens=tokens, folder=tmp_path), encoding="utf-8")
    if message is None:
        assert train(network, out=tmp_path / "run", quiet=True, plots=False, epochs=1).finished
        return
    with pytest.raises(SymbpError, match=re.escape(message)):
        train(network, out=tmp_path / "run", quiet=True, plots=False)


def test_texts_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SymbpError, match=r"abc\.txt: cannot be read"):
        load_text("abc", tmp_path, print)
    (tmp_path / "abc.txt").write_bytes(b"\xff\xfe" * 200)
    with pytest.raises(SymbpError, match="is not UTF-8 text"):
        load_text("abc", tmp_path, print)
    with pytest.raises(SymbpError, match="there is no text 'abc'"):
        load_text("abc", None, print)
    with pytest.raises(SymbpError, match="in its part test, too few for windows of 64"):
        from_text("abc", CYCLE).windows("test", 64)


def test_the_trigram_to_compare_with() -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
    import trigram
    rng = np.random.default_rng(0)
    noise = rng.integers(4, size=20_000)
    assert trigram.loss(noise[:18_000], noise[18_000:], 4) == pytest.approx(np.log(4), abs=0.01)
    cycle = np.arange(4_000) % 4
    assert trigram.loss(cycle[:3_000], cycle[3_000:], 4) < 0.02
    train, test = noise[:300], np.array([0, 1, 2])
    direct = sum(np.exp(-trigram.loss(train, np.array([0, 1, c]), 4)) for c in range(4))
    assert direct == pytest.approx(1)
    assert trigram.loss(train, test, 4) > 0
