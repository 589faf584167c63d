"""The page in a real browser: no request, no console message, no sideways scrolling."""

from __future__ import annotations

import html as entities
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import made_up
from medpsy.report.render import Meta, render_html
from medpsy.report.sections import build_sections

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # whatever the browser itself wants, no test asks a network
]  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def page() -> str:
    context = made_up.context(trusted=False, gate_reasons=["R-hat 1.08"], note="simulated")
    return render_html(build_sections(context), Meta.of(context))


def browse(folder: Path, text: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Open a page in a browser with an empty profile; the net log is ``net.json`` in ``folder``."""
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    own = [f"--user-data-dir={folder / 'profile'}", f"--log-net-log={folder / 'net.json'}"]
    command = [str(CHROMIUM), *FLAGS, *own, *flags, file.as_uri()]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return run


def requested(log: Path) -> set[str]:
    """Return every address that the page itself asked for; what the browser asks on its own has no origin."""
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    assert events
    asked = [event["params"] for event in events if "url" in event.get("params", {})]
    return {
        params["url"]
        for params in asked
        if params.get("initiator", "not an origin") != "not an origin"
        and not params["url"].startswith("data:")
    }


@pytest.mark.parametrize("width", [1280, 400])
def test_page_opens_without_request_or_console_message(tmp_path: Path, page: str, width: int) -> None:
    shot = tmp_path / "shot.png"
    run = browse(tmp_path, page, f"--window-size={width},2000", f"--screenshot={shot}")
    assert shot.stat().st_size > 20_000
    assert "CONSOLE" not in run.stderr
    assert requested(tmp_path / "net.json") == set()


def test_the_probe_sees_a_request_and_a_console_message(tmp_path: Path) -> None:
    bad = "<!DOCTYPE html><img src='http://127.0.0.1:9/x.png'><script>console.error('seen')</script>"
    run = browse(tmp_path, bad, "--dump-dom")
    assert "CONSOLE" in run.stderr
    assert any(url.startswith("http://127.0.0.1:9/") for url in requested(tmp_path / "net.json"))


def test_tables_scroll_inside_their_box_not_the_page(tmp_path: Path, page: str) -> None:
    # A frame of the wanted width, for a window may refuse to become so narrow.
    frames = "".join(
        f'<iframe width="{width}" height="900" srcdoc="{entities.escape(page)}"></iframe>'
        for width in (400, 1280)
    )
    script = """<script>onload = () => {
        const sizes = [...document.querySelectorAll('iframe')].map(frame => {
            const root = frame.contentDocument.documentElement;
            const boxes = [...root.querySelectorAll('.scroll')];
            const wide = boxes.filter(box => box.scrollWidth > box.clientWidth).length;
            return [root.clientWidth, root.scrollWidth, boxes.length, wide].join(',');
        });
        document.title = 'sizes ' + sizes.join(' ');
    }</script>"""
    text = f"<!DOCTYPE html><title></title>{frames}{script}"
    run = browse(tmp_path, text, "--dump-dom", "--window-size=1800,1000")
    found = re.search(r"<title>sizes ([\d,]+) ([\d,]+)</title>", run.stdout)
    assert found, run.stdout[:300]
    narrow, broad = ([int(n) for n in part.split(",")] for part in found.groups())
    assert narrow[0] <= 400 and narrow[1] <= narrow[0]
    assert broad[0] > 1200 and broad[1] <= broad[0]
    assert narrow[2] == broad[2] > 15
    assert narrow[3] > 5, "the wide tables scroll in their own boxes"
    assert broad[3] == 0, "at 1280 pixels nothing needs to scroll"
