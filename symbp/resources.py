"""Where the files that are not Python lie: in the checkout, or inside an installed wheel."""
from __future__ import annotations

from pathlib import Path

from symbp.errors import SymbpError


def templates_dir() -> Path:
    """Return the folder of the Jinja templates: `symbp/templates` in a wheel, else the checkout's `templates`.

    Raises `SymbpError` where neither is there, that is, where the installation is damaged.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "templates", package.parent / "templates"):
        if folder.is_dir():
            return folder
    raise SymbpError(f"the templates of symbp are missing: neither {package / 'templates'} nor "
                     f"{package.parent / 'templates'} is a folder; install symbp again")
