"""The pictures of `symbp data NAME --plots DIR`: counts, histograms, correlations, principal components, and a montage of samples."""
from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from symbp.data.dataset import SPLITS, Dataset
from symbp.data.table import Table
from symbp.data.text import times
from symbp.report.files import write_atomically

SAMPLED, SEED = 2000, 0
"""So many samples, drawn with this seed, are compared."""
SIDE = 14
"""Images are averaged to at most so many rows and columns before their pixels are correlated."""
MOST_CLASSES = 20
"""Classes that a picture shows one by one."""
MOST_BARS = 10
"""A column with at most so many different values has a bar for each."""
COLORS = ("#1f4e79", "#b4531b")


def draw(data: Dataset | Table, folder: Path, kind: str = "png") -> list[Path]:
    """Write the pictures as "png" or "svg" files; answers their paths."""
    makers: dict[str, tuple[tuple[float, float], Callable[[Any], None]]] = {}
    if data.classes:
        makers["classes"] = (7.0, 3.6), lambda figure: _classes(figure, data)
    if isinstance(data, Table):
        makers["features"] = (9.0, 2.4 * -(-(len(data.columns) + 1) // 3)), lambda figure: _features(figure, data)
    else:
        makers["histogram"] = (7.0, 3.6), lambda figure: _histogram(figure, data)
        makers["montage"] = (7.4, 0.78 * min(data.classes, MOST_CLASSES) + 0.6), lambda figure: _montage(figure, data)
    makers["correlation"] = (6.4, 5.4), lambda figure: _correlation(figure, data)
    if min(len(data.train_x), np.prod(data.sample_shape)) > 1:
        makers["pca"] = (6.8, 5.2), lambda figure: _pca(figure, data)
    return [_written(folder / f"{name}.{kind}", size, kind, data.name, maker) for name, (size, maker) in makers.items()]


def _written(path: Path, size: tuple[float, float], kind: str, title: str, maker: Callable[[Any], None]) -> Path:
    figure, stream = Figure(figsize=size, layout="constrained", dpi=130), io.BytesIO()
    maker(figure)
    what = figure.get_suptitle()
    figure.suptitle(f"{title}: {what}", fontsize=11, parse_math=False)
    figure.savefig(stream, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None})
    write_atomically(path, stream.getvalue())
    return path


def principal(rows: np.ndarray, count: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """The first principal components of centred rows (N, columns), (N, count), and the share of the variance of each (Pearson 1901).

    By the singular value decomposition; the largest entry of each direction is positive, so that signs do not depend on the machine.

    >>> principal(np.array([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]), 1)[1]
    array([1.])
    """
    centred = rows - rows.mean(axis=0)
    _, values, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:count]
    signs = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])
    return centred @ (directions * signs[:, None]).T, (values ** 2 / max((values ** 2).sum(), 1e-300))[:count]


def correlations(rows: np.ndarray) -> np.ndarray:
    """Pearson's correlation of the columns; 0 for a column of one value."""
    centred = rows - rows.mean(axis=0)
    scale = np.sqrt((centred ** 2).sum(axis=0))
    unit = centred / np.where(scale > 0, scale, 1.0)
    return unit.T @ unit


def _sample(data: Dataset | Table) -> np.ndarray:
    """Places of the samples that are compared."""
    count = len(data.train_x)
    return np.sort(np.random.default_rng(SEED).permutation(count)[:SAMPLED])


def _classes(figure: Any, data: Dataset | Table) -> None:
    figure.suptitle("samples of each class")
    axes = figure.add_subplot()
    for k, split in enumerate(SPLITS):
        counts = np.bincount(getattr(data, f"{split}_y"), minlength=data.classes)
        axes.bar(np.arange(data.classes) + 0.4 * k - 0.2, counts, 0.38, color=COLORS[k], label=f"{split} ({counts.sum():,})")
    axes.set(xlabel="class", ylabel="samples")
    if data.classes <= MOST_CLASSES:
        axes.set_xticks(range(data.classes), getattr(data, "labels", None) or [str(k) for k in range(data.classes)])
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    _quiet(axes)


def _histogram(figure: Any, data: Dataset) -> None:
    figure.suptitle("how often each pixel value occurs in the images to train on")
    axes = figure.add_subplot()
    colour = len(data.sample_shape) == 3 and data.sample_shape[-1] == 3
    planes = [(n, data.train_x[..., k], c) for k, (n, c) in enumerate(zip(("red", "green", "blue"), ("#c0392b", "#27874b", "#2864b4")))] \
        if colour else [("pixels", data.train_x, COLORS[0])]
    for name, values, shade in planes:
        counts = np.bincount(values.ravel(), minlength=data.maximum + 1)
        axes.step(np.arange(len(counts)), counts / counts.sum(), where="mid", color=shade, linewidth=1.2, label=name)
    axes.set(xlabel=f"pixel value (0 black, {data.maximum} white)", ylabel="share of the pixels", yscale="log")
    if colour:
        axes.legend(frameon=False)
    _quiet(axes)


