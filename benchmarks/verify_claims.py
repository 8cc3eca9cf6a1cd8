"""Prints how long verdicts take: `python benchmarks/verify_claims.py`.

Each file of examples/claims in one process, the slowest first; then all of them, and a file of about 40 numbers as a command of its own.
The reach is 60 s for all and 2 s for the one; on a machine that has other work, the processor's time says more.
"""
from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

from symbp.errors import SymbpError
from symbp.verify import verify

CLAIMS = Path(__file__).parents[1] / "examples" / "claims"
SHOWN, FORTY = 8, "seed-002-4.4.toml"


def seconds(path: Path) -> tuple[float, int]:
    """How long the verdicts on one file take, and how many claims it has."""
    start = time.perf_counter()
    try:
        count = len(verify(path).verdicts)
    except SymbpError as error:
        sys.exit(str(error))
    return time.perf_counter() - start, count


def main() -> None:
    """Print the table."""
    found = sorted(((*seconds(path), path.name) for path in sorted(CLAIMS.glob("*.toml"))), reverse=True)
    for taken, count, name in found[:SHOWN]:
        print(f"{name:40} {count:4} claims {taken:7.2f} s")
    total = sum(taken for taken, *_ in found)
    print(f"{'all of examples/claims':40} {sum(count for _, count, _ in found):4} claims {total:7.2f} s   "
          f"(reach 60; processor {time.process_time():.2f} s)")
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "symbp", "verify", str(CLAIMS / FORTY)], capture_output=True, check=False)
    processor = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"symbp verify {FORTY:27}             {time.perf_counter() - start:7.2f} s   (reach 2; processor "
          f"{processor.ru_utime + processor.ru_stime:.2f} s)")


if __name__ == "__main__":
    main()
