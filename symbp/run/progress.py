"""The progress of a run in the terminal: a bar that is drawn over itself, or a line for each epoch where the output is no terminal."""
from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

WIDTH = 24
PAUSE = 0.1
"""Seconds between two drawings."""


class Progress:
    """Shows epoch, batch, loss and accuracy.  An output that breaks off, such as a pipe that is closed, ends the showing, not the run."""

    def __init__(self, epochs: int, batches: int, stream: TextIO | None = None, word: str = "accuracy") -> None:
        self.epochs, self.batches, self.word = epochs, batches, word
        self.stream = sys.stdout if stream is None else stream
        self.drawn, self.open, self.broken = 0.0, False, False
        self.live = self.stream.isatty()
        self.marks = "█·" if _can_show(self.stream, "█·") else "#-"

    def batch(self, epoch: int, batch: int, loss: float, accuracy: float | None = None) -> None:
        """One step is done; accuracy: the last that is known, 0 to 1."""
        now = time.monotonic()
        if self.live and now - self.drawn > PAUSE:
            self.drawn = now
            full = WIDTH * batch // max(self.batches, 1)
            bar = self.marks[0] * full + self.marks[1] * (WIDTH - full)
            room = max(shutil.get_terminal_size().columns - 1, 20)
            self._draw("\r" + f"{self._epoch(epoch)}  {bar}  loss {loss:.4f}{_share(accuracy, self.word)}"[:room] + "\x1b[K")
            self.open = True

    def epoch(self, epoch: int, train_loss: float, test_loss: float, accuracy: float, seconds: float) -> None:
        """An epoch is done."""
        start = "\r\x1b[K" if self.live else ""
        losses = f"loss {train_loss:.4f}  test loss {test_loss:.4f}"
        self._draw(f"{start}{self._epoch(epoch)}  {losses}{_share(accuracy, self.word)}  {seconds:.1f} s\n")
        self.open = False

    def end(self) -> None:
        """Leave a bar that stands unfinished, so that what is printed next has a line of its own."""
        if self.open:
            self._draw("\n")
            self.open = False

    def _epoch(self, epoch: int) -> str:
        return f"epoch {epoch + 1:{len(str(self.epochs))}}/{self.epochs}"

    def _draw(self, text: str) -> None:
        if self.broken:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:
            self.broken = True


class Silent(Progress):
    """Shows nothing."""

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.live = False

    def _draw(self, text: str) -> None:
        """Draw nothing."""


def _share(accuracy: float | None, word: str = "accuracy") -> str:
    """The accuracy as text; nothing where there is none."""
    return "" if accuracy is None or accuracy != accuracy else f"  {word} {accuracy:.4f}"


def _can_show(stream: TextIO, marks: str) -> bool:
    try:
        marks.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
