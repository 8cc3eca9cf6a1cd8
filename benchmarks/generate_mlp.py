"""How long modules take to generate: `python benchmarks/generate_mlp.py`.

Reach: an MLP of 10 layers below 1 s after derivation; derivation and module of LeNet below 1.5 s, of the transformer below 5 s.  All lines
of a derivation are asked for.  Processor time, which other work on the machine changes little.
"""
from __future__ import annotations

import sys
import time
from pathlib import Path

from derive_mlp import network

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = {"lenet": 1.5, "cifar_cnn": None, "mnist_lstm": None, "char_transformer": 5.0}
"""Network files, and how many seconds their derivation and module may take together."""


def main() -> None:
    """Print the table; the first row warms up what is imported once."""
    sys.path.insert(0, str(ROOT))
    from symbp.derivation import derive
    from symbp.emit import generate
    from symbp.netfile import load
    nets = {f"MLP of {depth} layers": (network(depth), None) for depth in (2, 10, 20)}
    nets |= {name: (load(ROOT / "examples" / f"{name}.toml"), reach) for name, reach in EXAMPLES.items()}
    for name, (net, reach) in nets.items():
        start = time.process_time()
        derivation = derive(net)
        lines = sum(len(derivation[n].lines) for n in derivation.names)
        derived = time.process_time() - start
        start = time.process_time()
        source = generate(net)
        both = time.process_time() - start
        count = source.count("\n")
        print(f"{name:17} derived {derived:5.2f} s ({lines:3} lines); derived again and generated {both:5.2f} s ({count} lines)"
              + (f", reach {reach}" if reach else ""))


if __name__ == "__main__":
    main()
