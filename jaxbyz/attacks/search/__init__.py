"""Attacks that search: they try many rows on the server's own update, and send the worst.

`objectives` (the damage that is maximised), `strength_search` (a list of strengths), `line_search`
(all strengths along a line), `gradient_ascent` (f rows that may all differ). Start with
`objectives`. Imported by `jaxbyz.attacks`, from which everybody takes their functions.
"""

__all__ = ["gradient_ascent", "line_search", "objectives", "strength_search"]
