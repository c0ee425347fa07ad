"""Attacks that search: they ask the server what it would make of many lies, and send the worst.

`objectives` (the damage that is maximised), `strength_search` (a list of strengths), `line_search`
(all strengths along a line), `gradient_ascent` (f rows that may all differ). Import their functions
from `jaxbyz.attacks`.
"""

__all__ = ["gradient_ascent", "line_search", "objectives", "strength_search"]
