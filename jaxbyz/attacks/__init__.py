"""What Byzantine workers may do: on messages, by search through the server, on data."""

from jaxbyz.attacks.data import label_flip
from jaxbyz.attacks.messages import alie, alie_factor, forged, ipm, no_attack, sign_flip
from jaxbyz.attacks.searched import FOE_STRENGTHS, ipm_search, strength_search

__all__ = [
    "FOE_STRENGTHS",
    "alie",
    "alie_factor",
    "forged",
    "ipm",
    "ipm_search",
    "label_flip",
    "no_attack",
    "sign_flip",
    "strength_search",
]
