"""The first losses of each example's generated module beside those of a PyTorch twin: the same weights, the same batches.

    python benchmarks/torch_twin.py [NAME …] [--steps 20] [--batch N] [--random]

The twin is made of PyTorch's own layers, losses and optimisers, as the tables of the network file ask for them; of symbp it has the first
weights and the batches: the first of a run, in the size that the file says, or random ones.  Masks of dropout are drawn as the module
says it draws them.  Reach: the largest relative difference of a loss is at most 1e-10 in float64 and 1e-4 in float32.  The last column is
PyTorch's own difference between the two dtypes, from the same weights: what rounding does by itself, where a relu's input is nearly 0.
"""
from __future__ import annotations

import argparse
import importlib.util
import math
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
REACH = {"float64": 1e-10, "float32": 1e-4}
Table = Mapping[str, Any]


def examples() -> list[str]:
    """The examples that have a committed module."""
    return sorted(path.stem for path in (ROOT / "generated").glob("*.py"))


def tables(name: str) -> Table:
    """The tables of an example's network file."""
    return tomllib.loads((ROOT / "examples" / f"{name}.toml").read_text(encoding="utf-8"))


def module_of(name: str) -> ModuleType:
    """The committed module of an example."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "generated" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def batches(net: Table, batch: int, steps: int, dtype: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random inputs and answers of each step: labels (N,) or (N, T) for classes, else numbers."""
    rng, shape, target = np.random.default_rng(0), (batch, *net["input"]["shape"]), net.get("target", {})
    found = []
    for _ in range(steps):
        x = rng.integers(net["input"]["tokens"], size=shape) if "tokens" in net["input"] else rng.normal(size=shape).astype(dtype)
        if "classes" in target:
            y = rng.integers(target["classes"], size=shape if target.get("encoding") == "integer" and "tokens" in net["input"] else batch)
        elif "same_as" in target:
            y = x
        else:
            y = rng.integers(2, size=(batch, *target["shape"])).astype(dtype)
        found.append((x, y))
    return found


