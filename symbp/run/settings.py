"""What a run was asked to do: kept in its folder, so that it can go on, and compared with what is asked later."""
from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from symbp.errors import RunError


@dataclass(frozen=True)
class RunSettings:
    """The data set with the user's folder and its digest, and how to train: epochs, samples in a batch, seed, dtype.

    watch: what is measured beside the steps, "gradients" or nothing.
    """

    data: str
    data_dir: str | None
    epochs: int
    batch_size: int
    seed: int
    dtype: str
    digest: str = ""
    watch: str = ""

    def to_json(self) -> str:
        """The settings as text."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def check_data(self, digest: str) -> None:
        """Raise `RunError` where the data are others than those that the run began with."""
        if self.digest and digest != self.digest:
            raise RunError(f"the data {self.data} are others than those that this run began with, or are prepared in another way "
                           f"(sha256 {digest[:12]}…, not {self.digest[:12]}…), so it cannot go on with the same numbers; put the files "
                           "back, or start a new run")

    def changed(self, **asked: object) -> RunSettings:
        """The settings with more epochs; any other change would give other numbers, and raises `RunError`."""
        for name, value in asked.items():
            mine = getattr(self, name)
            if value is None or value == mine:
                continue
            if name != "epochs":
                raise RunError(f"this run has {name} = {mine}, and cannot go on with {name} = {value}: the numbers would be others; "
                               "start a new run for that")
            if int(str(value)) < self.epochs:
                raise RunError(f"this run was asked for {self.epochs} epochs; --epochs {value} is less")
        return replace(self, epochs=self.epochs if asked.get("epochs") is None else int(str(asked["epochs"])))


def read_settings(path: Path) -> RunSettings:
    """The settings of a run's folder; raises `RunError` where they are missing or damaged."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        known = {f.name for f in fields(RunSettings)}
        settings = RunSettings(**{k: v for k, v in table.items() if k in known})
    except FileNotFoundError:
        raise RunError(f"{path.parent} holds no run: there is no file {path.name} in it") from None
    except (OSError, ValueError, TypeError, AttributeError):
        raise RunError(f"{path} is damaged: it should hold {', '.join(f.name for f in fields(RunSettings))} as JSON") from None
    whole = all(isinstance(getattr(settings, n), int) and getattr(settings, n) >= 0 for n in ("epochs", "batch_size", "seed"))
    if not whole or settings.batch_size < 1 or settings.dtype not in ("float32", "float64") or not isinstance(settings.data, str):
        raise RunError(f"{path} is damaged: epochs, batch_size and seed are whole numbers, dtype is float32 or float64")
    return settings
