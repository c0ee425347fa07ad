"""Attacks on data: the Byzantine workers follow the protocol on data of their own making."""

from __future__ import annotations

from typing import Any

from jaxbyz import checks
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack


@part
def label_flip(classes: int) -> Attack:
    """y ↦ C-1-y on the data of the Byzantine workers, who are otherwise honest.

    For problems whose worker data has `labels` in 0..C-1: classification, and logistic with C = 2.

    Raises:
        ValueError: classes < 2; worker data without labels, or with labels outside 0..C-1.

    >>> label_flip(10).name
    'label flip'
    """
    classes = checks.count("classes", classes, minimum=2)

    def poison(data: Any) -> Any:
        if not hasattr(data, "labels"):
            raise ValueError(
                "label_flip needs worker data with labels (classification; of from_loss a "
                "NamedTuple with a field labels)"
            )
        labels = data.labels
        if not checks.is_traced(labels) and (labels.min() < 0 or labels.max() >= classes):
            raise ValueError(
                f"label_flip needs labels in 0..{classes - 1}, got {labels.min()}..{labels.max()}"
            )
        return data._replace(labels=classes - 1 - labels)

    return Attack("label flip", lambda key, d: None, None, poison)
