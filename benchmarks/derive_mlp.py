"""Prints how long importing symbp and deriving deep networks takes.

    python benchmarks/derive_mlp.py

Reach: importing symbp below 0.45 s; a 10-layer MLP below 1 s and a 100-layer one below 5 s, growing linearly.
"Derived" means every line of every parameter and cotangent with its steps, in index form; the matrix forms, each parsed
back and compared with the oracle, are timed apart.  Importing symbp is lazy (PEP 562), so the first use is printed too.
"""
from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symbp.network import Network

RUNS = 5


def command_seconds(code: str) -> float:
    """The median wall time of a Python process that runs `code`, less that of an empty one."""
    def once(text: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", text], check=True)
        return time.perf_counter() - start

    pairs = [(once(code), once("pass")) for _ in range(RUNS)]
    return statistics.median(a - b for a, b in pairs)


def network(depth: int) -> Network:
    """A sigmoid MLP of `depth` layers of width 16 with a softmax cross-entropy."""
    from symbp.layers.activations import Activation
    from symbp.layers.dense import Dense
    from symbp.losses import SoftmaxCrossEntropy, Target
    from symbp.network import Network
    hidden = [layer for _ in range(depth - 1) for layer in (Dense(units=16), Activation(type="sigmoid"))]
    return Network.of_layers("mlp", [*hidden, Dense(units=10)], SoftmaxCrossEntropy(), input=[16], target=Target(classes=10))


def derive_seconds(depth: int) -> tuple[float, float]:
    """Seconds for all lines and steps from the layers on, and for the matrix forms on top."""
    from symbp.derivation import derive
    start = time.perf_counter()
    derivation = derive(network(depth))
    lines = [line for name in derivation.names for line in derivation[name].lines]
    derived = time.perf_counter() - start
    assert all(line.steps for line in lines)
    start = time.perf_counter()
    forms = [line.matrix for line in lines]
    assert all(form is not None for form in forms)
    return derived, time.perf_counter() - start


def main() -> None:
    """Print the table."""
    print(f"import symbp                       {command_seconds('import symbp'):6.2f} s   (reach 0.45)")
    print(f"import symbp; symbp.derive         {command_seconds('import symbp; symbp.derive'):6.2f} s")
    derive_seconds(2)
    for depth, reach in ((10, 1.0), (20, None), (50, None), (100, 5.0)):
        derived, matrices = derive_seconds(depth)
        goal = f"   (reach {reach})" if reach else ""
        print(f"derive an MLP of {depth:3} layers          {derived:6.2f} s{goal}, matrix forms {matrices:6.2f} s more")


if __name__ == "__main__":
    main()
