"""The validation loss of a Witten–Bell trigram on the characters of `pydoc_topics`, in nats: what a character transformer must beat.

    python benchmarks/trigram.py [--order 3]

P(c | h) = (count(h c) + kinds(h) P(c | h′)) / (count(h) + kinds(h)), where h′ is h without its first character, and kinds(h) is how many
different characters followed h (Witten and Bell 1991, method C); below the empty history all characters are equally likely.
"""
from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def loss(train: np.ndarray, test: np.ndarray, classes: int, order: int = 3) -> float:
    """The mean of −log P over the characters of `test` that have a whole history in it.

    >>> loss(np.array([0, 1] * 50), np.array([0, 1, 0, 1]), 2) < 0.05
    True
    """
    tokens, counts, follows, kinds = train.tolist(), Counter(), Counter(), Counter()
    for n in range(1, order + 1):
        counts.update(zip(*(tokens[k:] for k in range(n))))
    for gram, count in counts.items():
        follows[gram[:-1]] += count
        kinds[gram[:-1]] += 1

    def share(gram: tuple[int, ...]) -> float:
        history = gram[:-1]
        below = share(gram[1:]) if history else 1 / classes
        total = follows[history] + kinds[history]
        return (counts[gram] + kinds[history] * below) / total if total else below

    grams = Counter(zip(*(test.tolist()[k:] for k in range(order))))
    return -sum(count * math.log(share(gram)) for gram, count in grams.items()) / sum(grams.values())


def main() -> None:
    """Print the loss for each order up to the wanted one."""
    from symbp.data.characters import TOPICS, load_text
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--order", type=int, default=3)
    text = load_text(TOPICS, None, print)
    print(f"{text.name}: {len(text.train):,} characters to train on, {len(text.test):,} to validate on")
    for order in range(1, parser.parse_args().order + 1):
        print(f"  order {order}: {loss(text.train, text.test, len(text.vocabulary), order):.4f} nats a character")


if __name__ == "__main__":
    main()
