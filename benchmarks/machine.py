"""On what it was measured."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.process import total_memory_mb


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system, Python."""
    return {
        "processor": _processor(), "cores": os.cpu_count(), "memory_gb": round(total_memory_mb() / 1024, 1),
        "system": f"{platform.system()} {platform.release()}", "python": platform.python_version(),
    }  # fmt: skip


def today() -> str:
    """The date, in UTC."""
    return datetime.now(UTC).date().isoformat()


def _processor() -> str:
    """Name of the processor; Linux keeps it in a file."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
