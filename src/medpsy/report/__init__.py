"""The report: one self-contained page, made of ordered sections that take plain tables."""
