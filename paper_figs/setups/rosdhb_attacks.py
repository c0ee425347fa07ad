"""The attacks of RoSDHB's figures, by their names."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

import jaxbyz as jb
from jaxbyz.attacks.search.line_search import on_line
from jaxbyz.attacks.search.objectives import damages, deviation_from_honest_mean, through_server
from jaxbyz.core import Attack, Key, View

FOE, ALIE, ALIE_SEARCHED, NONE = "IPM searched", "ALIE", "ALIE searched", "no attack"
SHOWN = {FOE: "FOE searched"}  # names of attacks in titles, where the paper has another
# Of the searched ALIE, in standard deviations: as many as FOE has, of both signs.
DEVIATIONS = (*(-np.array(jb.attacks.FOE_STRENGTHS[1::2])), *jb.attacks.FOE_STRENGTHS[1::2])


def alie_search() -> Attack:
    """v = μ + τ σ with the τ of ±0.2, ±0.4, …, ±5 that does most damage on the server's own update.

    >>> alie_search().name, len(DEVIATIONS)
    ('ALIE searched', 50)
    """

    def rows(key: Key, view: View) -> jax.Array:
        forged = on_line(view, jb.attacks.honest_deviation)
        scores = damages(key, view, deviation_from_honest_mean, through_server)
        taus = jax.numpy.asarray(DEVIATIONS, view.honest.dtype)
        return forged(taus[scores(forged, taus).argmax()])

    return jb.attacks.from_view(ALIE_SEARCHED, rows)


def attack_of(name: str, honest: int, f: int) -> Attack:
    """An attack by its name; canonical ALIE has the z that belongs to h and f (0 for f = 1)."""
    makers: dict[str, Callable[[], Attack]] = {
        FOE: jb.ipm_search,
        ALIE: lambda: jb.alie(z=jb.attacks.alie_factor(honest + f, f)),
        ALIE_SEARCHED: alie_search,
        NONE: jb.attacks.no_attack,
    }
    return makers[name]()
