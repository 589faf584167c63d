"""Benchmarks: medpsy beside other programs, with the same data, priors and targets, in one go on one machine.

``python -m benchmarks.run`` runs them, ``python -m benchmarks.table`` writes ``docs/benchmarks.md`` from what
was measured. One file per case in ``cases/``, one per contestant in ``contestants/``.
"""
