"""The network file: TOML → validated tables → `Network`.  Nothing in a file is ever evaluated.

    name = "…"  title = "…"  [input]  [target]  [[layers]]  [loss]  [optimizer]  [conventions]  [notation]  [derivation]
    [data]  [train]                     or, instead of input, target, layers and loss:  [network] equations = […]

Every mistake is one paragraph that names the file, the table, the key and the remedy.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from symbp.data.table import Reading
from symbp.language.conventions import CHOICES, Conventions
from symbp.layers import LAYERS, Layer
from symbp.layers.equations import Extent
from symbp.losses import LOSSES, Target
from symbp.network import Network
from symbp.notation import Notation
from symbp.optim import OPTIMIZERS
from symbp.report.text import visible
from symbp.settings import FILE_NAME, Count, Identifier, NetworkError, Settings, place, quoted, read_typed
from symbp.suggest import nearest
from symbp.tomlfile import tables_of, text_of

MOST_LAYERS = 2_000

Table = dict[str, Any]


class Input(Settings):
    """The input of one sample; tokens: it holds whole numbers from 0, so many different ones."""

    shape: Annotated[list[Count], Field(min_length=1, max_length=8)]
    tokens: Count | None = None


class Choices(Settings):
    """How a derivation is shown: σ′(z) kept or folded into a(1 − a), facts used or ignored."""

    activation_derivatives: Literal["auto", "folded", "kept"] = "auto"
    facts: Literal["used", "ignored"] = "used"


class Data(Settings):
    """The data to train on: the name of a known set, and a folder where its files lie, if they are the user's.

    scale: how bytes become numbers.  flip, crop: mirror images, and shift them by up to so many pixels, at random while training.
    file: a CSV file beside the network file, instead of images; the keys from `target` on are about its columns and rows.
    """

    name: Annotated[str, Field(pattern=FILE_NAME, max_length=60)]
    folder: str | None = None
    scale: Literal["standard", "unit", "symmetric"] = "standard"
    flip: bool = False
    crop: Annotated[int, Field(ge=0, le=64)] = 0
    file: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    target: str | None = None
    features: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = None
    categorical: Literal["one_hot", "integer"] = "one_hot"
    missing: Literal["error", "drop", "mean", "median"] = "error"
    outliers: Literal["keep", "drop", "clip"] = "keep"
    rule: Literal["iqr", "z_score"] = "iqr"
    factor: Annotated[float, Field(gt=0)] | None = None
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    def model_post_init(self, _context: object) -> None:
        """Refuse keys that have no meaning together."""
        given = self.model_fields_set
        of_tables = given & {"target", "features", "categorical", "missing", "outliers", "rule", "factor", "test_fraction", "split_seed"}
        if self.file is None and of_tables:
            raise NetworkError(f"{min(of_tables)} is about the columns of a CSV file, but no file is named; add file = \"….csv\", "
                               "or remove it")
        if self.file is not None and (self.folder is not None or self.flip or self.crop):
            key = "folder" if self.folder is not None else "flip" if self.flip else "crop"
            raise NetworkError(f"{key} is about images, but file = {quoted(self.file)} is a table; remove one of the two")
        if self.file is not None and self.target is None:
            raise NetworkError('file names a table, but not which column is the answer; add target = "…" with the name of a column')


    def reading(self) -> Reading:
        """How the CSV file is read."""
        return Reading(**{f.name: getattr(self, f.name) for f in fields(Reading)})


class Train(Settings):
    """How to train."""

    epochs: Count = 5
    batch_size: Count = 128
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    dtype: Literal["float32", "float64"] = "float32"


class Declared(Settings):
    """A given tensor of a network written as equations."""

    axes: list[Identifier] = Field(default_factory=list)
    role: Literal["input", "parameter", "state", "constant"] = "input"
    dtype: Literal["float", "int"] = "float"


class Written(Settings):
    """A whole network as equations."""

    equations: Annotated[list[str], Field(min_length=1, max_length=1000)]
    loss: Identifier = "L"
    tensors: Annotated[dict[Identifier, Table], Field(min_length=1)]
    indices: dict[Identifier, Extent] = Field(default_factory=dict)
    facts: list[str] = Field(default_factory=list)


class Contents(Settings):
    """The tables of a network file."""

    name: Annotated[str, Field(pattern=FILE_NAME, max_length=60)]
    title: Annotated[str, Field(max_length=300)] = ""
    input: Table | None = None
    target: Table = Field(default_factory=dict)
    layers: Annotated[list[Table], Field(max_length=MOST_LAYERS)] | None = None
    loss: Table | None = None
    network: Table | None = None
    optimizer: Table | None = None
    conventions: Table = Field(default_factory=dict)
    notation: Table = Field(default_factory=dict)
    derivation: Table = Field(default_factory=dict)
    data: Table | None = None
    train: Table | None = None


def load(path: str | Path) -> Network:
    """Read a network file.

    Raises `NetworkError`, one paragraph, for whatever is wrong with the file or the network in it.
    """
    path = Path(path)
    shown = visible(str(path))
    with place(shown if len(shown) <= 300 else "…" + shown[-300:]):
        return parse(text_of(path, "network file", 'a name = "…", an [input], [[layers]] and a [loss]'))


def parse(text: str) -> Network:
    """Read the text of a network file.

    >>> net = parse('''name = "line"
    ... [input]
    ... shape = [3]
    ... [[layers]]
    ... type = "dense"
    ... units = 1
    ... [loss]
    ... type = "squared_error"
    ... ''')
    >>> print(net.program)
    z1[n, j] += sum(i, W1[j, i]*x[n, i])
    z1[n, j] += b1[j]
    L[] += sum(n, j, (-y[n, j] + z1[n, j])**2/(2*N))
    """
    return network(tables_of(text, "network file"))


def network(tables: Mapping[str, Any]) -> Network:
    """The network that the tables of a file describe."""
    contents = Contents(**tables)
    rest: Table = {"title": contents.title}
    for key, kind in (("conventions", _conventions), ("notation", Notation)):
        with place(f"[{key}]"):
            rest[key] = kind(**getattr(contents, key))
    with place("[derivation]"):
        rest["derivation"] = Choices(**contents.derivation).model_dump(exclude_unset=True)
    if contents.optimizer is not None:
        with place("[optimizer]"):
            rest["optimizer"] = read_typed(OPTIMIZERS, contents.optimizer, "optimiser")
    rest["extras"] = _extras(contents)
    return _of_equations(contents, rest) if contents.network is not None else _of_layers(contents, rest)


def _extras(contents: Contents) -> dict[str, Settings]:
    """The tables that other commands read."""
    found = {}
    for key, kind in (("data", Data), ("train", Train)):
        if getattr(contents, key) is not None:
            with place(f"[{key}]"):
                found[key] = kind(**getattr(contents, key))
    return found


def _conventions(**table: Any) -> Conventions:
    """The conventions: known keys, each with a word of its list."""
    for key, value in table.items():
        if key not in CHOICES:
            raise NetworkError(f"unknown key {quoted(key)}{nearest(key, CHOICES)}")
        if not isinstance(value, str):
            raise NetworkError(f"{key} must be text in quotes, not {quoted(value)}{nearest('', CHOICES[key])}")
    return Conventions(**table)


def _of_layers(contents: Contents, rest: Table) -> Network:
    if not contents.layers:
        raise NetworkError('there are no layers: add a table [[layers]] with, for instance, type = "dense" and units = 10')
    if contents.loss is None:
        raise NetworkError('the table [loss] is missing; add it with, for instance, type = "squared_error"')
    given: dict[str, Any] = {"input": None}
    if contents.input is not None:
        with place("[input]"):
            read = Input(**contents.input)
            given = {"input": read.shape, "tokens": read.tokens}
    with place("[target]"):
        target = Target(**contents.target)
    layers = [_layer(k + 1, table) for k, table in enumerate(contents.layers)]
    with place("[loss]"):
        loss = read_typed(LOSSES, contents.loss, "loss")
    return Network.of_layers(contents.name, layers, loss, target=target, **given, **rest)


def _layer(number: int, table: Table) -> Layer:
    kind = table.get("type")
    with place(f"[[layers]] number {number}" + (f" ({kind})" if isinstance(kind, str) and kind in LAYERS else "")):
        return read_typed(LAYERS, table, "layer")


def _of_equations(contents: Contents, rest: Table) -> Network:
    clash = next((k for k in ("input", "layers", "loss") if getattr(contents, k) is not None), None)
    if clash or contents.target:
        raise NetworkError(f"[network] is a whole network, so the table {clash or 'target'} has no place beside it; remove one of the two")
    with place("[network]"):
        written = Written(**contents.network or {})
        tensors = {}
        for name, table in written.tensors.items():
            with place(f"tensors.{name}"):
                tensors[name] = Declared(**table).model_dump()
        return Network.of_equations(contents.name, written.equations, tensors, loss=written.loss, indices=written.indices,
                                    facts=written.facts, **rest)
