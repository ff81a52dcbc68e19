"""A user's own function as a backend: what ``--callable`` names is called as a framework's own kernel is.

Imports no framework before a function is adopted.
"""

from __future__ import annotations

from kernels.own.adopted import Adopted
from kernels.own.checking import refuse
from kernels.own.loading import loaded
from kernels.specs.function import spec_of_text

__all__ = ["Adopted", "adopted", "refuse"]


def adopted(text: str) -> Adopted:
    """The backend around the function that `text` names.  Raises ValueError, and whatever its file raises."""
    spec = spec_of_text(text)
    return Adopted(spec, loaded(spec))
