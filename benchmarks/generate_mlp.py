"""How long the module of a deep MLP takes to generate: `python benchmarks/generate_mlp.py`; reach: 10 layers below 1 s after derivation."""
from __future__ import annotations

import time

from derive_mlp import network


def main() -> None:
    """Print the table; the first row warms up what is imported once."""
    from symbp.derivation import derive
    from symbp.emit import generate
    for depth in (2, 10, 20):
        net = network(depth)
        start = time.perf_counter()
        derivation = derive(net)
        lines = sum(len(derivation[n].lines) for n in derivation.names)
        derived = time.perf_counter() - start
        start = time.perf_counter()
        source = generate(net)
        both = time.perf_counter() - start
        count = source.count("\n")
        print(f"{depth:3} layers: derived {derived:5.2f} s ({lines} lines); derived again and generated {both:5.2f} s ({count} lines)")


if __name__ == "__main__":
    main()
