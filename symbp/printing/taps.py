"""Patches of an image as loops over the taps of a window, each of which is copied straight from the image.

Stage: a view of sliding windows → lines of Python.  A copy for each tap runs along whole rows; one of all windows starts anew for each
row of each window, and needs an image with margins.  Windows that reach over the image keep the zeros that are there from the start.
"""
from __future__ import annotations

from collections.abc import Collection

import sympy as sp

from symbp.arrays.nodes import WHOLE, At, Key, Name, Node, Part, Slice, Subscript, extent, nodes, permute
from symbp.arrays.patches import Patches, block
from symbp.printing.numpy import NumpyPrinter
from symbp.resources import templates_dir
from symbp.spelling import TAKEN

HELPER = tuple((templates_dir() / "taps.txt").read_text(encoding="utf-8").rstrip("\n").split("\n"))
"""The function that such loops call; it needs `functools`."""


def tap_lines(out: Node, image: Node, found: Patches, node: Node, printer: NumpyPrinter, used: Collection[str]) -> list[str]:
    """The lines that leave the windows that a node shows of an image in an array; `used` are names that no loop may take."""
    used = {*used, *TAKEN, *printer.names, *(printer.name(n.name) for part in (out, image) for n in nodes(part) if isinstance(n, Name))}
    into: list[Key] = [WHOLE] * len(node.axes)
    source: list[Key] = [WHOLE] * len(image.axes)
    heads = []
    if (step := block(found, node)) is not None:
        images = next(k for k, a in enumerate(found.axes) if a.axis == 0)
        name = _free(printer.index(node.axes[images]), used)
        heads.append(f"for {name} in range(0, {printer.number(extent(node.axes[images]))}, {step}):")
        into[images] = source[0] = Part(f"{name}:{name} + {step}")
    for taps, windows in found.tapped():
        tap, window = (_free(printer.index(node.axes[k]), used) for k in (taps, windows))
        origin = _free(f"from_{window}", used)
        heads.append(f"for {tap}, {window}, {origin} in _taps({_given(found, node, taps, windows)}):")
        into[taps], into[windows], source[found.axes[taps].axis] = At(sp.Symbol(tap)), Part(window), Part(origin)
    for k in found.cut():
        along = found.axes[k]
        stop = along.first + along.step * (extent(node.axes[k]) - 1) + 1
        source[along.axis] = Slice(sp.Integer(along.first), stop, along.step)
    kept = [k for k, a in enumerate(found.axes) if not a.taps]
    order = tuple(found.axes[k].axis for k in kept)
    axes = tuple(node.axes[k] for k in kept)
    views = {_free(name, used): array for name, array in (("windows", out), ("image", permute(image, order)))}
    named = type(printer)({**printer.names, **{name: name for name in views}}, printer.dtype)
    left, right = (named(Subscript(axes, node.dtype, Name((None,) * len(array.axes), array.dtype, name), tuple(keys)))
                   for (name, array), keys in zip(views.items(), (into, [source[k] for k in order])))
    first = [f"{name} = {printer(array)}" for name, array in views.items()]
    return [*first, *("    " * k + line for k, line in enumerate((*heads, f"{left} = {right}")))]


def _free(name: str, used: set[str]) -> str:
    """The name, or a longer one where it is used; it is used from now on."""
    while name in used:
        name += "_"
    used.add(name)
    return name


def _given(found: Patches, node: Node, taps: int, windows: int) -> str:
    """What the helper is called with for an axis of taps and that of its windows."""
    count, number, (tap, window) = extent(node.axes[taps]), extent(node.axes[windows]), (found.axes[k] for k in (taps, windows))
    first = window.first + tap.first
    size = found.extents[window.axis]
    met = first + window.step * (number - 1) + tap.step * (count - 1) + 1 if size is None else size
    more = {"stride": (window.step, 1), "dilation": (tap.step, 1), "padding": (-first, 0)}
    return ", ".join([f"{count}, {number}, {met}", *(f"{name}={value}" for name, (value, usual) in more.items() if value != usual)])
