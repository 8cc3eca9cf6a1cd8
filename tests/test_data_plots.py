"""`symbp data NAME --plots DIR`: which pictures there are, and the numbers behind them."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from symbp.cli import main
from symbp.data.dataset import from_arrays
from symbp.data.pictures import _coarse, correlations, draw, principal

ROOT = Path(__file__).resolve().parent.parent
REGRESSION = str(ROOT / "examples/regression.toml")


def test_pictures_of_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "digits", "--json", "--plots", str(tmp_path), "--out", str(tmp_path / "d.npz")]) == 0
    found = json.loads(capsys.readouterr().out)["plots"]
    assert {Path(p).name for p in found} == {"classes.png", "histogram.png", "montage.png", "correlation.png", "pca.png"}
    assert all(Path(p).read_bytes().startswith(b"\x89PNG") for p in found)


def test_pictures_of_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", REGRESSION, "--plots", str(tmp_path), "--plot-format", "svg", "--out", str(tmp_path / "h.npz")]) == 0
    text = capsys.readouterr().out
    assert "houses: 320 rows to train on" in text and "missing values: age 11" in text and "outliers to train on" in text
    assert {p.name for p in tmp_path.glob("*.svg")} == {"features.svg", "correlation.svg", "pca.svg"}
    assert b"<svg" in (tmp_path / "pca.svg").read_bytes() and (tmp_path / "h.npz").exists()


@pytest.mark.parametrize("shape", [(9, 5, 4), (9, 33, 31, 3), (9, 6), (9, 1, 1)])
def test_odd_images_are_drawn(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    made = draw(from_arrays("odd", images, np.arange(9) % 2, images[:2], np.arange(2)), tmp_path)
    assert all(path.stat().st_size > 1000 for path in made) and len(made) >= 4


def test_principal_components_are_those_of_the_covariance() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 4)) @ np.diag([5.0, 3.0, 1.0, 0.1])
    places, shares = principal(rows)
    values, vectors = np.linalg.eigh(np.cov(rows.T))
    np.testing.assert_allclose(shares, values[::-1][:2] / values.sum())
    np.testing.assert_allclose(abs(places), abs((rows - rows.mean(axis=0)) @ vectors[:, ::-1][:, :2]), atol=1e-10)


def test_correlations_are_pearsons() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 3))
    np.testing.assert_allclose(correlations(rows), np.corrcoef(rows.T))
    assert correlations(np.array([[1.0, 1.0], [1.0, 2.0]])).tolist() == [[0, 0], [0, pytest.approx(1)]]


def test_blocks_are_means() -> None:
    image = np.arange(28 * 30).reshape(1, 28, 30)
    rows, shape = _coarse(image)
    assert shape == (14, 10)
    assert rows[0, 0] == image[0, :2, :3].mean()


def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["data", REGRESSION, "--plots", str(tmp_path / "file")]) == 2
    assert "--plots: cannot write into the folder" in capsys.readouterr().err
    assert main(["data", str(ROOT / "examples/digits_mlp.toml")]) == 2
    assert "names no CSV file" in capsys.readouterr().err
    assert main(["data", "digits", "--plots", str(tmp_path), "--plot-format", "gif"]) == 2
