"""Byz-DM21 and Byz-VR-DM21."""

__all__: list[str] = []
