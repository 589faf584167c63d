"""Which fits are measurement models, and their constructs one by one, group by group."""

from __future__ import annotations

from collections.abc import Iterator

from medpsy.families.crossed import Crossed
from medpsy.posterior.by_group import views
from medpsy.posterior.items_at import shares_specific_factors
from medpsy.result import Result

#: Posterior draws that reports draw scores and curves at: of most models, and where every draw is dear
#: because specific factors have to be integrated out.
DRAWS, DEAR = 200, 40


def affordable(result: Result) -> int:
    """Posterior draws for the tables and figures of a report."""
    dear = any(shares_specific_factors(block, result.data) for block in result.data.blocks)
    return DEAR if dear else DRAWS


def is_measurement(result: Result) -> bool:
    """Whether the model has constructs and explains neither them by one another nor anything by them."""
    layout = result.data.layout
    return bool(result.data.blocks) and bool(layout.latent.all()) and not layout.inner.size


def measured(
    result: Result, *, categorical: bool = True, independent: bool = False
) -> Iterator[tuple[str, str, Result]]:
    """Every construct of a measurement model: (name, title, result); once per group where there are groups.

    ``categorical`` leaves out constructs whose items are numbers, ``independent`` those whose items measure
    another construct, too. The title names the group, too.
    """
    if not is_measurement(result):
        return
    for level, one in (views(result) or {"": result}).items():
        names = dict.fromkeys(block.construct.name for block in one.data.blocks)
        for name in names:
            blocks = [block for block in one.data.blocks if block.construct.name == name]
            if categorical and not all(block.n_categories for block in blocks):
                continue
            if independent and isinstance(one.data.model.families[name], Crossed):
                continue
            yield name, f"{name} ({level})" if level else name, one
