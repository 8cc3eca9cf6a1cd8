"""The progress of a run in the terminal: a bar that is drawn over itself, or a line for each epoch where the output is no terminal."""
from __future__ import annotations

import sys
import time
from typing import TextIO

WIDTH = 24


class Progress:
    """Shows epoch, batch, loss and accuracy; draws at most ten times a second."""

    def __init__(self, epochs: int, batches: int, stream: TextIO | None = None) -> None:
        self.epochs, self.batches = epochs, batches
        self.stream = sys.stdout if stream is None else stream
        self.drawn = 0.0
        self.live = self.stream.isatty()

    def batch(self, epoch: int, batch: int, loss: float) -> None:
        """One step is done."""
        now = time.monotonic()
        if self.live and now - self.drawn > 0.1:
            self.drawn = now
            full = WIDTH * batch // max(self.batches, 1)
            bar = "█" * full + "·" * (WIDTH - full)
            self._draw(f"\r{self._epoch(epoch)}  {bar}  loss {loss:.4f}")

    def epoch(self, epoch: int, train_loss: float, test_loss: float, accuracy: float, seconds: float) -> None:
        """An epoch is done."""
        start, end = ("\r\x1b[K", "") if self.live else ("", "")
        share = "" if accuracy != accuracy else f"  accuracy {accuracy:.4f}"
        self._draw(f"{start}{self._epoch(epoch)}  loss {train_loss:.4f}  test loss {test_loss:.4f}{share}  {seconds:.1f} s{end}\n")

    def _epoch(self, epoch: int) -> str:
        return f"epoch {epoch + 1:{len(str(self.epochs))}}/{self.epochs}"

    def _draw(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


class Silent(Progress):
    """Shows nothing."""

    def __init__(self) -> None:
        super().__init__(0, 0)

    def _draw(self, text: str) -> None:
        """Draw nothing."""
