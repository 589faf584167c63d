"""What tables and figures carry with them: whether to trust them, and where simulated answers come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medpsy.report.render import MARK

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Mark:
    """The verdict of the gate, with its reasons, and the sentence about simulated answers."""

    trusted: bool
    reasons: Sequence[str] = ()
    note: str = ""

    @property
    def warning(self) -> str:
        """One line; empty where the gate passed."""
        return "" if self.trusted else f"{MARK}: {'; '.join(self.reasons) or 'the gate failed'}"

    def on_table(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table that says what it is worth, in print, in a file and in ``attrs``.

        A failed gate adds a first column ``trusted`` (False), simulated answers a last column ``note``.
        """
        table = table.copy()
        if not self.trusted:
            table.insert(0, "trusted", False)
        if self.note:
            table["note"] = self.note
        table.attrs |= self.attributes()
        return table

    def for_file(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table for a file: with a first column ``trusted`` (true or false) in any case."""
        table = table.copy()
        table.insert(0, "trusted", str(self.trusted).lower())
        if self.note:
            table["note"] = self.note
        return table

    def on_figure(self, figure: Any) -> Any:
        """Write the mark across a figure, and the note into its lower right corner."""
        if not self.trusted:
            figure.text(
                0.5, 0.5, MARK, rotation=18, ha="center", va="center", fontsize=26, fontweight="bold",
                color="#D55E00", alpha=0.35, zorder=1000,
            )  # fmt: skip
        if self.note:
            figure.text(0.995, 0.003, self.note, ha="right", va="bottom", fontsize=5.5, color="#6B6B6B")
        return figure

    def attributes(self) -> dict[str, Any]:
        """Return the mark as attributes of a table or dataset; flags are 0 and 1, as netCDF knows them."""
        return {"trusted": int(self.trusted), "reasons": "; ".join(self.reasons), "note": self.note}
