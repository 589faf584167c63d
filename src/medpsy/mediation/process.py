"""Model numbers of the PROCESS macro (Hayes, 2022, ISBN 9781462549030, appendix A) that are designs here."""

from __future__ import annotations

from dataclasses import dataclass

from medpsy.errors import SpecError

#: Number -> (how many mediators, stages and what they change with). W and Z are the moderators, X is the
#: exposure itself; "WZ" stands for W, Z and their product.
NUMBERS: dict[int, tuple[str, tuple[tuple[str, str], ...]]] = {
    1: ("none", (("direct", "W"),)),
    2: ("none", (("direct", "W"), ("direct", "Z"))),
    3: ("none", (("direct", "WZ"),)),
    4: ("one or more", ()),
    5: ("one or more", (("direct", "W"),)),
    6: ("two or more", ()),
    7: ("one or more", (("first", "W"),)),
    8: ("one or more", (("first", "W"), ("direct", "W"))),
    9: ("one or more", (("first", "W"), ("first", "Z"))),
    10: ("one or more", (("first", "W"), ("first", "Z"), ("direct", "W"), ("direct", "Z"))),
    11: ("one or more", (("first", "WZ"),)),
    12: ("one or more", (("first", "WZ"), ("direct", "WZ"))),
    14: ("one or more", (("second", "W"),)),
    15: ("one or more", (("second", "W"), ("direct", "W"))),
    16: ("one or more", (("second", "W"), ("second", "Z"))),
    17: ("one or more", (("second", "W"), ("second", "Z"), ("direct", "W"), ("direct", "Z"))),
    18: ("one or more", (("second", "WZ"),)),
    19: ("one or more", (("second", "WZ"), ("direct", "WZ"))),
    21: ("one or more", (("first", "W"), ("second", "Z"))),
    22: ("one or more", (("first", "W"), ("second", "Z"), ("direct", "W"))),
    28: ("one or more", (("first", "W"), ("second", "Z"), ("direct", "Z"))),
    29: ("one or more", (("first", "W"), ("second", "Z"), ("direct", "W"), ("direct", "Z"))),
    58: ("one or more", (("first", "W"), ("second", "W"))),
    59: ("one or more", (("first", "W"), ("second", "W"), ("direct", "W"))),
    74: ("one or more", (("second", "X"),)),
}


@dataclass(frozen=True)
class ProcessDesign:
    """What a model number stands for."""

    serial: bool
    moderation: tuple[tuple[str, ...], ...]


def process_design(
    number: int, *, x: str, mediators: int, w: str | None = None, z: str | None = None
) -> ProcessDesign:
    """Return the moderation and order of mediators of a model number.

    Raises
    ------
    SpecError
        A number that stands for no design here, a role it needs or does not have.
    """
    if number not in NUMBERS:
        raise SpecError(
            f"PROCESS model {number} has no counterpart here",
            hint=f"Known numbers: {', '.join(map(str, NUMBERS))}. Any other design can be written with "
            "Mediation(..., moderation={...}) or as model text.",
        )
    wanted, changes = NUMBERS[number]
    lowest, highest = {"none": (0, 0), "one or more": (1, None), "two or more": (2, None)}[wanted]
    if mediators < lowest or (highest is not None and mediators > highest):
        raise SpecError(
            f"PROCESS model {number} takes {wanted} mediators, not {mediators}",
            hint="Name the mediators with m=[...].",
        )
    letters = {letter for _, letters in changes for letter in letters}
    for letter, name in (("W", w), ("Z", z)):
        if (letter in letters) != (name is not None):
            verb = "needs a" if letter in letters else "has no"
            raise SpecError(
                f"PROCESS model {number} {verb} moderator {letter}",
                hint=f"See the argument {letter.lower()}=.",
            )
    names = {"W": str(w), "Z": str(z), "X": x}
    moderation = tuple((stage, *(names[letter] for letter in letters)) for stage, letters in changes)
    return ProcessDesign(number == 6, moderation)
