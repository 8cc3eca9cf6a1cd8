"""What a module trains on: its input and target, and the lines that read them from a data file.

Stage: Network → lines of Python.
"""
from __future__ import annotations

import sympy as sp

from symbp.errors import LanguageError
from symbp.language.program import Program
from symbp.language.tensor import Access, Tensor, all_accesses
from symbp.module_text import N
from symbp.network import Network
from symbp.printing.numpy import NumpyPrinter

SCALES = {
    "standard": ('scale, mean, std = file["maximum"], file["mean"], file["std"]', '(file[f"{part}_x"] / scale - mean) / std'),
    "unit": ('scale = file["maximum"]', 'file[f"{part}_x"] / scale'),
    "symmetric": ('scale = file["maximum"]', '2 * file[f"{part}_x"] / scale - 1')}
"""How a module scales the images of its data file."""
IMAGES = ("@scales", "found = []", 'for part in ("train", "test"):', "    images = (@scaled).astype(dtype)")
"""How a module reads its images, with what the network says of their scale."""
COLOURS = (
    "    if images.ndim == 4 and images.shape[-1] == INPUT_SHAPE[0]:  # colours are last in the file, and first in the network",
    "        images = images.transpose(0, 3, 1, 2)")
"""What follows where the network may have its colours first."""
TEXT = (
    "view, found = np.lib.stride_tricks.sliding_window_view, []", 'for part, step in (("train", 1), ("test", INPUT_SHAPE[0])):',
    "    tokens = file[part]",
    "    found += [view(tokens[:-1], INPUT_SHAPE[0])[::step], view(tokens[1:], INPUT_SHAPE[0])[::step]]")
"""How it reads windows of a text, and the characters that follow theirs."""


def data_tensors(network: Network) -> tuple[Tensor, Tensor]:
    """The input and the target of a network: the two tensors that hold the samples, with N as their first axis.

    Raises `LanguageError` where there are none such.
    """
    given = [t for t in network.program.inputs if t.role == "input"]
    if len(given) != 2:
        raise LanguageError(f"a module is trained with an input and a target, but the network {network.name} is given "
                            f"{', '.join(t.name for t in given) or 'nothing'}")
    for tensor in given:
        if not tensor.shape or tensor.shape[0] != N:
            raise LanguageError(f"{tensor.name} has the shape {tensor.shape}, without an axis of N samples in front; "
                                'a module trains on batches: write samples = "rows" in [conventions]')
    known = next((t for t in given if t.name == network.notation.input), given[0])
    return known, next(t for t in given if t is not known)


def bounds(program: Program, tensor: Tensor) -> tuple[int, int] | None:
    """The least and the largest whole number that a tensor may hold: what the facts say, else what the axes admit that it is a position on.

    None for a tensor that is no position.
    """
    facts = (f for f in program.facts if isinstance(f.left, Access) and f.left.name == tensor.name and f.right.is_Integer)
    said = {f.relation: int(f.right) for f in facts}
    if {">=", "<="} <= said.keys():
        return said[">="], said["<="]
    found = [(o, o + e - 1) for eq in program.equations for a in all_accesses(sp.Tuple(eq.target, *eq.expressions))
             for p, o, e in zip(a.indices, program.tensor(a.name).origin, program.tensor(a.name).shape, strict=True)
             if isinstance(p, Access) and p.name == tensor.name and e.is_Integer]
    return (int(max(low for low, _ in found)), int(min(high for _, high in found))) if found else None


def reading(network: Network, one_hot: bool, printer: NumpyPrinter) -> list[str]:
    """The lines that leave `found`, the inputs and targets of both parts of a data file; one_hot: a class is a row with a single 1."""
    x, y = data_tensors(network)
    if x.dtype == "int":
        return list(TEXT)
    data, labels = network.extras.get("data"), 'file[f"{part}_y"]'
    if one_hot:
        labels = f"np.eye({printer.number(y.shape[-1])}, dtype=dtype)[{labels}]"
    elif y.dtype == "float":
        labels = f"{labels}.reshape(-1, *{printer.shape(y.shape[1:])})"
    scales, scaled = SCALES[data.scale if data and not data.file else "standard"]
    lines = [line.replace("@scales", scales).replace("@scaled", scaled) for line in IMAGES]
    shape, placed = x.shape[1:], "images.reshape(len(images), *INPUT_SHAPE)"
    colours = COLOURS if len(shape) > 1 and 1 != shape[0] != shape[-1] else ()
    return [*lines, *colours, f"    found += 2 * [{placed}]" if network.reconstructs else f"    found += [{placed}, {labels}]"]
