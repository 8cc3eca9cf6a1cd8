"""Calls functions of a person's code in a separate process, `guarded.py`, and answers what they gave or how they failed.

Stage: source + calls → outcomes.  Nothing of the code is imported or run in this process.
"""
from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

SECONDS, MEMORY = 10.0, 1 << 30
GRACE, MOST_ANSWERED = 3.0, 1 << 26
UNKNOWN = ("NameError", "UnboundLocalError", "AttributeError", "SyntaxError", "ImportError", "ModuleNotFoundError")
"""Errors about names that there are not."""
UNFIT = ("broadcast", "not aligned", "matmul:", "mismatch in its core dimension", "cannot reshape", "must match exactly")
"""What NumPy says of shapes that do not fit."""
WARNING = ("this runs the code on this machine, in a process of its own with limits on time and memory, without network, and without the "
           "right to write files; that stops accidents, not attacks: run code of strangers in a container")


@dataclass(frozen=True)
class Call:
    """One call: the function, its arguments by name, functions that are called before it, the attributes of its object.

    An argument is an array, a number, a list or dictionary of such, or `Result(name)` for what an earlier function answered.
    before: (function, arguments, names of its results).  kept: the attributes that are wanted afterwards.
    """

    function: str
    arguments: Mapping[str, Any]
    positional: Sequence[str] = ()
    before: Sequence[tuple[str, Mapping[str, Any], Sequence[str]]] = ()
    owner: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    kept: Sequence[str] = ()


@dataclass(frozen=True)
class Result:
    """The value that an earlier function answered under this name."""

    name: str


@dataclass(frozen=True)
class Failure:
    """How code failed: the kind of error, its message, and the code's own last line."""

    kind: str
    message: str
    line: int | None = None
    text: str = ""

    @property
    def ill_posed(self) -> bool:
        """Whether it names what there is not, or its shapes do not fit."""
        return self.kind in UNKNOWN or self.is_unfit

    @property
    def is_unfit(self) -> bool:
        """Whether its shapes do not fit."""
        return self.kind in ("ValueError", "AxisError") and any(words in self.message for words in UNFIT)

    def __str__(self) -> str:
        place = f"line {self.line}, `{self.text}`: " if self.line and self.text else f"line {self.line}: " if self.line else ""
        if self.kind in ("OutOfTime", "Ended"):
            return f"{place}{self.message}"
        if self.kind == "SystemExit":
            return f"{place}it calls sys.exit instead of returning"
        if self.kind == "MemoryError":
            return f"{place}it wants more memory than it may have ({MEMORY >> 20} MiB)"
        return f"{place}{self.kind}: {self.message}"


@dataclass(frozen=True)
class Outcome:
    """What a call gave: its value, and what its arguments and attributes held afterwards; or how it failed.

    Values are arrays, lists and dictionaries of them, None, or the name of a kind that is no number.
    """

    value: Any = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None


def run(source: str, calls: Sequence[Call], *, name: str = "listing.py", folder: Path | None = None,
        seconds: float = SECONDS, memory: int = MEMORY) -> list[Outcome]:
    """One outcome for each call; where the process ends early, the rest have its failure.

    name: how messages call the file.  folder: where imports are looked for; None for a listing, in which NumPy is np.

    >>> square = "def square(x):\\n    return {'y': x**2}\\n"
    >>> run(square, [Call("square", {"x": np.array([1., 2.])})])[0].value
    {'y': array([1., 4.])}
    >>> print(run("def f(x):\\n    return x/'a'\\n", [Call("f", {"x": 2})])[0].failure)
    line 2, `return x/'a'`: TypeError: unsupported operand type(s) for /: 'int' and 'str'
    """
    job = {"source": source, "file": name, "folder": str(folder.resolve()) if folder else "", "listing": folder is None,
           "seconds": seconds, "memory": memory, "calls": [_as_json(call) for call in calls]}
    lines, failure = _process(json.dumps(job), seconds)
    found = [_outcome(line) for line in lines[:len(calls)]]
    if found and found[-1].failure is not None and len(found) < len(calls):
        failure = found[-1].failure
    return [*found, *(Outcome(failure=failure) for _ in range(len(calls) - len(found)))]


def _process(job: str, seconds: float) -> tuple[list[str], Failure]:
    """The lines that the process wrote, and how it ended if it did not answer all."""
    script = str(Path(__file__).with_name("guarded.py"))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    clean = {key: os.environ[key] for key in ("PATH", "LANG", "LD_LIBRARY_PATH") if key in os.environ}
    with tempfile.TemporaryDirectory(prefix="symbp-code-") as folder, tempfile.TemporaryFile() as answers:
        process = subprocess.Popen([sys.executable, "-I", script], stdin=subprocess.PIPE, stdout=answers, stderr=subprocess.DEVNULL,
                                   cwd=folder, env={**clean, **threads, "HOME": folder}, start_new_session=True)
        late = False
        try:
            process.communicate(job.encode(), timeout=seconds + GRACE)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            _end(process)
        answers.seek(0)
        written = answers.read(MOST_ANSWERED).decode("ascii", "replace").splitlines()
    if late or process.returncode in (-signal.SIGXCPU, 256 - signal.SIGXCPU):
        return written, Failure("OutOfTime", f"it was still running after {seconds:g} s")
    return written, Failure("Ended", f"it ended the process (exit code {process.returncode}) instead of returning")


def _end(process: subprocess.Popen) -> None:
    """End the process and all of its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()


# values

def _as_json(call: Call) -> dict[str, Any]:
    before = [{"function": function, "arguments": {k: _encoded(v) for k, v in arguments.items()}, "names": list(names)}
              for function, arguments, names in call.before]
    return {"function": call.function, "positional": list(call.positional), "before": before, "class": call.owner,
            "arguments": {k: _encoded(v) for k, v in call.arguments.items()},
            "attributes": {k: _encoded(v) for k, v in call.attributes.items()}, "kept": list(call.kept)}


def _encoded(value: Any) -> dict[str, Any]:
    if isinstance(value, Result):
        return {"result": value.name}
    if isinstance(value, Mapping):
        return {"dict": {k: _encoded(v) for k, v in value.items()}}
    if isinstance(value, list):
        return {"list": [_encoded(v) for v in value]}
    if isinstance(value, (int, float)):
        return {"number": value}
    array = np.ascontiguousarray(value, dtype=np.int64 if np.asarray(value).dtype.kind in "iub" else np.float64)
    return {"array": [list(np.shape(value)), array.dtype.str, base64.b64encode(array.tobytes()).decode("ascii")]}


def _outcome(line: str) -> Outcome:
    try:
        answer = json.loads(line)
        if "error" in answer:
            error = answer["error"]
            return Outcome(failure=Failure(error["type"], error["message"], error.get("line"), error.get("text", "")))
        read = {key: {k: _decoded(v) for k, v in answer[key].items()} for key in ("arguments", "attributes")}
        return Outcome(_decoded(answer["value"]), **read)
    except (ValueError, KeyError, TypeError):
        return Outcome(failure=Failure("Ended", "its answer cannot be read"))


def _decoded(value: Any) -> Any:
    if value is None:
        return None
    if "dict" in value:
        return {k: _decoded(v) for k, v in value["dict"].items()}
    if "list" in value:
        return [_decoded(v) for v in value["list"]]
    if "kind" in value:
        return str(value["kind"])
    shape, kind, data = value["array"]
    return np.frombuffer(base64.b64decode(data), dtype=kind).reshape(shape)
