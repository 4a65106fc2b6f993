"""Thermo-Guard: brings a vSphere cluster down in good order on heat, and back when the room has recovered."""

from importlib.metadata import version

__version__ = version("thermo-guard")