def own_batches(name: str, batch: int, steps: int, dtype: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """The first batches of a run of the example, its classes as labels.  Raises `SymbpError` where its data cannot be had."""
    import symbp
    from symbp.run.samples import read_samples
    from symbp.run.settings import RunSettings
    network = symbp.load(ROOT / "examples" / f"{name}.toml")
    data, target = network.extras["data"], tables(name)["target"]
    samples = read_samples(network, RunSettings(data.name, str(ROOT / "examples") if data.file else None, 1, batch, 0, dtype))
    order = samples.order(0, 0)
    found = [tuple(np.array(a) for a in samples.batch(order, k % samples.batches)) for k in range(steps)]
    return [(x, y.argmax(axis=1) if "classes" in target and y.dtype.kind == "f" else y) for x, y in found]


def generated_losses(module: ModuleType, net: Table, params: dict[str, np.ndarray], data: Sequence[tuple]) -> list[float]:
    """The losses before each step of the generated module; leaves the parameters trained."""
    state, target = module.init_state(params), net.get("target", {})
    one_hot = "classes" in target and target.get("encoding") != "integer"
    return [float(module.train_step(params, state, x, np.eye(target["classes"])[y] if one_hot else y)) for x, y in data]


# the twin

class Twin:
    """A network file's layers in PyTorch; the parameters are taken in order."""

    def __init__(self, net: Table, params: dict[str, np.ndarray]) -> None:
        import torch
        self.torch, self.net, self.functional = torch, net, torch.nn.functional
        self.weights = [torch.tensor(a, requires_grad=True) for a in params.values()]
        self.step = 0

    def loss(self, x: Any, y: Any) -> Any:
        """The loss of a batch in training."""
        rng = np.random.default_rng([0, self.step, 1])  # as a module with dropout draws its masks
        outputs, taken, h = {"input": x}, iter(self.weights), x
        for layer in self.net["layers"]:
            given = outputs[layer["input"]] if "input" in layer else h
            h = getattr(self, layer["type"], self._activation)(layer, given, taken, outputs, rng)
            if "name" in layer:
                outputs[layer["name"]] = h
        assert next(taken, None) is None
        self.step += 1
        return self._compared(self.net["loss"], h, y)

    def _compared(self, loss: Table, h: Any, y: Any) -> Any:
        functional = self.functional
        if loss["type"] == "softmax_cross_entropy":
            return functional.cross_entropy(h.flatten(0, -2), y.flatten())
        if loss["type"] == "binary_cross_entropy":
            return functional.binary_cross_entropy(h, y, reduction="sum") / len(y)
        return functional.mse_loss(h, y, reduction="sum") / len(y) / (2 if loss.get("half", True) else 1)

    def _activation(self, layer: Table, h: Any, *_: Any) -> Any:
        return self._activated({"activation": layer["type"]}, h)

    def _activated(self, layer: Table, h: Any) -> Any:
        kind = layer.get("activation", "identity")
        return h if kind == "identity" else getattr(self.functional, kind)(h)

    def dense(self, layer: Table, h: Any, taken: Iterator, *_: Any) -> Any:
        bias = layer.get("bias", True)
        return self._activated(layer, self.functional.linear(h, next(taken), next(taken) if bias else None))

    def conv2d(self, layer: Table, h: Any, taken: Iterator, *_: Any) -> Any:
        kernel, bias = next(taken), next(taken) if layer.get("bias", True) else None
        return self._activated(layer, self.functional.conv2d(h, kernel, bias, layer.get("stride", 1), layer.get("padding", 0)))

    def max_pool(self, layer: Table, h: Any, *_: Any) -> Any:
        return self.functional.max_pool2d(h, layer["kernel"], layer.get("stride"))

    def global_average_pool(self, layer: Table, h: Any, *_: Any) -> Any:
        return self.functional.adaptive_avg_pool2d(h, 1).flatten(1)

    def flatten(self, layer: Table, h: Any, *_: Any) -> Any:
        return h.flatten(1)

    def add(self, layer: Table, h: Any, taken: Iterator, outputs: Table, *_: Any) -> Any:
        return sum(outputs[name] for name in layer["inputs"])

    def batch_norm(self, layer: Table, h: Any, taken: Iterator, *_: Any) -> Any:
        return self.functional.batch_norm(h, None, None, next(taken), next(taken), training=True, eps=layer.get("epsilon", 1e-5))

    def dropout(self, layer: Table, h: Any, taken: Iterator, outputs: Table, rng: np.random.Generator) -> Any:
        mask = self.torch.tensor(rng.random(tuple(h.shape), np.float32) >= layer["rate"])
        return h * mask / (1 - layer["rate"])

    def lstm(self, layer: Table, h: Any, taken: Iterator, *_: Any) -> Any:
        """symbp's gates are input, forget, output, candidate; PyTorch's are input, forget, candidate, output."""
        W, U, b = (w[[0, 1, 3, 2]].flatten(0, 1) for w in (next(taken), next(taken), next(taken)))
        cell = self.torch.nn.LSTM(h.shape[-1], layer["units"], batch_first=True, dtype=h.dtype)
        weights = {"weight_ih_l0": W, "weight_hh_l0": U, "bias_ih_l0": b, "bias_hh_l0": self.torch.zeros_like(b)}
        return self.torch.func.functional_call(cell, weights, h)[1][0][0]

    def embedding(self, layer: Table, h: Any, taken: Iterator, *_: Any) -> Any:
        return self.functional.embedding(h, next(taken))

    def positional(self, layer: Table, h: Any, taken: Iterator, *_: Any) -> Any:
        return h + next(taken)

    def layer_norm(self, layer: Table, h: Any, taken: Iterator, *_: Any) -> Any:
        return self.functional.layer_norm(h, h.shape[-1:], next(taken), next(taken), layer.get("epsilon", 1e-5))

    def transformer_block(self, layer: Table, h: Any, taken: Iterator, *_: Any) -> Any:
        width, heads = h.shape[-1], layer["heads"]
        normed = self.layer_norm(layer, h, taken).transpose(0, 1)
        W = [next(taken) for _ in range(8)]  # weights and biases of queries, keys, values and the output
        flat = [w.reshape(width, width) if w.dim() > 2 else w.reshape(width) for w in W]
        mask = self.torch.nn.Transformer.generate_square_subsequent_mask(len(normed), dtype=h.dtype) if layer.get("causal") else None
        attended, _ = self.functional.multi_head_attention_forward(
            normed, normed, normed, width, heads, self.torch.cat(flat[0:6:2]), self.torch.cat(flat[1:6:2]), None, None, False, 0.0,
            flat[6], flat[7], attn_mask=mask, need_weights=False)
        h = h + attended.transpose(0, 1)
        inner = self.dense({"activation": layer.get("activation", "gelu")}, self.layer_norm(layer, h, taken), taken)
        return h + self.dense({}, inner, taken)

    def equations(self, layer: Table, h: Any, taken: Iterator, *_: Any) -> Any:
        """The gate of `gated.toml`."""
        assert layer["name"] == "gate"
        U, V, c = (next(taken) for _ in range(3))
        return self.functional.linear(h, V, c).sigmoid() * self.functional.linear(h, U)


def optimizer_of(table: Table, weights: list[Any]) -> Callable[[], None]:
    """A function that takes a step of PyTorch's optimiser, with the clipping and the course of the rate that the table asks for."""
    import torch
    kind, rate = table["type"], table["learning_rate"]
    decay = table.get("weight_decay", 0.0)
    groups = [{"params": [w for w in weights if w.dim() > 1], "weight_decay": decay},
              {"params": [w for w in weights if w.dim() < 2], "weight_decay": decay if table.get("decay_biases", True) else 0.0}]
    keys = {"betas": (table.get("beta_1", 0.9), table.get("beta_2", 0.999)), "eps": table.get("epsilon", 1e-8)} if "adam" in kind else {}
    if kind == "momentum":
        if {"schedule", "decay"} & {*table} and table.get("rate_in", "velocity") != "step":
            raise ValueError('with a rate that changes, the momentum of torch.optim.SGD is that of rate_in = "step"')
        keys = {"momentum": table.get("beta", 0.9)}
    made = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}.get(kind, torch.optim.SGD)(groups, lr=rate, **keys)
    course = torch.optim.lr_scheduler.LambdaLR(made, lambda k: factor(table, k))

    def step() -> None:
        if "clip_norm" in table:
            torch.nn.utils.clip_grad_norm_(weights, table["clip_norm"])
        made.step()
        course.step()
        made.zero_grad()

    return step


