"""What is installed: Python, packages, TeX, fonts, a GPU and data, with what is missing and how to get it."""
from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass

PACKAGES = {"sympy": True, "numpy": True, "lark": True, "pydantic": True, "jinja2": True, "pylatex": True, "latex2mathml": True,
            "matplotlib": True, "platformdirs": True, "python-flint": False, "torch": False, "pillow": False}
"""Packages by the name under which pip knows them, and whether symbp cannot do without."""
LATEX_STYLES = ("amsmath", "mathtools", "amssymb", "breqn", "booktabs", "hyperref", "lmodern")
TEX_REMEDY = "apt install texlive-latex-recommended texlive-pictures lmodern latexmk"
TIME_LIMIT = 20


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for: whether it was found, its version or path, and the remedy where it is missing."""

    what: str
    found: bool
    detail: str = ""
    needed: bool = False
    remedy: str = ""


def examine() -> list[Finding]:
    """Look for everything; nothing is imported that is large or touches a device."""
    return [Finding("Python", True, platform.python_version(), True), *_packages(), *_tex(), _gpu(), *_data()]


def _packages() -> list[Finding]:
    found = []
    for name, needed in PACKAGES.items():
        try:
            found.append(Finding(name, True, importlib.metadata.version(name), needed))
        except importlib.metadata.PackageNotFoundError:
            found.append(Finding(name, False, "", needed, f"pip install {name}"))
    return found


def _tex() -> list[Finding]:
    """TeX's programs, and the styles and fonts that a document needs."""
    programs = [Finding(name, shutil.which(name) is not None, shutil.which(name) or "", False, TEX_REMEDY)
                for name in ("pdflatex", "latexmk")]
    if shutil.which("kpsewhich") is None:
        return [*programs, Finding("LaTeX styles and fonts", False, "kpsewhich is missing", False, TEX_REMEDY)]
    styles = [_kpathsea(f"style {name}", f"{name}.sty") for name in LATEX_STYLES]
    return [*programs, *styles, _kpathsea("font lmroman10", "lmroman10-regular.otf")]


def _kpathsea(what: str, file: str) -> Finding:
    try:
        answer = subprocess.run(["kpsewhich", file], capture_output=True, text=True, errors="replace", timeout=TIME_LIMIT, check=False)
        path = answer.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        path = ""
    return Finding(what, bool(path), path, False, TEX_REMEDY)


def _gpu() -> Finding:
    """A GPU, by what CuPy sees; without CuPy nothing is known."""
    if importlib.util.find_spec("cupy") is None:
        return Finding("GPU", False, "CuPy is not installed", False, "pip install cupy-cuda12x, on a machine with an NVIDIA GPU")
    try:
        import cupy
        count = cupy.cuda.runtime.getDeviceCount()
        name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
        return Finding("GPU", True, f"{count} × {name}")
    except (ImportError, OSError, RuntimeError) as error:
        return Finding("GPU", False, f"CuPy finds none: {type(error).__name__}")


def _data() -> list[Finding]:
    """The sets of data that can be used without a download; their files are checked when they are read."""
    try:
        from symbp.data import NAMES, cache
    except ImportError as error:
        return [Finding("data", False, f"{error.name} is missing")]
    found = [Finding("data digits", True, "in the package")]
    for path in (cache.path(name) for name in NAMES if name != "digits"):
        kept = os.path.isfile(path)
        found.append(Finding(f"data {path.stem}", kept, str(path) if kept else "", False, f"symbp data {path.stem}"))
    return found


def as_text(findings: list[Finding]) -> str:
    """The findings as lines.

    >>> print(as_text([Finding("Python", True, "3.11.7", True), Finding("pdflatex", False, remedy="apt install …")]))
    ok       Python    3.11.7
    missing  pdflatex  (apt install …)
    """
    width = max(len(f.what) for f in findings)
    lines = []
    for f in findings:
        state = "ok" if f.found else "MISSING" if f.needed else "missing"
        remedy = f"({f.remedy})" if f.remedy and not f.found else ""
        lines.append(f"{state:<7}  {f.what:<{width}}  {' '.join(t for t in (f.detail, remedy) if t)}".rstrip())
    return "\n".join(lines)
