"""Forked workers: order, errors, death, interruption; and the line that is shown."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

from medpsy.errors import FitError
from medpsy.inference.nuts import FEWEST, _kept
from medpsy.inference.workers import Line, forked, forks

pytestmark = pytest.mark.skipif(not forks(), reason="processes cannot be forked here")
QUIET = Line("testing", 1, False)


def test_results_come_in_order() -> None:
    def work(number: int, state: Any) -> int:
        state.report(number, 0)
        return number**2

    assert forked(work, 5, 2, QUIET) == ([0, 1, 4, 9, 16], False)


def test_an_error_of_a_worker_is_an_error_of_the_fit() -> None:
    def work(number: int, state: Any) -> int:
        raise FitError("no start", hint="Look.")

    with pytest.raises(FitError, match="no start"):
        forked(work, 2, 2, QUIET)


def test_a_killed_worker_is_named() -> None:
    def work(number: int, state: Any) -> int:
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pytest.raises(FitError, match=r"chain 2 died \(exit code -9\)") as caught:
        forked(work, 2, 2, QUIET)
    assert "memory" in caught.value.hint


def test_an_interruption_asks_the_workers_to_stop_and_keeps_what_they_have() -> None:
    def work(number: int, state: Any) -> str:
        until = time.monotonic() + 20
        while not state.stop() and time.monotonic() < until:
            state.report(1, 0)
            time.sleep(0.01)
        return "stopped" if state.stop() else "late"

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs start without one
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    try:
        found, stopped = forked(work, 3, 2, QUIET)
    finally:
        signal.signal(signal.SIGINT, before)
    assert stopped
    assert found == ["stopped", "stopped", None]


def chain(length: int) -> Any:
    return np.arange(length * 2.0).reshape(length, 2), {"diverging": np.zeros(length, dtype=bool)}


def test_interrupted_chains_are_cut_to_one_length() -> None:
    pieces, note = _kept([chain(100), chain(80), chain(FEWEST - 1)], True, 4, 500)
    assert [len(w) for w, _ in pieces] == [80, 80]
    assert note == (
        "interrupted: 2 of 4 chains with 80 of 500 draws each are kept, 20 draws of longer chains left out"
    )
    with pytest.raises(KeyboardInterrupt):
        _kept([chain(3)], True, 4, 500)


def test_the_line_says_what_is_left_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("CI", raising=False)
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    line = Line("sampling", 400, True)
    line.show(100, 3)
    assert "sampling [" in screen.getvalue()
    assert "25%, 100 of 400, 3 divergences" in screen.getvalue() and "s left" in screen.getvalue()
    line.close()
    plain = io.StringIO()
    monkeypatch.setattr("sys.stderr", plain)
    Line("sampling", 400, True).show(100)
    assert plain.getvalue() == ""
