"""A specification error that knows which element of the model it is about."""

from __future__ import annotations

from medpsy.errors import SpecError


class ElementError(SpecError):
    """A rule broken by one element of a model, wherever the model was written.

    Rules are stated once, on the finished specification. Whoever read the specification from a text or a
    file uses ``subject`` to find the place and raises a SpecError with the line in it.

    Parameters
    ----------
    message, hint : str
        As in :class:`medpsy.errors.MedpsyError`.
    subject : tuple of str
        Kind of element and its names, from general to specific: ``("path", "y~x")``,
        ``("item", "meaning", "ml3")``, ``("definition", "indirect", "a")``.
    """

    def __init__(self, message: str, *, subject: tuple[str, ...], hint: str = "") -> None:
        self.subject = subject
        super().__init__(message, hint=hint)
