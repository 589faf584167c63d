"""Chains in forked processes: how they report, how they are told to stop, and what is shown meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from medpsy.errors import FitError


def forks() -> bool:
    """Whether chains may run in forked processes here (not on macOS, whose system libraries forbid it)."""
    return "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"


class Line:
    """One line on a terminal: share of the draws, divergences, time left. Silent elsewhere.

    Parameters
    ----------
    what : str
        What is being done.
    total : int
        Steps in all.
    wanted : bool
    """

    def __init__(self, what: str, total: int, wanted: bool) -> None:
        self.what, self.total = what, total
        self.live = wanted and sys.stderr.isatty() and not os.environ.get("CI")
        self.start = time.perf_counter()

    def show(self, done: int, divergences: int = 0) -> None:
        """Redraw the line."""
        if not self.live or done == 0:
            return
        share = min(done / self.total, 1.0)
        left = (time.perf_counter() - self.start) * (1 - share) / share
        filled = int(30 * share)
        bar = f"[{'#' * filled}{'.' * (30 - filled)}] {share:4.0%}"
        trouble = f", {divergences} divergences" if divergences else ""
        sys.stderr.write(f"\r{self.what} {bar}, {done} of {self.total}{trouble}, {left:.0f} s left ")
        sys.stderr.flush()

    def close(self) -> None:
        """Clear the line."""
        if self.live:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


class _Shared:
    """State of one chain, seen by its process and by the parent."""

    def __init__(self, context: Any, stop: Any) -> None:
        self.counts = context.Array("q", 2, lock=False)
        self._stop = stop

    def report(self, done: int, divergences: int) -> None:
        """Publish progress."""
        self.counts[0], self.counts[1] = done, divergences

    def stop(self) -> bool:
        """Whether the parent was interrupted."""
        return bool(self._stop.value)


def forked(work: Callable[[int, Any], Any], count: int, workers: int, line: Line) -> tuple[list[Any], bool]:
    """Run ``work(number, state)`` for every number in at most ``workers`` processes at a time.

    Returns
    -------
    list
        What each call returned, in order; None where an interruption came before the start.
    bool
        Whether there was an interruption (Ctrl-C): running calls are asked to stop, then collected.

    Raises
    ------
    FitError
        A process died, or ``work`` raised one.
    """
    context = multiprocessing.get_context("fork")
    stop = context.Value("b", 0, lock=False)
    states = [_Shared(context, stop) for _ in range(count)]
    waiting = list(range(count))
    running: dict[int, tuple[Any, Any]] = {}
    done: dict[int, Any] = {}
    try:
        while (waiting and not stop.value) or running:
            try:
                while waiting and len(running) < workers and not stop.value:
                    number = waiting.pop(0)
                    running[number] = _start(context, work, number, states[number])
                for number, (process, pipe) in list(running.items()):
                    if pipe.poll(0.02):
                        done[number] = _receive(pipe, process, number)
                        process.join()
                        del running[number]
                line.show(*(sum(state.counts[i] for state in states) for i in range(2)))
            except KeyboardInterrupt:
                if stop.value:  # the second time in earnest
                    raise
                stop.value = 1
    finally:
        for process, _ in running.values():
            process.terminate()
    return [done.get(number) for number in range(count)], bool(stop.value)


def _start(context: Any, work: Callable[[int, Any], Any], number: int, state: Any) -> tuple[Any, Any]:
    """Start one process; its handle and the end of the pipe to read from."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, work, number, state), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _work(pipe: Any, work: Callable[[int, Any], Any], number: int, state: Any) -> None:
    """Body of a process: send the result, or the message of what went wrong."""
    # A terminal sends Ctrl-C to every process; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pipe.send(work(number, state))
    except FitError as error:
        pipe.send(error)
    finally:
        pipe.close()


def _receive(pipe: Any, process: Any, number: int) -> Any:
    """What a process sent, or a FitError that says how it ended."""
    try:
        piece = pipe.recv()
    except EOFError:
        process.join()
        raise FitError(
            f"the process of chain {number + 1} died (exit code {process.exitcode})",
            hint="It may have run out of memory; try cores=1.",
        ) from None
    if isinstance(piece, FitError):
        raise piece
    return piece
