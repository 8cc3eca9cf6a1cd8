"""An audit as text of a format, or in a file."""
from __future__ import annotations

import io
import json
from pathlib import Path

from symbp.errors import SymbpError
from symbp.report.compile import compile_tex
from symbp.report.files import write_atomically
from symbp.report.markdown import to_markdown
from symbp.report.page import to_html
from symbp.report.tex import to_tex
from symbp.verify.audit import Audit
from symbp.verify.document import document
from symbp.verify.terminal import show

RENDERERS = {"md": to_markdown, "html": to_html, "tex": to_tex}


def as_text(audit: Audit, kind: str, errata: bool = False) -> str:
    """An audit as text, md, html, tex or json."""
    if kind == "json":
        return json.dumps(audit.to_json(), indent=2) + "\n"
    if kind == "text":
        stream = io.StringIO()
        show(audit, stream)
        return stream.getvalue()
    return RENDERERS[kind](document(audit, errata))


def write(audit: Audit, kind: str, errata: bool, path: Path) -> None:
    """Write an audit into a file, whole or not at all.

    Raises `SymbpError` where the folder cannot be written, TeX is missing, or it cannot set the document.
    """
    if kind != "pdf":
        write_atomically(path, as_text(audit, kind, errata).encode("utf-8", errors="replace"))
        return
    result = compile_tex(to_tex(document(audit, errata)), path)
    if result.pdf is None:
        raise SymbpError(result.message)
