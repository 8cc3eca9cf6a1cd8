"""Text as characters: reading it, numbering its characters, and windows of it with the next character as the target.

`pydoc_topics` is the help text that ships with Python, in the order of its topics.  It differs a little from one version of Python to
another, so its hash is compared with that of the text that the documented results were made with; its characters are always the 96
of `ASCII`.  Any other text is a file NAME.txt in a folder of the user's, with the characters that occur in it.
"""
from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symbp.data.text import about, shown
from symbp.errors import DataError

TOPICS = "pydoc_topics"
TOPICS_HASH = "32a4426300e137378c42bf4754fe4214e03bb5f820fe236b821bf10cf7162ab4"
"""The sha256 of the topics of Python 3.11.7, with which the documented results were made."""
ASCII = "\n" + "".join(map(chr, range(32, 127)))
SPELLED = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "..."})
LARGEST = 200_000_000
FEWEST = 100


@dataclass(frozen=True, eq=False)
class Text:
    """A text as the numbers of its characters.

    vocabulary: the characters in order.  train, test: (characters,) int64, the first nine tenths and the last one, to validate on.
    """

    name: str
    vocabulary: str
    train: np.ndarray
    test: np.ndarray

    def windows(self, split: str, length: int, every: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Windows of so many characters, starting at each `every`-th, and the characters that follow each: two views (windows, length).

        >>> x, y = from_text("abc", "abcabcabca" * 20).windows("train", 3)
        >>> x[1].tolist(), y[1].tolist()
        ([1, 2, 0], [2, 0, 1])
        """
        tokens = getattr(self, split)
        if len(tokens) <= length:
            raise DataError(f"the text {self.name} has {len(tokens):,} characters in its part {split}, too few for windows of {length} "
                            f"and the character that follows: {len(tokens)} < {length} + 1")
        view = np.lib.stride_tricks.sliding_window_view
        return view(tokens[:-1], length)[::every], view(tokens[1:], length)[::every]

    def encode(self, text: str) -> np.ndarray:
        """The numbers of characters; raises `DataError` for one that the vocabulary has not."""
        numbers = {c: k for k, c in enumerate(self.vocabulary)}
        strange = next((c for c in text if c not in numbers), None)
        if strange is not None:
            raise DataError(f"the character {strange!r} is none of the {len(numbers)} characters of {self.name}")
        return np.array([numbers[c] for c in text], np.int64)

    def decode(self, tokens: np.ndarray) -> str:
        """The characters of numbers."""
        return "".join(self.vocabulary[int(k)] for k in tokens)

    def digest(self) -> str:
        """The sha256 of the vocabulary and of both parts."""
        found = hashlib.sha256(self.vocabulary.encode("utf-8"))
        for part in (self.train, self.test):
            found.update(part.astype("<i8").tobytes())
        return found.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write an `.npz` with the arrays train and test, and the vocabulary, for `main` of a generated module."""
        with about(path), open(path, "wb") as file:
            np.savez(file, train=self.train, test=self.test, vocabulary=np.array(list(self.vocabulary)))

    def answer(self) -> dict[str, Any]:
        """What `symbp data` says of the text, as plain data."""
        return {"name": self.name, "characters": {"train": len(self.train), "test": len(self.test)}, "vocabulary": self.vocabulary,
                "digest": self.digest()}


def load_text(name: str, folder: str | Path | None, say: Callable[[str], None]) -> Text:
    """The topics of pydoc, or the text NAME.txt of a folder.  Raises `DataError` where there is none, or it is no text.

    >>> topics = load_text("pydoc_topics", None, say=lambda _: None)
    >>> topics.decode(topics.train[:22])
    'The "assert" statement'
    """
    if folder is None and name == TOPICS:
        return _topics(say)
    if folder is None:
        raise DataError(f"there is no text {name!r}; {TOPICS} ships with Python, and a text of your own is a file {name}.txt in a folder "
                        "(--data-dir on the command line, or folder in [data])")
    path = Path(folder) / f"{name}.txt"
    with about(path):
        if path.stat().st_size > LARGEST:
            raise DataError(f"the file is larger than {LARGEST:,} bytes")
        try:
            return from_text(name, path.read_text(encoding="utf-8-sig"))
        except UnicodeDecodeError as error:
            raise DataError(f"it is not UTF-8 text (byte {error.start})") from None


def from_text(name: str, text: str, vocabulary: str | None = None) -> Text:
    """A text with its vocabulary: the given one, or its own characters in order."""
    if len(text) < FEWEST:
        raise DataError(f"the text {shown(name)} has {len(text)} characters; at least {FEWEST} are needed to train and to validate")
    vocabulary = vocabulary or "".join(sorted(set(text)))
    numbers = {ord(c): k for k, c in enumerate(vocabulary)}
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    table = np.zeros(int(codes.max()) + 1, np.int64)
    for code in np.unique(codes):
        table[code] = numbers[int(code)]
    tokens, cut = table[codes], len(text) * 9 // 10
    return Text(name, vocabulary, tokens[:cut], tokens[cut:])


def _topics(say: Callable[[str], None]) -> Text:
    """Python's own help text; says so where it is another than the documented one."""
    from pydoc_data.topics import topics
    text = "\n".join(topics[key] for key in sorted(topics)).translate(SPELLED)
    text = "".join(c if c in ASCII else "?" for c in text)
    found = hashlib.sha256(text.encode()).hexdigest()
    if found != TOPICS_HASH:
        say(f"the help text of this Python is not that of the documented results: its sha256 is {found[:16]}…, expected "
            f"{TOPICS_HASH[:16]}…, so losses will differ a little")
    return from_text(TOPICS, text, ASCII)


def as_text(answer: dict[str, Any]) -> str:
    """What `symbp data` prints of a text."""
    counts = answer["characters"]
    return "\n".join([f"{answer['name']}: {counts['train']:,} characters to train on, {counts['test']:,} to validate on, "
                      f"{len(answer['vocabulary'])} different ones: {answer['vocabulary']!r}", f"sha256 {answer['digest']}",
                      answer["file"] or "nothing was written; --out FILE.npz writes the arrays"])
