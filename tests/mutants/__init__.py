"""Planted errors: claims, constants and code that are wrong on purpose, and who notices them.

`make mutants` writes tests/theory/MUTANTS.md: every planted error × every engine.
"""
