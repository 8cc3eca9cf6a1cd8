"""How long each test program takes to build and to derive: `python benchmarks/derive_items.py`; each is to stay below 0.5 s.

"Derived" means every line of every gradient with its steps, the adjoint included.
A program is built and derived anew in each of three processes, so that SymPy's cache is cold; the median counts.
"""
from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 0.5


def measure(name: str) -> tuple[float, float, float, int]:
    """Seconds to build the program, to derive its adjoint, and to derive all lines with their steps; and how many lines."""
    from programs import CASES

    from symbp.calculus.differentiate import adjoint
    from symbp.derivation import Derivation

    times = [time.perf_counter()]
    case = CASES[name]()
    times.append(time.perf_counter())
    adjoint(case.program, case.of, case.wrt)
    times.append(time.perf_counter())
    derivation = Derivation(case.program, case.of, case.wrt)
    lines = sum(len(derivation[n].lines) for n in derivation.names)
    times.append(time.perf_counter())
    return times[1] - times[0], times[2] - times[1], times[3] - times[2], lines


def main() -> int:
    """Print a table; the exit status is 1 when an item takes longer than the limit."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return 0
    from programs import CASES

    print(f"{'item':<40}{'build s':>10}{'adjoint s':>11}{'lines s':>9}{'lines':>7}")
    slow = 0
    for name in CASES:
        call = [sys.executable, __file__, name]
        runs = [json.loads(subprocess.run(call, capture_output=True, text=True, check=True).stdout) for _ in range(3)]
        build, derive, lines = (statistics.median(run[k] for run in runs) for k in (0, 1, 2))
        slow += build + lines > LIMIT
        print(f"{name:<40}{build:>10.3f}{derive:>11.3f}{lines:>9.3f}{runs[0][3]:>7}", flush=True)
    print(f"{slow} of {len(CASES)} take longer than {LIMIT} s")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