def factor(table: Table, k: int) -> float:
    """What the learning rate is multiplied by after k steps: its decay, and a cosine behind a warm-up."""
    schedule, share = table.get("schedule"), 1 / (1 + table.get("decay", 0.0) * k)
    if schedule is None:
        return share
    warm = schedule.get("warm_up", 0)
    wave = (1 + math.cos(math.pi * min(1, max(k - warm, 0) / schedule["steps"]))) / 2
    least = schedule.get("least", 0.0)
    return share * (min(1, (k + 1) / warm) if warm else 1) * (least + (1 - least) * wave)


def torch_losses(net: Table, params: dict[str, np.ndarray], data: Sequence[tuple]) -> list[float]:
    """The losses before each step of the twin, which starts from the parameters given."""
    import torch
    twin, found = Twin(net, params), []
    step = optimizer_of(net["optimizer"], twin.weights)
    for x, y in data:
        loss = twin.loss(torch.tensor(x), torch.tensor(y))
        loss.backward()
        step()
        found.append(loss.item())
    return found


def difference(name: str, batch: int, dtype: str, steps: int = 20) -> float:
    """The largest relative difference of a loss, on random batches."""
    return compare(name, batches(tables(name), batch, steps, dtype), dtype)[0]


def compare(name: str, data: Sequence[tuple], dtype: str) -> tuple[float, float]:
    """The largest relative difference of a loss between module and twin; and between the twin and one in float64."""
    net, module = tables(name), module_of(name)
    params = module.init_params(0, dtype)
    twin = torch_losses(net, params, data)
    wide = [tuple(a.astype(np.float64) if a.dtype.kind == "f" else a for a in pair) for pair in data]
    exact = torch_losses(net, {key: value.astype(np.float64) for key, value in params.items()}, wide) if dtype != "float64" else twin
    found = generated_losses(module, net, params, data)
    assert len(set(found)) == len(data), "the losses do not change"
    return largest(found, twin), largest(twin, exact)


def largest(found: Sequence[float], wanted: Sequence[float]) -> float:
    """The largest relative difference of two rows of numbers."""
    return max(abs(a - b) / abs(b) for a, b in zip(found, wanted))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="examples (default: all that are trained)")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, help="samples in a batch (default: as the file says)")
    parser.add_argument("--random", action="store_true", help="random batches, not those of the example's data")
    options = parser.parse_args()
    print(f"largest relative difference of the first {options.steps} losses")
    reach = "".join(f"{f'{t} (reach {r:.0e})':>26}" for t, r in REACH.items())
    print(f"{'example':<20}{'batches':>16}{reach}{'PyTorch 32 to 64':>20}")
    for name in options.names or examples():
        print(row(name, options.batch or tables(name).get("train", {}).get("batch_size", 16), options.steps, options.random), flush=True)


def row(name: str, batch: int, steps: int, random: bool) -> str:
    """The line of an example."""
    random = random or "data" not in tables(name)
    data = {t: batches(tables(name), batch, steps, t) if random else own_batches(name, batch, steps, t) for t in REACH}
    found = [compare(name, data[t], t) for t in REACH]
    what = f"{'random' if random else tables(name)['data']['name']} {batch}"
    return f"{name:<20}{what:>16}" + "".join(f"{value:>26.1e}" for value, _ in found) + f"{found[-1][1]:>20.1e}"


if __name__ == "__main__":
    main()
