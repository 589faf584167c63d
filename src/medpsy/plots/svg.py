"""A figure as inline SVG: several fit one page, nothing is fetched, a screen reader is told what it shows."""

from __future__ import annotations

import hashlib
import io
import re
from xml.sax.saxutils import escape

import matplotlib
from matplotlib.figure import Figure

from medpsy.plots import style


def to_svg(figure: Figure, *, title: str, description: str, prefix: str = "") -> str:
    """Return ``figure`` as one ``<svg>`` element to be placed inside an HTML page.

    Text is drawn as outlines, so that the figure looks the same on every machine without its fonts; the
    words are in ``title`` and ``description``. The figure fills its column up to its natural width.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Any figure; it is not changed.
    title, description : str
        What the figure is, and what it shows in words (numbers included).
    prefix : str, optional
        Start of every identifier, unique on the page; by default a digest of the drawing, so that the
        same figure twice on one page needs two prefixes.

    Returns
    -------
    str
        ``<svg role="img" ...>``, without XML prolog, doctype, metadata, dates or outside references.
    """
    buffer = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with matplotlib.rc_context({**style.rc(), "svg.fonttype": "path", "svg.hashsalt": "medpsy"}):
        figure.savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    head, body = _split(text)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'(\b(?:d|points)=")([^"]+)"', _shorter, body)
    if not prefix:
        prefix = "f" + hashlib.sha256((title + body).encode()).hexdigest()[:10]
    body = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", body)
    body = body.replace(">*{", f">#{prefix} *{{")
    return _opening(head, prefix) + _words(prefix, title, description) + body.strip() + "\n"


def _split(text: str) -> tuple[str, str]:
    """Return the opening ``<svg ...>`` tag and all that follows it."""
    start = text.index("<svg")
    end = text.index(">", start) + 1
    return text[start:end], text[end:]


def _shorter(match: re.Match[str]) -> str:
    """Round coordinates to a hundredth of a point: half the size, no visible difference."""
    rounded = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", match[2])
    return f'{match[1]}{" ".join(rounded.split())}"'


def _opening(head: str, prefix: str) -> str:
    box = re.search(r'viewBox="([^"]+)"', head)
    if box is None:  # pragma: no cover - every SVG that matplotlib writes has one
        raise ValueError("the SVG has no viewBox")
    natural = float(box[1].split()[2]) * 4 / 3  # points to CSS pixels
    return (
        f'<svg id="{prefix}" role="img" aria-labelledby="{prefix}-title {prefix}-desc" '
        f'width="100%" viewBox="{box[1]}" style="max-width:{natural:.0f}px;height:auto" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">\n'
    )


def _words(prefix: str, title: str, description: str) -> str:
    return (
        f'<title id="{prefix}-title">{escape(title)}</title>\n'
        f'<desc id="{prefix}-desc">{escape(description)}</desc>\n'
    )
