"""Text from a trained run: each character is drawn from what the network says of the characters before it."""
from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np

from symbp.data.characters import Text, load_text
from symbp.data.sources import to_stderr
from symbp.emit import generate
from symbp.errors import RunError
from symbp.module_data import data_tensors
from symbp.netfile import load
from symbp.run.checkpoint import read_checkpoint
from symbp.run.finish import check_module
from symbp.run.folder import RunFolder
from symbp.run.settings import read_settings


def sample(path: str | Path, length: int = 400, *, seed: int = 0, temperature: float = 1.0, start: str = "\n") -> str:
    """So many characters of a trained run, behind `start`; a temperature below 1 makes likely ones likelier.

    Raises `RunError` where the run's network is none of a text, and `SymbpError` where its files are missing or damaged.
    """
    if not temperature > 0:
        raise RunError(f"the temperature must be positive, not {temperature}")
    folder = RunFolder(Path(path))
    settings, network = read_settings(folder.settings), load(folder.network)
    if data_tensors(network)[0].dtype != "int":
        raise RunError(f"the network {network.name} reads no characters, so it has no text to continue")
    source = generate(network)
    check_module(folder, source)
    module = ModuleType(network.name)
    exec(compile(source, f"{network.name}.py", "exec"), module.__dict__)  # noqa: S102 - generated here from equations
    params, _, _ = read_checkpoint(folder, module, settings.dtype)
    text = load_text(settings.data, settings.data_dir, to_stderr)
    settings.check_data(text.digest())
    return text.decode(_drawn(module, params, text, text.encode(start or "\n"), length, np.random.default_rng(seed), temperature))


def _drawn(module: ModuleType, params: dict[str, np.ndarray], text: Text, start: np.ndarray, length: int, rng: np.random.Generator,
           temperature: float) -> np.ndarray:
    """The numbers of the characters drawn; the network sees the last T characters, and what stands behind them changes nothing."""
    width = module.INPUT_SHAPE[0]
    tokens = [*start]
    for _ in range(length):
        seen = tokens[-width:]
        window = np.zeros((1, width), np.int64)
        window[0, :len(seen)] = seen
        scores = module.forward(params, window)[0, len(seen) - 1, :len(text.vocabulary)].astype(np.float64) / temperature
        shares = np.exp(scores - scores.max()).cumsum()
        tokens.append(int(np.searchsorted(shares, rng.random() * shares[-1], side="right")))
    return np.array(tokens[len(start):], np.int64)
