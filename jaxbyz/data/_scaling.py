"""From bytes to normalised floats without a wider array in between."""

import math

import numpy as np
from numpy.typing import NDArray

from jaxbyz import checks

Statistic = float | list[float] | tuple[float, ...]  # one for all channels, or one per channel


def normalise(pixels: NDArray[np.uint8], mean: Statistic, std: Statistic) -> NDArray[np.float32]:
    """Returns (pixels / 255 - mean) / std, rows contiguous; statistics are per channel (last axis).

    The only array of the size of the result is the result: every step after the conversion is
    done in place in float32.
    """
    centre, spread = _per_channel("mean", mean, pixels), _per_channel("std", std, pixels)
    if np.any(spread <= 0):
        raise ValueError(f"std must be above 0, got {std!r}")
    result = pixels.astype(np.float32, order="C")
    result /= np.float32(255)
    result -= centre
    result /= spread
    return result


def _per_channel(name: str, value: Statistic, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = value if isinstance(value, (list, tuple)) else [value]
    channels = pixels.shape[-1]
    if len(values) not in (1, channels):
        raise ValueError(f"{name} must be one number or {channels}, got {value!r}")
    return np.array(
        [checks.interval(name, entry, -math.inf, math.inf, closed="neither") for entry in values],
        np.float32,
    )  # [1] or [C]
