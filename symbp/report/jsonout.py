"""Report → JSON with all of its content, for programs.

Text is a string; mathematics is `{"latex": …}`, a reference `{"ref": …}`; every item carries its
`kind`.  Fields keep their order, so that equal reports are equal files.
"""
from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

from symbp.report.model import Math, Ref, Report

FORMAT = 1
"""Version of the layout; it grows when a field is renamed or dropped."""


def to_json(report: Report) -> str:
    """Return the report as JSON in ASCII."""
    return json.dumps({"format": FORMAT, **_plain(report)}, indent=2) + "\n"


def _plain(value: Any) -> Any:
    """Dataclasses as objects, tuples as lists."""
    if isinstance(value, Math):
        return {"latex": value.latex}
    if isinstance(value, Ref):
        return {"ref": value.number}
    if is_dataclass(value):
        kind = {"kind": value.kind} if hasattr(value, "kind") else {}
        return kind | {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, tuple | list) else value
