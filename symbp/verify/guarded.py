"""Runs a person's code in a process of its own, with limits; this file is a script, `python -I guarded.py`, and imports NumPy only.

Stage: a job as JSON on stdin → one line of JSON for each call, on what was stdout.  The code has no network (a network namespace of its
own where the system allows one, and a hook in Python everywhere), starts no process, writes nothing outside its folder, and
ends with its time or memory.  That stops accidents and pranks; it is no wall against someone who knows the system.
"""
from __future__ import annotations

import ast
import base64
import ctypes
import json
import os
import resource
import signal
import sys
import traceback
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy import ascontiguousarray, float64, frombuffer, shape

NAMESPACES = 0x10000000 | 0x40000000 | 0x20000000 | 0x08000000
"""CLONE_NEWUSER, NEWNET, NEWPID and NEWIPC."""
KEPT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.If, ast.Try)
FORBIDDEN = {"socket.": "use the network", "subprocess.": "start a process", "os.fork": "start a process", "os.system": "start a process",
             "os.exec": "start a process", "os.spawn": "start a process", "os.posix_spawn": "start a process", "pty.": "start a process",
             "os.kill": "end a process", "os.remove": "remove files", "os.rename": "rename files", "os.rmdir": "remove folders",
             "os.mkdir": "make folders", "os.chmod": "change files", "os.chown": "change files", "os.link": "link files",
             "os.symlink": "link files", "os.truncate": "change files", "shutil.": "change files", "ctypes.": "call the system",
             "urllib.": "use the network", "webbrowser.": "start a process", "sqlite3.": "open a database",
             "resource.": "change its limits"}
MOST_ELEMENTS, DEEPEST = 10_000_000, 6


class OutOfTime(BaseException):
    """The time is up."""


def main() -> None:
    """Read the job, take the limits on, and answer each call."""
    job = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w", encoding="ascii", errors="replace")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    _alone()
    _limit(job["seconds"], job["memory"])
    _guard()
    answer = json.dumps, answers.write, answers.flush

    def say(what: dict) -> None:
        dumps, write, flush = answer
        write(dumps(what) + "\n")
        flush()

    for what in _answers(job):
        say(what)
    os._exit(0)


