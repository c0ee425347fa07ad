"""Many small runs at once, side by side in the lanes of a processor."""

from jaxbyz.lanes.mapping import entries_of, side_by_side

__all__ = ["entries_of", "side_by_side"]
