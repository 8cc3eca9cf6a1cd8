"""The wheel, installed in a fresh environment outside the checkout, works as the checkout does."""
from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import symbp

ROOT = Path(__file__).resolve().parent.parent
NET = ROOT / "examples" / "xor.toml"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--disable-pip-version-check",
                    "-w", folder, ROOT], check=True)
    return next(folder.glob("symbp-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment that holds the wheel; its dependencies are those of this environment.

    A `.pth` line adds a folder, but not what the `.pth` files in it add: an editable symbp stays out.
    """
    folder = tmp_path_factory.mktemp("fresh") / "env"
    venv.create(folder, with_pip=False, symlinks=True)
    site = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    subprocess.run([sys.executable, "-m", "pip", "--python", folder, "install", "-q", "--no-deps", "--disable-pip-version-check", wheel],
                   check=True)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "bin"


def run(installed: Path, cwd: Path, *arguments: str) -> str:
    """What an installed program prints, run outside the checkout."""
    command = [installed / arguments[0], *arguments[1:]]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, env={"LANG": "C.UTF-8"}).stdout


def test_all_files_are_in_the_wheel(wheel: Path):
    inside = set(zipfile.ZipFile(wheel).namelist())
    ours = {f"symbp/{p.relative_to(ROOT / 'symbp')}" for s in ("*.py", "*.lark", "*.npz", "*.txt") for p in (ROOT / "symbp").rglob(s)}
    ours |= {f"symbp/templates/{p.name}" for p in (ROOT / "templates").iterdir()}
    assert ours <= inside
    assert {name.split("/")[0] for name in inside} == {"symbp", wheel.name[:-len("-py3-none-any.whl")] + ".dist-info"}


def test_the_commands_work_outside_the_checkout(installed: Path, tmp_path: Path):
    where = run(installed, tmp_path, "python", "-c", "import symbp; print(symbp.__file__)")
    assert Path(where.strip()).is_relative_to(installed.parent)
    run(installed, tmp_path, "symbp", "derive", str(NET), "--out", "found", "--format", "html,tex,md,json")
    run(installed, tmp_path, "symbp", "derive", "sum(i, w[i]*x[i])^2", "--out", "found", "--format", "html")
    assert sorted(p.name for p in (tmp_path / "found").iterdir()) == ["formula.html", "xor.html", "xor.json", "xor.md", "xor.tex"]
    assert "all hold" in run(installed, tmp_path, "symbp", "check", str(NET))
    assert run(installed, tmp_path, "symbp", "--version").split() == ["symbp", symbp.__version__]
