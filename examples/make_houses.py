"""Make houses.csv: invented houses, whose price follows a formula with noise; nothing in it is anybody's data.

    100 price = 40 + 1.9 area − 0.6 age + 18 rooms + 25 [north] − 15 [south] + 0.0035 area² / rooms + noise      (price in 100,000)

area: uniform from 40 to 200 m².  rooms: area / 28, give or take one, at least 1.  age: exponential of mean 25 years, at most 120.
place: north, centre or south with the chances 0.3, 0.4, 0.3.  noise: normal with the standard deviation 12.
Eleven ages are left out, and six areas have a slip of the pen: ten times too large.
"""
from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

ROWS = 400


def main(path: Path) -> None:
    """Write the file; the same bytes every time."""
    rng = np.random.default_rng(2026)
    area = rng.uniform(40, 200, ROWS).round(1)
    rooms = np.maximum(1, np.rint(area / 28) + rng.integers(-1, 2, ROWS)).astype(int)
    age = np.minimum(120, rng.exponential(25, ROWS)).round().astype(int)
    place = rng.choice(["north", "centre", "south"], ROWS, p=[0.3, 0.4, 0.3])
    noise = rng.normal(0, 12, ROWS)
    price = 40 + 1.9 * area - 0.6 * age + 18 * rooms + 25 * (place == "north") - 15 * (place == "south") + 0.0035 * area**2 / rooms + noise
    unknown, slips = rng.choice(ROWS, 11, replace=False), rng.choice(ROWS, 6, replace=False)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["area", "rooms", "age", "place", "price"])
        for k in range(ROWS):
            shown = area[k] * (10 if k in slips else 1)
            writer.writerow([f"{shown:.1f}", rooms[k], "" if k in unknown else age[k], place[k], f"{price[k] / 100:.3f}"])


if __name__ == "__main__":
    main(Path(__file__).with_name("houses.csv"))
