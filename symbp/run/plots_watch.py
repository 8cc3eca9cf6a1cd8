"""The picture of a watched run: gradient norm and saturation by layer over the steps."""
from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.ticker import MaxNLocator

from symbp.run.folder import RunFolder
from symbp.run.plots import Record, numbers, quiet, written

MOST_LEGENDS = 16
"""Lines that a legend names."""


def draw_watched(folder: RunFolder, records: Sequence[Record], title: str) -> Path:
    """Write the picture; answers its path.  records: those of the kind "watch", at least one."""
    panels = 1 + any(r["saturation"] for r in records)
    return written(folder, "watch.png", (5.2 * panels + 1.2, 4.2), title, lambda figure: _panels(figure, records, panels))


def _panels(figure: Any, records: Sequence[Record], panels: int) -> None:
    left, *right = figure.subplots(1, panels, squeeze=False)[0]
    at = [r["step"] for r in records]
    rows = {f"layer {k}": numbers(r["gradients"].get(k) for r in records) for k in records[0]["gradients"]}
    _lines(left, at, {k: np.where(v > 0, v, math.nan) for k, v in rows.items()})
    left.set(xlabel="step", ylabel="norm of the layer's gradient (probe batch)", yscale="log")
    for axes in right:
        shares = {k: numbers(r["saturation"][k]["flat"] for r in records) for k in records[0]["saturation"]}
        _lines(axes, at, shares)
        axes.set(xlabel="step", ylabel="inputs where the activation is flat", ylim=(-0.02, 1.02))
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")


def _lines(axes: Any, at: Sequence[int], rows: dict[str, np.ndarray]) -> None:
    """A line for each layer, from dark (the first) to light (the last)."""
    for k, (label, values) in enumerate(rows.items()):
        color = colormaps["viridis"](0.92 * k / max(len(rows) - 1, 1))
        axes.plot(at, values, color=color, linewidth=1.2, marker="o" if len(at) < 3 else "", label=label)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    quiet(axes)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[:MOST_LEGENDS], labels[:MOST_LEGENDS], loc="upper left", bbox_to_anchor=(1.0, 1.02), frameon=False, fontsize=8)
