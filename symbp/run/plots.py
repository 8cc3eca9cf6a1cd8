"""The pictures of a run: loss and accuracy, gradient norms by parameter, and the confusion matrix."""
from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from symbp.run.folder import RunFolder

Record = Mapping[str, Any]

PALE, DARK, WARM = "#9bb7d4", "#1f4e79", "#b4531b"
MOST_NUMBERED = 24
"""Classes of a confusion matrix whose counts are written into it."""
MOST_LINES = 12
"""Lines of gradient norms that a legend names one below the other."""
WIDE = 30.0
"""A loss whose largest value is so many times its smallest has a logarithmic axis."""


def draw(folder: RunFolder, records: Sequence[Record], matrix: np.ndarray | None, title: str,
         pairs: tuple[np.ndarray, np.ndarray] | None = None) -> list[Path]:
    """Write the pictures as PNG files; answers their paths.

    records: those of metrics.jsonl.  matrix: (classes, classes) counts, None where there are no classes.  pairs: true and
    predicted numbers of a regression.
    """
    steps = [r for r in records if r["kind"] == "step"]
    epochs = [r for r in records if r["kind"] == "epoch"]
    made = []
    if steps or epochs:
        made.append(written(folder, "loss.png", (8.4, 3.9), title, lambda figure: _curves(figure, steps, epochs)))
    if any(_positive(r["gradient_norms"].values()) for r in steps):
        made.append(written(folder, "gradients.png", (7.4, 4.2), title, lambda figure: _gradients(figure, steps)))
    if matrix is not None:
        size = 5.4 if len(matrix) <= MOST_NUMBERED // 2 else 8.5
        made.append(written(folder, "confusion.png", (size, size), title, lambda figure: _confusion(figure, matrix)))
    if pairs is not None:
        made.append(written(folder, "predicted.png", (9.2, 4.4), title, lambda figure: _predicted(figure, *pairs)))
    return made


def written(folder: RunFolder, name: str, size: tuple[float, float], title: str, maker: Callable[[Any], None]) -> Path:
    """A picture with its title, as a file of the run; letters that the font lacks are boxes and no warning."""
    figure = Figure(figsize=size, layout="constrained", dpi=130)
    path = folder.path / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        maker(figure)
        figure.suptitle(title if len(title) <= 64 else title[:63] + "…", fontsize=11, parse_math=False)
        folder.write(path, lambda file: figure.savefig(file, format="png", metadata={"Software": None}))
    return path


def _curves(figure: Any, steps: Sequence[Record], epochs: Sequence[Record]) -> None:
    """Loss and, where there is one, accuracy: of the batches, and on the test split after each epoch."""
    word = "r2" if any(r.get("r2") is not None for r in epochs) else "accuracy"
    share = any(r.get(word) is not None for r in epochs)
    left, *right = figure.subplots(1, 2 if share else 1, squeeze=False)[0]
    _pair(left, steps, epochs, "loss", "test_loss")
    found = [v for r in (*steps, *epochs) for v in (r["loss"], r.get("test_loss")) if v is not None]
    if found and min(found) > 0 and max(found) > WIDE * min(found):
        left.set_yscale("log")
    else:
        left.set_ylim(bottom=min(0, *found) if found else 0)
    for axes in right:
        _pair(axes, steps, epochs, word, word)
        if word == "accuracy":
            axes.set_ylim(0, 1.02)
            axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        else:
            axes.set(ylim=(-0.3, 1.02), ylabel="R²")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)


def _pair(axes: Any, steps: Sequence[Record], epochs: Sequence[Record], key: str, test_key: str) -> None:
    """One quantity of the batches and of the test split, over the steps."""
    axes.plot([r["step"] for r in steps], numbers(r.get(key) for r in steps), color=PALE, linewidth=1, label="a batch, before its step")
    at = [r["step"] for r in epochs]
    marker = "o" if len(epochs) <= 60 else ""
    axes.plot(at, numbers(r[test_key] for r in epochs), color=WARM, marker=marker, markersize=3.5, linewidth=1.6, label="test split")
    axes.set(xlabel="step", ylabel=key)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    quiet(axes)


def _gradients(figure: Any, steps: Sequence[Record]) -> None:
    """The norm of each parameter's gradient on a logarithmic axis; matrices solid, vectors dashed, in the colour of their layer."""
    axes = figure.add_subplot()
    names = list(steps[0]["gradient_norms"])
    at = [r["step"] for r in steps]
    for name, (color, style) in zip(names, _styles(names)):
        values = numbers(r["gradient_norms"].get(name) for r in steps)
        axes.plot(at, np.where(values > 0, values, math.nan), style, color=color, linewidth=1.0, label=f"∂L/∂{name}")
    axes.set(xlabel="step", ylabel="norm of the gradient", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    quiet(axes)
    columns = -(-len(names) // MOST_LINES)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False, fontsize=9 if columns < 3 else 6, ncols=columns)


def _styles(names: Sequence[str]) -> list[tuple[Any, str]]:
    """Colour and line of each parameter.

    >>> [style for _, style in _styles(["W1", "b1", "W2"])]
    ['-', '--', '-']
    """
    layers = [name.lstrip("bW") if name[:1] in "bW" else name.rpartition(".")[0] or name for name in names]
    order = list(dict.fromkeys(layers))
    few = colormaps["tab10"].colors
    colors = [few[k] if len(order) <= len(few) else colormaps["viridis"](0.95 * k / (len(order) - 1)) for k in range(len(order))]
    return [(colors[order.index(layer)], "--" if name.rpartition(".")[2].startswith("b") else "-") for name, layer in zip(names, layers)]


def _confusion(figure: Any, matrix: np.ndarray) -> None:
    """How often each class was taken for each: shades are shares of a row, numbers are counts."""
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(matrix) <= MOST_NUMBERED:
        size = 9 if matrix.max() < 1000 and len(matrix) <= 12 else 7
        for (i, j), count in np.ndenumerate(matrix):
            if count:
                axes.text(j, i, str(count), ha="center", va="center", fontsize=size, color="white" if shares[i, j] > 0.5 else "#333333")
        axes.set(xticks=range(len(matrix)), yticks=range(len(matrix)))
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.tick_params(length=0)
    axes.spines[:].set_color("#bbbbbb")


def _predicted(figure: Any, wanted: np.ndarray, predicted: np.ndarray) -> None:
    """Predicted over true numbers of the test split, and what is left over the predicted ones."""
    left, right = figure.subplots(1, 2)
    true, found = wanted.ravel(), predicted.ravel()
    ends = [min(true.min(), found.min()), max(true.max(), found.max())]
    left.plot(ends, ends, color=WARM, linewidth=1.2, label="no error")
    left.plot(true, found, ".", color=DARK, alpha=0.6, markersize=5, label="a sample of the test split")
    left.set(xlabel="true", ylabel="predicted")
    left.legend(frameon=False, fontsize=8)
    right.axhline(0, color=WARM, linewidth=1.2)
    right.plot(found, true - found, ".", color=DARK, alpha=0.6, markersize=5)
    right.set(xlabel="predicted", ylabel="residual: true − predicted")
    for axes in (left, right):
        quiet(axes)


def quiet(axes: Any) -> None:
    """Less ink: no frame above and at the right, a pale grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)


def numbers(values: Iterable[float | None]) -> np.ndarray:
    """The values as an array, with NaN for what is missing, so that a line has a gap there."""
    return np.array([math.nan if v is None else v for v in values], dtype=np.float64)


def _positive(values: Iterable[float | None]) -> bool:
    return any(v is not None and v > 0 for v in values)