def _montage(figure: Any, data: Dataset) -> None:
    figure.suptitle("the first samples of each class")
    rows, columns = min(data.classes, MOST_CLASSES), 10
    grid = figure.subplots(rows, columns, squeeze=False)
    for label in range(rows):
        found = np.flatnonzero(data.train_y == label)[:columns]
        for k, axes in enumerate(grid[label]):
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if k < len(found):
                axes.imshow(_picture(data.train_x[found[k]]), cmap="gray", vmin=0, vmax=data.maximum)
        grid[label][0].set_ylabel(str(label), rotation=0, labelpad=10, va="center")


def _picture(image: np.ndarray) -> np.ndarray:
    """An image that matplotlib shows: grey of one plane, or three colours; a row of bytes is one line."""
    if image.ndim == 3 and image.shape[-1] != 3:
        image = image[..., 0]
    return image if image.ndim > 1 else image[None]


def _features(figure: Any, data: Table) -> None:
    figure.suptitle("how often each value occurs in the rows to train on")
    shown = [*zip(data.columns, data.train_x.T), (f"{data.target} (target)", data.train_y)]
    grid = figure.subplots(-(-len(shown) // 3), 3, squeeze=False).ravel()
    for axes, (name, values) in zip(grid, shown):
        color, (known, counts) = COLORS[1] if "(target)" in name else COLORS[0], np.unique(values, return_counts=True)
        if len(known) <= MOST_BARS:
            axes.bar(known, counts, 0.8 * np.diff(known).min(initial=np.ptp(known) or 1.0), color=color)
            axes.set_xticks(known)
        else:
            axes.hist(values, bins=30, color=color)
        axes.set(xlabel=name, ylabel="rows")
        _quiet(axes)
    for axes in grid[len(shown):]:
        axes.set_visible(False)


def _correlation(figure: Any, data: Dataset | Table) -> None:
    names: tuple[str, ...] = ()
    if isinstance(data, Table):
        names, rows = (*data.columns, data.target), np.column_stack([data.train_x, data.train_y])
        figure.suptitle("correlation of the columns (rows to train on)")
    else:
        rows, shape = _coarse(data.train_x[_sample(data)])
        figure.suptitle(f"correlation of the pixels, averaged to {times(shape)}, row by row")
    axes, found = figure.add_subplot(), correlations(rows.astype(np.float64))
    picture = axes.imshow(found, cmap="RdBu_r", vmin=-1, vmax=1)
    if names:
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(names)), names)
        if len(names) <= 12:
            for (i, j), value in np.ndenumerate(found):
                axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8, color="white" if abs(value) > 0.6 else "#333333")
    else:
        axes.set(xlabel="pixel", ylabel="pixel")
    figure.colorbar(picture, ax=axes, label="correlation", shrink=0.85)


def _coarse(images: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """Images in grey with at most SIDE rows and columns, flat: the means of blocks; and their height and width."""
    grey = images.astype(np.float64)
    grey = grey.mean(axis=-1) if grey.ndim == 4 else grey
    for axis in range(1, grey.ndim):
        block = -(-grey.shape[axis] // SIDE)
        edges = np.arange(0, grey.shape[axis], block)
        sizes = np.diff([*edges, grey.shape[axis]])
        shape = [1] * grey.ndim
        shape[axis] = len(sizes)
        grey = np.add.reduceat(grey, edges, axis=axis) / sizes.reshape(shape)
    return grey.reshape(len(grey), -1), grey.shape[1:]


def _pca(figure: Any, data: Dataset | Table) -> None:
    chosen = _sample(data)
    rows = data.train_x[chosen].reshape(len(chosen), -1).astype(np.float64)
    if isinstance(data, Table):
        rows = (rows - data.mean) / data.std
    places, shares = principal(rows)
    figure.suptitle(f"the first two principal components of {len(chosen):,} samples")
    axes, y = figure.add_subplot(), data.train_y[chosen]
    if data.classes and data.classes <= MOST_CLASSES:
        colors = colormaps["tab10" if data.classes <= 10 else "tab20"].colors
        for label in range(data.classes):
            name = data.labels[label] if isinstance(data, Table) else str(label)
            axes.plot(*places[y == label].T, ".", color=colors[label], markersize=4, alpha=0.7, label=name)
        axes.legend(title="class", frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), markerscale=2.5)
    else:
        dots = axes.scatter(*places.T, c=y, s=10, cmap="viridis")
        figure.colorbar(dots, ax=axes, label=getattr(data, "target", "class"), shrink=0.85)
    first, second = (f"component {k} ({100 * share:.1f} % of the variance)" for k, share in enumerate(shares, 1))
    axes.set(xlabel=first, ylabel=second)
    _quiet(axes)


def _quiet(axes: Any) -> None:
    """Less ink."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#ececec", linewidth=0.6)
    axes.set_axisbelow(True)
