"""Simple mediation: exposure -> mediator -> outcome (Baron & Kenny, 1986, doi:10.1037/0022-3514.51.6.1173).

mediator ~ a*exposure; outcome ~ b*mediator + c*exposure; indirect a*b, direct c, total a*b + c.
"""

from __future__ import annotations

from medpsy.errors import SpecError
from medpsy.spec.model_spec import Definition, Design, ModelSpec, Path


class SimpleMediation:
    """One exposure, one mediator, one outcome; covariates enter every equation once."""

    name = "simple"

    def expand(
        self, design: Design, latent: frozenset[str]
    ) -> tuple[tuple[Path, ...], tuple[Definition, ...]]:
        """Paths a, b, c and the effects indirect, direct and total.

        A latent exposure is regressed on the covariates too, so that it may correlate with them.
        """
        if len(design.mediators) != 1:
            raise SpecError(
                f"the design 'simple' takes one mediator, not {len(design.mediators)}",
                hint="Write several mediators as paths in the model text, with labels and := lines.",
            )
        x, m, y = design.exposure, design.mediators[0], design.outcome
        roles = [x, m, y, *design.covariates]
        for name in roles:
            if roles.count(name) > 1:
                raise SpecError(
                    f"'{name}' has two roles in the mediation",
                    hint="Exposure, mediator, outcome and covariates are different variables.",
                )
        paths = []
        if x in latent:
            paths += [Path(x, covariate) for covariate in design.covariates]
        paths += [Path(m, x, "a"), *(Path(m, covariate) for covariate in design.covariates)]
        paths += [Path(y, m, "b"), Path(y, x, "c"), *(Path(y, c) for c in design.covariates)]
        effects = (
            Definition("indirect", "a*b"),
            Definition("direct", "c"),
            Definition("total", "a*b + c"),
        )
        return tuple(paths), effects

    def recognise(self, spec: ModelSpec) -> Design | None:
        """Find exposure, mediator and outcome through the labels a and b."""
        by_label = {path.label: path for path in spec.paths if path.label}
        if not {"a", "b", "c"} <= set(by_label) or by_label["a"].target != by_label["b"].source:
            return None
        a, b = by_label["a"], by_label["b"]
        roles = (a.source, a.target, b.target)
        covariates = tuple(
            dict.fromkeys(p.source for p in spec.paths if p.target == b.target and p.source not in roles)
        )
        if len(set(roles)) != 3:
            return None
        found = Design(self.name, roles[0], (roles[1],), roles[2], covariates)
        latent = frozenset(c.name for c in spec.constructs)
        paths, definitions = self.expand(found, latent)
        same = set(paths) == set(spec.paths) and _compact(definitions) == _compact(spec.definitions)
        return found if same and not spec.covariances else None


def _compact(definitions: tuple[Definition, ...]) -> set[tuple[str, str]]:
    """Definitions without regard to spacing, order of factors or order of terms."""
    out = set()
    for definition in definitions:
        terms = definition.expression.replace(" ", "").split("+")
        out.add((definition.name, "+".join(sorted("*".join(sorted(t.split("*"))) for t in terms))))
    return out


DESIGN = SimpleMediation()
