"""Figures: one a file, each a function from tables or arrays to a matplotlib Figure (never from a fit)."""
