"""One program in a session of its own: wall time, peak memory, a limit of time and of memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

#: Seconds between two looks at the memory: a fiftieth of the time passed, within these bounds. Looking costs
#: some milliseconds, which a long run must not feel.
OFTEN, SELDOM = 0.1, 2.0

PROC = Path("/proc")


@dataclass(frozen=True)
class Outcome:
    """How a program ended.

    Parameters
    ----------
    started : float
        Seconds since the epoch.
    wall : float
        Seconds.
    tree_mb : float or None
        Peak of the sum over its processes (shared pages divided among them), sampled; Linux only.
    largest_mb : float
        Peak resident memory of its largest process.
    failure : str
        Why it did not end well, or an empty string.
    """

    started: float
    wall: float
    tree_mb: float | None
    largest_mb: float
    failure: str


def run(
    command: list[str],
    *,
    folder: Path,
    environment: dict[str, str],
    limit: float,
    memory_mb: float,
    log: Path,
    done: Path,
) -> Outcome:
    """Run ``command`` in ``folder`` and measure it; stopped beyond ``limit`` seconds or ``memory_mb``.

    Once the file ``done`` exists the result is there, and what follows no longer counts as its memory.
    """
    started, begun = time.time(), time.perf_counter()
    peak, largest, failure, status, usage = 0.0, 0.0, "", None, None
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            while status is None:
                pid, code, rusage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    status, usage = os.waitstatus_to_exitcode(code), rusage
                    break
                now, high = session_mb(process.pid)
                if not done.exists():
                    peak, largest = max(peak, now), max(largest, high)
                passed = time.perf_counter() - begun
                if passed > limit:
                    failure = f"stopped after {limit:.0f} s"
                elif now > memory_mb:
                    failure = f"stopped at {now / 1024:.1f} GB of memory"
                if failure:
                    break
                time.sleep(min(max(passed / 50, OFTEN), SELDOM))
            wall = time.perf_counter() - begun
        finally:
            stop_session(process.pid)
            if status is None:
                # Not process.kill: that would reap it, and its resource usage with it.
                os.kill(process.pid, signal.SIGKILL)
                _, _, usage = os.wait4(process.pid, 0)
            process.returncode = 0 if status is None else status
    assert usage is not None
    if not largest:
        # Where there is no /proc. On Linux this would include the size of the process that forked.
        largest = usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    if not failure and status:
        failure = last_words(log) or f"ended with status {status}"
    return Outcome(started, wall, peak or None, largest, failure)


def session(leader: int) -> list[int]:
    """Processes of the session that ``leader`` leads, those included that lost their parent."""
    found = []
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if entry.name.isdigit():
            try:
                # After the name in brackets: state, parent, process group, session.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def session_mb(leader: int) -> tuple[float, float]:
    """Memory of a session now, and the most that one of its processes ever had; MB, 0 if not known.

    The sum is over proportional set sizes: a page shared by n processes counts 1/n in each.
    """
    total = largest = 0
    for pid in session(leader):
        total += _kilobytes(pid, "smaps_rollup", "Pss:")
        largest = max(largest, _kilobytes(pid, "status", "VmHWM:"))
    return total / 1024, largest / 1024


def _kilobytes(pid: int, file: str, key: str) -> int:
    """One line of what the system says about a process; 0 once it has ended."""
    try:
        for line in (PROC / str(pid) / file).read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1])
    except OSError:
        return 0
    return 0


def stop_session(leader: int) -> None:
    """End every process of a session that is still there."""
    for pid in session(leader):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def last_words(log: Path) -> str:
    """The last line that a program printed; for R the line of the error."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    lines = [line for line in lines if line and line != "Execution halted"]
    return lines[-1][:200] if lines else ""


def total_memory_mb() -> float:
    """Memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**2
