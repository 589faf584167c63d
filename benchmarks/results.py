"""What was measured, one JSON file a case, written after every run."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "results"


def load(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """Results of one case; an empty dict where there are none."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def save(name: str, held: dict[str, Any], folder: Path = FOLDER) -> None:
    """Write the results of one case; a reader never sees half a file."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.json.part"
    part.write_text(json.dumps(held, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(part, folder / f"{name}.json")


def anonymous(text: str, *folders: Path) -> str:
    """A message without the paths of this machine."""
    for folder in folders:
        text = text.replace(f"{folder}{os.sep}", "").replace(str(folder), ".")
    return text.replace(str(Path.home()), "~")


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
