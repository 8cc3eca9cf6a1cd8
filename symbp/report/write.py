"""Report → files in a folder, in the formats asked for."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from symbp.errors import SymbpError
from symbp.report.compile import compile_tex
from symbp.report.files import write_atomically
from symbp.report.jsonout import to_json
from symbp.report.markdown import to_markdown
from symbp.report.model import Report
from symbp.report.page import to_html
from symbp.report.tex import to_tex

_RENDERERS: dict[str, Callable[[Report], str]] = {"html": to_html, "tex": to_tex, "md": to_markdown, "json": to_json}
FORMATS = ("pdf", *_RENDERERS)
"""The formats that `write` knows."""


@dataclass(frozen=True)
class Written:
    """The files that were written, by format (None: could not be made), and what the user should know."""

    files: dict[str, Path | None]
    messages: tuple[str, ...] = ()


def write(report: Report, folder: str | Path, stem: str, formats: Sequence[str] = FORMATS, time_limit: float = 120) -> Written:
    """Write `folder/stem.FORMAT` for each format, each file whole or not at all.

    Without TeX there is no PDF, and a message says so.  Raises `SymbpError` for an unknown format,
    a missing or read-only folder, a stem that is not a plain name, and LaTeX that does not compile
    (the other formats are written first).
    """
    folder = Path(folder)
    _check(folder, stem, formats)
    files: dict[str, Path | None] = dict.fromkeys(formats)
    messages: tuple[str, ...] = ()
    for name in (name for name in files if name != "pdf"):
        path = folder / f"{stem}.{name}"
        write_atomically(path, _RENDERERS[name](report).encode("utf-8", errors="replace"))
        files[name] = path
    if "pdf" in files:
        result = compile_tex(to_tex(report), folder / f"{stem}.pdf", time_limit)
        files["pdf"] = result.pdf
        messages = (result.message,) if result.message else ()
    return Written(files, messages)


def _check(folder: Path, stem: str, formats: Sequence[str]) -> None:
    """Raise `SymbpError` for what cannot be written, before any work is done."""
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise SymbpError(f"unknown report format {unknown[0]!r}; known are {', '.join(FORMATS)}")
    if not stem or Path(stem).name != stem or "\0" in stem or stem in (".", ".."):
        raise SymbpError(f"{stem!r} cannot be the name of a file")
    if not folder.is_dir():
        raise SymbpError(f"cannot write the report: {folder} is not an existing folder")
