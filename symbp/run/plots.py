"""The pictures of a run: loss and accuracy, gradient norms by parameter, and the confusion matrix."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symbp.run.folder import RunFolder

Records = Sequence[Mapping[str, Any]]


def draw(folder: RunFolder, records: Records, matrix: np.ndarray | None, title: str) -> list[Path]:
    """Write the pictures as PNG files; answers their paths."""
    from matplotlib.figure import Figure
    steps = [r for r in records if r["kind"] == "step"]
    epochs = [r for r in records if r["kind"] == "epoch"]
    made = []
    for name, maker, given in (("loss.png", _curves, (steps, epochs)), ("gradients.png", _gradients, (steps,)),
                               ("confusion.png", _confusion, (matrix,))):
        if given[-1] is None or not len(given[-1]):
            continue
        figure = Figure(figsize=(7, 4.2) if name != "confusion.png" else (5.6, 5), layout="constrained", dpi=130)
        maker(figure, *given)
        figure.suptitle(title.replace("$", r"\$"), fontsize=11)
        path = folder.path / name
        folder.write(path, lambda file, figure=figure: figure.savefig(file, format="png", metadata={"Software": None}))
        made.append(path)
    return made


def _curves(figure: Any, steps: Records, epochs: Records) -> None:
    """The loss of the batches, and loss and accuracy on the test split after each epoch."""
    left = figure.add_subplot()
    left.plot([r["step"] for r in steps], [r["loss"] for r in steps], color="#9bb7d4", linewidth=1, label="loss of a batch")
    at = [r["step"] for r in epochs]
    left.plot(at, [r["test_loss"] for r in epochs], color="#1f4e79", marker="o", markersize=4, label="test loss")
    left.set(xlabel="step", ylabel="loss", ylim=(0, None))
    left.spines[["top", "right"]].set_visible(False)
    handles, labels = left.get_legend_handles_labels()
    if any(r["accuracy"] is not None for r in epochs):
        right = left.twinx()
        right.plot(at, [r["accuracy"] for r in epochs], color="#b4531b", marker="s", markersize=4, label="test accuracy")
        right.set(ylabel="accuracy", ylim=(0, 1))
        right.spines["top"].set_visible(False)
        more = right.get_legend_handles_labels()
        handles, labels = handles + more[0], labels + more[1]
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)


def _gradients(figure: Any, steps: Records) -> None:
    """The norm of each parameter's gradient over the steps, on a logarithmic axis."""
    axes = figure.add_subplot()
    for name in steps[0]["gradient_norms"]:
        axes.plot([r["step"] for r in steps], [r["gradient_norms"][name] for r in steps], linewidth=1.1, label=f"∂L/∂{name}")
    axes.set(xlabel="step", ylabel="gradient norm", yscale="log")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)


def _confusion(figure: Any, matrix: np.ndarray) -> None:
    """How often each class was taken for each."""
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    size = 9 if len(matrix) <= 10 else 5
    for i, row in enumerate(matrix):
        for j, count in enumerate(row):
            if count:
                axes.text(j, i, str(count), ha="center", va="center", fontsize=size, color="white" if shares[i, j] > 0.5 else "#333333")
    axes.set(xlabel="predicted class", ylabel="true class", xticks=range(len(matrix)), yticks=range(len(matrix)))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
