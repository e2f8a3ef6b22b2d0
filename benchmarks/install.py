"""The size of a core install: drawloom and what it depends on, in an environment of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def rows() -> Iterator[tuple[str, str, str, str]]:
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "site")
        subprocess.run([uv, "pip", "install", "--quiet", "--target", str(target), str(ROOT)], check=True)
        whole, ours = _folder_bytes(target), _folder_bytes(target / "drawloom")
    yield "core install", f"{whole / 1e6:.1f} MB", f"drawloom itself {ours / 1e6:.1f} MB", "<= 40 MB"
