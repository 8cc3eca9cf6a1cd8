"""A run that is killed at any moment goes on with the bits of an unbroken one: before every call that writes, and at random times."""
from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from symbp.netfile import load
from symbp.run import loop, records, resume, samples, train

ROOT = Path(__file__).resolve().parent.parent
DIGITS = ROOT / "examples/digits_mlp.toml"
SHORT = {"epochs": 2, "batch_size": 700}
LONG = {"epochs": 60, "batch_size": 32}
WRITERS = ((os, "replace"), (os, "fsync"), (np, "savez"), (Path, "write_text"), (Path, "write_bytes"), (Path, "mkdir"), (Path, "unlink"),
           (records.Records, "write"), (records.Records, "sync"))
"""What a run writes with."""


def contents(path: Path) -> dict[str, bytes]:
    """Parameters, optimiser and place at a run's end, without how long it took."""
    found = {}
    for name in ("params.npz", "checkpoint.npz"):
        with np.load(path / name, allow_pickle=False) as file:
            found |= {f"{name}/{k}": file[k].tobytes() for k in file.files if k not in ("seconds", "digest", "place")}
    lines = (path / "metrics.jsonl").read_text().splitlines()
    report = (path / "report.json").read_bytes()
    kept = [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]
    return {**found, "report": report, "records": repr(kept).encode()}


@pytest.fixture(autouse=True)
def quick_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generate the module and read the data once: each of many processes would do the same."""
    network = load(DIGITS)
    source = loop.generate(network)
    read = functools.cache(lambda settings: samples.read_samples(network, settings))
    monkeypatch.setattr(loop, "generate", lambda _: source)
    monkeypatch.setattr(loop, "load", lambda _: network)
    monkeypatch.setattr(loop, "read_samples", lambda _, settings: read(replace(settings, epochs=0, digest="")))


def in_a_process(work: Callable[[], object]) -> int | None:
    """Run in a forked process; answers the signal that ended it, None if none did."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            work()
        finally:
            os._exit(0)
    status = os.waitpid(child, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else None


def killed_at(point: int, work: Callable[[], object]) -> Callable[[], object]:
    """The work, which kills itself before the call of that number among all that write: nothing is on the disk but what came before."""
    def run() -> object:
        count = 0

        def hooked(real: Callable[..., object]) -> Callable[..., object]:
            def call(*given: object, **named: object) -> object:
                nonlocal count
                if count == point:
                    os.kill(os.getpid(), signal.SIGKILL)
                count += 1
                return real(*given, **named)
            return call
        for owner, name in WRITERS:
            setattr(owner, name, hooked(getattr(owner, name)))
        return work()
    return run


def start_or_go_on(path: Path) -> Callable[[], object]:
    """What a person does who finds a run dead: go on, or begin where there is nothing yet."""
    def work() -> object:
        if (path / "checkpoint.npz").exists():
            return resume(path, quiet=True, plots=False, every=0.0)
        return train(DIGITS, out=path, quiet=True, plots=False, every=0.0, **SHORT)
    return work


def test_killed_before_every_call_that_writes(tmp_path: Path) -> None:
    whole = train(DIGITS, out=tmp_path / "whole", quiet=True, plots=False, every=0.0, **SHORT).folder
    wanted, point, kills = contents(whole), 0, 0
    while True:
        path = tmp_path / f"killed{point}"
        ended = in_a_process(killed_at(point, start_or_go_on(path)))
        if ended is None:
            break
        assert ended == signal.SIGKILL
        kills += 1
        if not (path / "checkpoint.npz").exists():
            path = tmp_path / f"again{point}"
        elif point % 3 == 0:
            with open(path / "metrics.jsonl", "ab") as file:
                file.write(b'{"kind": "step", "loss": 0.1, "torn')
        start_or_go_on(path)()
        assert contents(path) == wanted, point
        assert not [p.name for p in path.iterdir() if p.name.startswith(".")]
        point += 1
    assert kills > 50


def test_killed_again_and_again_while_going_on(tmp_path: Path) -> None:
    wanted = contents(train(DIGITS, out=tmp_path / "whole", quiet=True, plots=False, every=0.0, **SHORT).folder)
    path = tmp_path / "killed"
    train(DIGITS, out=path, quiet=True, plots=False, every=0.0, **{**SHORT, "epochs": 1})
    kills = 0
    while in_a_process(killed_at(16, lambda: resume(path, epochs=2, quiet=True, plots=False, every=0.0))) == signal.SIGKILL:
        kills += 1
        assert kills < 50
    assert kills > 2
    assert contents(path) == wanted


def test_killed_at_random_times(tmp_path: Path) -> None:
    wanted = contents(whole := train(DIGITS, out=tmp_path / "whole", quiet=True, plots=False, **LONG).folder)
    seconds = json.loads((whole / "metrics.jsonl").read_text().splitlines()[-1])["seconds"]
    path, rng, kills = tmp_path / "killed", np.random.default_rng(int.from_bytes(os.urandom(4), "big")), 0
    code = ("import sys; from pathlib import Path; from symbp.run import resume, train; f = Path(sys.argv[2]); print('ready', flush=True)\n"
            "resume(f, quiet=True, plots=False, every=0.01) if (f / 'checkpoint.npz').exists() else "
            f"train(sys.argv[1], out=f, quiet=True, plots=False, every=0.01, **{LONG!r})\n")
    for _ in range(40):
        process = subprocess.Popen([sys.executable, "-c", code, str(DIGITS), str(path)], stdout=subprocess.PIPE, text=True,
                                   env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "")})
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        before = changed(path)
        while process.poll() is None and changed(path) == before and kills < 8:
            time.sleep(0.002)
        if kills < 8:
            time.sleep(seconds / 6 * rng.random())  # eight kills come before its end on every machine
            process.kill()
        kills += process.wait(timeout=120) == -signal.SIGKILL
        if process.returncode == 0:
            break
    assert kills >= 3
    assert contents(path) == wanted


def changed(path: Path) -> int:
    """When the run's checkpoint was last replaced."""
    try:
        return (path / "checkpoint.npz").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def test_seconds_add_up_over_the_processes_of_a_run(tmp_path: Path) -> None:
    path = train(DIGITS, out=tmp_path / "run", quiet=True, plots=False, **SHORT).folder
    resume(path, epochs=4, quiet=True, plots=False)
    seconds = [json.loads(line)["seconds"] for line in (path / "metrics.jsonl").read_text().splitlines()]
    assert seconds == sorted(seconds) and seconds[0] >= 0


def test_what_is_recorded_and_kept_does_not_change_the_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for often, fewest, every in ((20, 10, 15.0), (1, 10**6, 15.0), (10**6, 1, 15.0), (20, 10, 0.0)):
        monkeypatch.setattr(loop, "RECORDS", often)
        monkeypatch.setattr(loop, "FEWEST", fewest)
        run = train(DIGITS, out=tmp_path / "run", epochs=2, quiet=True, plots=False, every=every)
        found.append((run.folder / "params.npz").read_bytes())
    assert len(set(found)) == 1
