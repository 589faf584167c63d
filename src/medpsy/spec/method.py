"""A method factor: what all items of a questionnaire share beside their constructs."""

from __future__ import annotations

from dataclasses import dataclass

from medpsy.errors import SpecError

#: Priors of the slopes on it, on the logit scale: small unless the answers say otherwise.
EQUAL, FIRST, SMALL = "HalfNormal(0.7)", "HalfNormal(0.7)", "Normal(0, 0.5)"
LOADINGS = ("equal", "small")


@dataclass(frozen=True)
class Method:
    """One more factor on every item, standard normal and unrelated to the constructs.

    Parameters
    ----------
    name : str
    turned : tuple of str
        Items that were asked the other way round: their slopes have the opposite sign.
    loadings : str
        ``"equal"``: one slope for all items; ``"small"``: each its own, shrunk to zero.
    """

    name: str = "method"
    turned: tuple[str, ...] = ()
    loadings: str = "equal"

    def __post_init__(self) -> None:
        if self.loadings not in LOADINGS:
            raise SpecError(f"there are no method loadings '{self.loadings}'", hint="Say 'equal' or 'small'.")