def _alone() -> None:
    """Namespaces of one's own, where the system allows them: no network, and no process that outlives this one."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "unshare") or libc.unshare(NAMESPACES) != 0:
        return
    child = os.fork()
    if child:
        signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) % 256)
    libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: ends with its parent


def _limit(seconds: float, memory: int) -> None:
    """Time, memory beyond what is in use, size of files, no dumps."""
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    for what, most in ((resource.RLIMIT_AS, used + memory), (resource.RLIMIT_CPU, int(seconds) + 2), (resource.RLIMIT_CORE, 0),
                       (resource.RLIMIT_FSIZE, 1 << 26)):
        resource.setrlimit(what, (most, most))

    def stop(*_: Any) -> None:
        raise OutOfTime

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.1)


def _guard() -> None:
    """Refuse what no gradient needs, in words."""
    folder = os.path.realpath(os.getcwd())

    def hook(event: str, arguments: tuple) -> None:
        if event == "open" and _writes(arguments) and not _within(arguments[0], folder):
            raise PermissionError(f"this code may not write the file {str(arguments[0])[:100]}")
        reason = next((reason for start, reason in FORBIDDEN.items() if event.startswith(start)), None)
        if reason is not None:
            raise PermissionError(f"this code may not {reason} ({event})")

    sys.addaudithook(hook)


def _writes(arguments: tuple) -> bool:
    _, mode, flags = arguments
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)) or isinstance(mode, str) and bool({*"wax+"} & {*mode})


def _within(path: Any, folder: str) -> bool:
    return isinstance(path, int) or os.path.realpath(os.fsdecode(path)).startswith(folder + os.sep)


# the code

def _answers(job: dict) -> Iterator[dict]:
    """The answer to each call, each in turn."""
    try:
        space = _loaded(job)
    except OutOfTime:
        yield {"error": _late(job)}
        return
    except BaseException as error:
        yield {"error": _explained(error, job)}
        return
    for call in job["calls"]:
        try:
            yield _called(space, call)
        except OutOfTime as error:
            yield {"error": {**_explained(error, job), **_late(job)}}
            return
        except BaseException as error:
            yield {"error": _explained(error, job)}


def _late(job: dict) -> dict:
    return {"type": "OutOfTime", "message": f"it was still running after {job['seconds']:g} s"}


def _loaded(job: dict) -> dict[str, Any]:
    """The names that the code defines.  Only imports, definitions and assignments of the file are run, not its loops and calls."""
    module = types.ModuleType("submission")
    sys.modules["submission"] = module
    space = module.__dict__
    if job["listing"]:
        space.update(np=np, numpy=np)
    if job["folder"]:
        sys.path.insert(0, job["folder"])
    sys.dont_write_bytecode = True
    tree = ast.parse(job["source"], job["file"])
    for statement in tree.body:
        if isinstance(statement, KEPT):
            code = compile(ast.Module([statement], []), job["file"], "exec")
            try:
                exec(code, space)  # noqa: S102 - the person asked for it to be run
            except Exception:
                if isinstance(statement, (ast.Assign, ast.AnnAssign)):
                    continue
                raise
    return space


def _called(space: dict[str, Any], call: dict) -> dict:
    """What the function answers, and what its arguments and its object hold afterwards."""
    np.random.seed(0)
    results: dict[str, Any] = {}
    owner = _object(space, call)
    for before in call["before"]:
        arguments = {name: _decoded(value, results) for name, value in before["arguments"].items()}
        found = _function(space, owner, before["function"])(**arguments)
        names = before["names"]
        results.update(zip(names, found) if len(names) > 1 and isinstance(found, tuple) else zip(names[:1], [found]))
    arguments = {name: _decoded(value, results) for name, value in call["arguments"].items()}
    value = _function(space, owner, call["function"])(*[arguments[name] for name in call["positional"]],
                                                      **{k: v for k, v in arguments.items() if k not in call["positional"]})
    kept = {name: _encoded(getattr(owner, name, None)) for name in call["kept"]}
    return {"value": _encoded(value), "arguments": {name: _encoded(v) for name, v in arguments.items()}, "attributes": kept}


def _object(space: dict[str, Any], call: dict) -> Any:
    """An object of the class, made without its __init__, with the attributes that are given."""
    if not call["class"]:
        return None
    kind = space[call["class"]]
    made = kind.__new__(kind)
    for name, value in call["attributes"].items():
        setattr(made, name, _decoded(value, {}))
    return made


def _function(space: dict[str, Any], owner: Any, name: str) -> Any:
    return getattr(owner, name) if owner is not None and hasattr(owner, name) else space[name]


def _explained(error: BaseException, job: dict) -> dict:
    """The kind of an error, its message, and the person's own last line."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == job["file"]]
    line = frames[-1].lineno if frames else getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    lines = job["source"].splitlines()
    text = lines[line - 1].strip() if line and line <= len(lines) else ""
    return {"type": type(error).__name__, "message": str(error)[:400], "line": line, "text": text[:200]}


# values

def _decoded(value: Any, results: dict[str, Any]) -> Any:
    """A value of the job: an array, a number, a dictionary, or what an earlier function answered."""
    if "array" in value:
        axes, kind, data = value["array"]
        return frombuffer(base64.b64decode(data), dtype=kind).reshape(axes).copy()
    if "number" in value:
        return value["number"]
    if "result" in value:
        return results[value["result"]]
    if "list" in value:
        return [_decoded(entry, results) for entry in value["list"]]
    return {name: _decoded(entry, results) for name, entry in value["dict"].items()}


def _encoded(value: Any, depth: int = 0) -> Any:
    """A result: numbers and arrays, in lists and dictionaries; of anything else its kind."""
    if value is None or depth > DEEPEST:
        return None
    if isinstance(value, (str, bytes)):
        return {"kind": type(value).__name__}
    if isinstance(value, dict):
        return {"dict": {str(k)[:100]: _encoded(v, depth + 1) for k, v in list(value.items())[:200]}}
    if isinstance(value, (tuple, list)) and not _is_numbers(value):
        return {"list": [_encoded(v, depth + 1) for v in value[:200]]}
    try:
        array = ascontiguousarray(value)
    except (TypeError, ValueError):
        return {"kind": type(value).__name__}
    if array.dtype.kind not in "biuf" or array.size > MOST_ELEMENTS:
        return {"kind": f"{type(value).__name__} of {array.dtype} and shape {array.shape}"}
    array = array.reshape(shape(value)).astype(float64)
    return {"array": [list(array.shape), "<f8", base64.b64encode(array.tobytes()).decode("ascii")]}


def _is_numbers(value: Any) -> bool:
    """Whether a list holds plain numbers alone, as [[1, 2], [3, 4]] does: a matrix written as lists."""
    flat = list(value)
    while flat and all(type(v) is list for v in flat):
        flat = [w for v in flat for w in v]
    return type(value) is list and bool(flat) and all(type(v) in (int, float) for v in flat)


if __name__ == "__main__":
    main()
