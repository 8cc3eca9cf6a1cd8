"""Tables: what is read of a CSV file, what is said about it, and a regression that is trained on one."""
from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

import symbp
from symbp.cli import main
from symbp.data.table import Reading, Table, read_table
from symbp.emit import generate
from symbp.errors import DataError, SymbpError
from symbp.netfile import parse
from symbp.run import resume, train
from symbp.run.metrics import r2_rmse

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples/regression.toml"
TINY = "a,b,kind,y\n" + "".join(f"{k},{k * k % 7},{'uvw'[k % 3]},{2 * k + 1}\n" for k in range(20))


def table(folder: Path, text: str = TINY, **how: object) -> Table:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return read_table(folder / "t.csv", Reading(**{"target": "y", **how}))


def test_columns_rows_and_split(tmp_path: Path) -> None:
    found = table(tmp_path)
    assert found.columns == ("a", "b", "kind=u", "kind=v", "kind=w") and found.classes == 0
    assert found.train_x.shape == (16, 5) and found.test_x.shape == (4, 5)
    assert sorted([*found.train_x[:, 0], *found.test_x[:, 0]]) == list(range(20))
    np.testing.assert_array_equal(found.train_y, 2 * found.train_x[:, 0] + 1)
    np.testing.assert_array_equal(found.train_x[:, 2:].argmax(axis=1), found.train_x[:, 0] % 3)
    assert table(tmp_path).digest() == found.digest() != table(tmp_path, split_seed=1).digest()
    assert table(tmp_path, categorical="integer", features=["kind"]).columns == ("kind",)


def test_scales_are_those_of_the_rows_to_train_on(tmp_path: Path) -> None:
    x = table(tmp_path).inputs("train", [5], "float64")
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(x.std(axis=0), 1)
    unit = table(tmp_path, scale="unit").inputs("train", [5], "float64")
    assert unit.min() == 0 and unit.max() == 1
    symmetric = table(tmp_path, scale="symmetric").inputs("train", [5], "float64")
    np.testing.assert_allclose(symmetric, 2 * unit - 1)


def test_words_as_target_are_classes(tmp_path: Path) -> None:
    found = table(tmp_path, target="kind", features=["a"])
    assert found.labels == ("u", "v", "w") and found.targets("test").shape == (4, 3)
    np.testing.assert_array_equal(found.train_y, found.train_x[:, 0] % 3)


@pytest.mark.parametrize("gap", ["", "NA", "nan", "?", " null "])
def test_missing_values(tmp_path: Path, gap: str) -> None:
    text = TINY.replace("\n4,", f"\n{gap},")
    with pytest.raises(DataError, match="t.csv: line 6, column 'a': the value is missing"):
        table(tmp_path, text)
    dropped = table(tmp_path, text, missing="drop")
    assert len(dropped.train_x) + len(dropped.test_x) == 19 and "a 1; 1 rows dropped" in dropped.report[0]
    for missing, measure in (("mean", np.mean), ("median", np.median)):
        filled = table(tmp_path, text, missing=missing)
        both, answers = np.concatenate([filled.train_x, filled.test_x])[:, 0], np.concatenate([filled.train_y, filled.test_y])
        known = filled.train_x[filled.train_y != 9, 0]
        assert both[answers == 9] == pytest.approx([measure(known)]) and f"filled with the {missing}" in filled.report[0]


def test_a_missing_answer_drops_its_row(tmp_path: Path) -> None:
    found = table(tmp_path, TINY.replace(",9\n", ",\n"), missing="mean")
    assert len(found.train_x) + len(found.test_x) == 19 and "1 rows dropped" in found.report[0]


def test_outliers(tmp_path: Path) -> None:
    text = TINY.replace("\n7,", "\n1000,")
    kept = table(tmp_path, text, test_fraction=0.1)
    assert 1000 in kept.train_x and "a 1; kept" in kept.report[0]
    clipped = table(tmp_path, text, test_fraction=0.1, outliers="clip")
    rest = kept.train_x[:, 0]
    low, high = np.quantile(rest, [0.25, 0.75])
    assert clipped.train_x[:, 0].max() == pytest.approx(high + 1.5 * (high - low))
    dropped = table(tmp_path, text, test_fraction=0.1, outliers="drop", rule="z_score", factor=3.0)
    assert len(dropped.train_x) == len(kept.train_x) - 1 and "1 rows dropped" in dropped.report[0]
    assert table(tmp_path).report == ("no missing values, no outliers",)


