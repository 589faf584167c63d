"""Judging a questionnaire without a fitted model: tables with posteriors, one question a file."""
