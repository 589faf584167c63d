"""Rules for products of constructs with each other or with explained variables."""

from __future__ import annotations

from medpsy.errors import SpecError
from medpsy.spec.model_spec import ModelSpec, Path


def latent_products(spec: ModelSpec) -> tuple[Path, ...]:
    """Products with a construct in which another factor has a distribution of its own."""
    latent = {c.name for c in spec.constructs} | set(spec.latents)
    own = latent | {path.target for path in spec.paths}
    return tuple(
        path for path in spec.paths
        if set(path.variables) & latent and len([name for name in path.variables if name in own]) > 1
    )  # fmt: skip


def check_latent_products(spec: ModelSpec) -> None:
    """Refuse products of constructs that the answers cannot tell or that no engine integrates.

    Raises
    ------
    SpecError
    """
    items = {c.name: len(c.items) for c in spec.constructs}
    explained = {path.target for path in spec.paths}
    for path in latent_products(spec):
        for name in path.variables:
            if name in items and items[name] < 2:
                raise SpecError(
                    f"'{path.term}' multiplies '{name}', which has a single item: its slope, and with it the "
                    "product, would be what the prior says",
                    hint=f"Measure '{name}' by two items or more, or use the item as an observed variable.",
                )
            if name in spec.latents:
                raise SpecError(
                    f"'{path.term}' multiplies '{name}', which no item measures",
                    hint="Products are of constructs with items and of observed variables.",
                )
            if name not in items and name not in explained:
                raise SpecError(
                    f"'{path.term}' multiplies constructs with '{name}', a variable that nothing explains",
                    hint="A product of constructs cannot change with an observed variable as well: leave one "
                    "of the factors out.",
                )
        beside = [
            what for what, there in (
                ("groups", spec.groups), ("clusters", spec.clusters),
                ("a second-order construct", spec.second_order),
            ) if there is not None
        ]  # fmt: skip
        if beside:
            raise SpecError(
                f"the model has {beside[0]} and the product '{path.term}' of constructs",
                hint="Products of constructs are for one population with paths between constructs.",
            )