@pytest.mark.parametrize(("text", "how", "message"), [
    ("", {}, "line 1: expected the columns' names"),
    ("a,y\n1,2\n", {}, "at least two rows, found 1"),
    ("a,a,y\n1,2,3\n", {}, "a different name for each column, found 'a' 2 times"),
    ("a,,y\n1,2,3\n", {}, "column 2 has no name"),
    ("a,y\n1,2\n1,2,3\n", {}, r"line 3: expected 2 values \(a, y\), found 3"),
    ("a,y\n1,2\n1,2\nx2,3\n", {}, "line 4, column 'a': expected a number, as in most of this column, found 'x2'"),
    ("a,y\n1,2\n1,inf\n1,4\n", {}, "line 3, column 'y': expected a number"),
    ("a,y\n,2\n,3\n", {}, "column 'a': every value is missing"),
    ('a,y\n"1,2\n', {}, "this is no CSV"),
    (TINY, {"target": "z"}, "there is no column 'z'"),
    (TINY, {"features": ["a", "y"]}, "the column 'y' is the target"),
    (TINY, {"features": ["a", "a"]}, "must be different columns"),
    ("a,y\n" + "".join(f"w{k},{k}\n" for k in range(150)), {}, "150 different words, more than 100"),
    ("a,y\n1,2\n2,3\n", {"test_fraction": 0.9}, "none is left to train on"),
])
def test_bad_files(tmp_path: Path, text: str, how: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        table(tmp_path, text, **how)


def test_a_file_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        read_table(tmp_path / "no.csv", Reading("y"))
    (tmp_path / "b.csv").write_bytes(b"a,y\n\xff\xfe,2\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_table(tmp_path / "b.csv", Reading("y"))


# networks

def test_the_example_is_made_by_its_formula(tmp_path: Path) -> None:
    runpy.run_path(str(ROOT / "examples/make_houses.py"))["main"](tmp_path / "houses.csv")
    assert (tmp_path / "houses.csv").read_bytes() == (ROOT / "examples/houses.csv").read_bytes()


def test_a_regression_is_judged_by_r2_and_rmse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = train(EXAMPLE, out=tmp_path / "run", epochs=60, quiet=True)
    assert result.accuracy is None and result.r2 is not None and result.r2 > 0.9
    assert "missing values: age 11" in capsys.readouterr().err
    assert "predicted.png" in result.files and "confusion.png" not in result.files
    report = json.loads((result.folder / "report.json").read_text())
    assert report["r2"] == result.r2 and report["rmse"] == result.rmse and report["confusion"] == []
    last = json.loads((result.folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["r2"] == result.r2 and last["accuracy"] is None
    part = train(EXAMPLE, out=tmp_path / "part", epochs=30, quiet=True, plots=False).folder
    assert resume(part, epochs=60, quiet=True, plots=False).r2 == result.r2
    assert resume(part, quiet=True).r2 == result.r2
    assert (part / "params.npz").read_bytes() == (result.folder / "params.npz").read_bytes()


def test_the_module_answers_r2(tmp_path: Path) -> None:
    space: dict = {"__name__": "module"}
    exec(generate(symbp.load(EXAMPLE)), space)  # noqa: S102 - generated here
    data = read_table(ROOT / "examples/houses.csv", symbp.load(EXAMPLE).extras["data"].reading())
    params = space["init_params"](0, np.float64)
    x, y = data.inputs("test", [6], "float64"), data.targets("test", dtype="float64")
    loss, r2 = space["evaluate"](params, x, y)
    wanted, rmse = r2_rmse(y, space["forward"](params, x))
    assert r2 == pytest.approx(wanted, rel=1e-12) and loss == pytest.approx(rmse**2 / 2)
    data.save(tmp_path / "houses.npz")
    found = space["read_data"](tmp_path / "houses.npz", "float64")
    np.testing.assert_array_equal(found[2], x)
    np.testing.assert_array_equal(found[3], y)


@pytest.mark.parametrize(("old", "new", "message"), [
    ('target = "price"', "", "not which column is the answer"),
    ('target = "price"', 'target = "prise"', "there is no column 'prise'; did you mean \"price\""),
    ("shape = [6]", "shape = [5]", "has 6 columns of features"),
    ("shape = [1]", "classes = 2", "one number for each row"),
    ('missing = "median"', "", r"line \d+, column 'age': the value is missing"),
    ('missing = "median"', 'missing = "modus"', "missing = \"modus\" is unknown"),
    ('target = "price"', 'target = "price"\nflip = true', "flip is about images"),
    ('file = "houses.csv"', 'file = "houzes.csv"', "there is no such file"),
])
def test_bad_network_files(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "houses.csv").write_bytes((ROOT / "examples/houses.csv").read_bytes())
    text = EXAMPLE.read_text().replace(old, new)
    if "classes" in new:
        text = text.replace("units = 1\n", "units = 2\n")
    (tmp_path / "net.toml").write_text(text)
    with pytest.raises(SymbpError, match=message):
        train(tmp_path / "net.toml", out=tmp_path / "run", quiet=True)
    assert main(["train", str(tmp_path / "net.toml"), "--out", str(tmp_path / "run")]) == 2


def test_keys_of_tables_need_a_file() -> None:
    with pytest.raises(SymbpError, match="no file is named"):
        parse(EXAMPLE.read_text().replace('file = "houses.csv"\n', ""))
