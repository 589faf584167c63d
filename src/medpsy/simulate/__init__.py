"""Simulation: parameters to person scores to answers, from a stated truth, a prior or a posterior draw.

An independent path through every model: normals are drawn, the regressions are applied one after another
and every answer is drawn from its family. No likelihood engine takes part, so what is simulated here can
test them.
"""

from medpsy.simulate.answers import Persons, simulate, simulate_persons
from medpsy.simulate.prior_draws import draw_prior
from medpsy.simulate.read_truth import read_truth
from medpsy.simulate.replicate import replicate, simulate_from
from medpsy.simulate.truth import Truth

__all__ = [
    "Persons",
    "Truth",
    "draw_prior",
    "read_truth",
    "replicate",
    "simulate",
    "simulate_from",
    "simulate_persons",
]
