"""LaTeX → PDF, in a temporary folder, without shell escape, within a time limit."""
from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from symbp.errors import SymbpError
from symbp.report.files import write_atomically

TEX_PACKAGES = "texlive-latex-recommended texlive-pictures lmodern latexmk"
"""The Debian packages that a report needs."""

_STEM = "document"
_PASSES = 3
_FLAGS = ("-halt-on-error", "-file-line-error", "-no-shell-escape", "-interaction=nonstopmode")
_RERUN = re.compile(r"Rerun to get|Rerun LaTeX|Label\(s\) may have changed|has changed\. Rerun|Table widths have changed")
_ERROR = re.compile(rf"^(?:\./)?{_STEM}\.tex:(\d+): (.*)$|^! (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class CompileResult:
    """What came out: the PDF's path, or None and a message of one line; `overfull` lists what sticks out of the page."""

    pdf: Path | None
    message: str = ""
    overfull: tuple[str, ...] = ()


def tex_available() -> bool:
    """Return whether pdflatex is installed; latexmk is used where it is there too."""
    return shutil.which("pdflatex") is not None


def compile_tex(source: str, out: Path, time_limit: float = 120) -> CompileResult:
    """Compile a LaTeX document and put the PDF at `out`, whole or not at all.

    Raises `SymbpError` with TeX's first error and its line of source, when the time limit (in
    seconds) is passed, or when the folder of `out` cannot be written.  Where TeX is missing, the
    result has no PDF and says which packages to install.
    """
    if not tex_available():
        return CompileResult(None, f"no PDF: TeX is not installed (on Debian: apt install {TEX_PACKAGES})")
    with tempfile.TemporaryDirectory(prefix="symbp-tex-") as name:
        folder = Path(name)
        (folder / f"{_STEM}.tex").write_bytes(source.encode("utf-8", errors="replace"))
        status = _run_all(folder, time.monotonic() + time_limit, time_limit)
        log = _read(folder / f"{_STEM}.log")
        pdf = folder / f"{_STEM}.pdf"
        if status or not pdf.is_file():
            raise SymbpError(first_error(log, source))
        write_atomically(out, pdf.read_bytes())
    return CompileResult(out, "", tuple(re.findall(r"^Overfull \\hbox.*$", log, re.MULTILINE)))


def first_error(log: str, source: str) -> str:
    r"""Return one paragraph that says what TeX's first error is and in which line of the source.

    >>> print(first_error("./document.tex:2: Missing $ inserted.", "one" + chr(10) + "a_b"))
    TeX could not set the report: Missing $ inserted, in line 2 of the source: a_b
    """
    found = _ERROR.search(log)
    if found is None:
        return "TeX could not set the report and left no error message; the last lines of its log: " + " ".join(log.split()[-30:])
    what = (found[2] or found[3]).strip().rstrip(".")
    lines = source.split("\n")
    if found[1] is None or not 0 < int(found[1]) <= len(lines):
        return f"TeX could not set the report: {what}"
    line = " ".join(lines[int(found[1]) - 1].split())
    line = line if len(line) <= 160 else line[:160] + " …"
    command = re.search(rf"^l\.{found[1]} .*?(\\[A-Za-z]+|\S+)\s*$", log[found.end():], re.MULTILINE)
    at = f", at {command[1]}" if command and "Undefined control" in what else ""
    return f"TeX could not set the report: {what}{at}, in line {found[1]} of the source: {line}"


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace") if path.is_file() else ""


def _run_all(folder: Path, end: float, time_limit: float) -> int:
    """Run latexmk, or pdflatex until its references stand still; return the exit status."""
    if shutil.which("latexmk"):
        return _run(["latexmk", "-norc", "-pdf", *_FLAGS, f"{_STEM}.tex"], folder, end, time_limit)
    status = 0
    for _ in range(_PASSES):
        status = _run(["pdflatex", *_FLAGS, f"{_STEM}.tex"], folder, end, time_limit)
        if status or not _RERUN.search(_read(folder / f"{_STEM}.log")):
            break
    return status


def _run(command: list[str], folder: Path, end: float, time_limit: float) -> int:
    """Run one program; past the time limit its whole process group is killed."""
    restricted = {"openin_any": "p", "openout_any": "p", "shell_escape": "f", "max_print_line": "10000", "error_line": "254",
                  "half_error_line": "238"}
    with subprocess.Popen(command, cwd=folder, env=os.environ | restricted, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            return process.wait(timeout=max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise SymbpError(f"TeX did not finish within {time_limit:g} seconds and was stopped") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
