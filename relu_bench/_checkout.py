"""In a checkout: `relu_bench.kernels` and all below it are other names of `kernels` and all below it.

Without this, Python would find the same files a second time and make second modules of them, with second
registries.  A wheel leaves this file out.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, ModuleType

__all__ = ["install"]

_PACKAGES = ("kernels", "bench", "scripts")
_ROOT = Path(__file__).parent.parent


class _Same(InspectLoader):
    """Loads a module by its own name, and leaves it under the other one too."""

    def __init__(self, own: ModuleSpec) -> None:
        self._own = own

    def exec_module(self, module: ModuleType) -> None:
        """Put the module itself in the place of the empty one that Python has made."""
        sys.modules[module.__name__] = import_module(self._own.name)

    def get_code(self, fullname: str) -> CodeType | None:
        """What ``python -m`` runs."""
        loader = self._own.loader
        return loader.get_code(self._own.name) if isinstance(loader, InspectLoader) else None

    def get_source(self, fullname: str) -> str | None:
        """The text of the module, for tracebacks."""
        loader = self._own.loader
        return loader.get_source(self._own.name) if isinstance(loader, InspectLoader) else None


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        own = fullname.removeprefix(f"{__package__}.")
        if own == fullname or own.partition(".")[0] not in _PACKAGES:
            return None
        found = find_spec(own)
        if found is None:
            return None
        if own in _PACKAGES and not Path(found.origin or "").parent.samefile(_ROOT / own):
            raise ImportError(
                f"{own} is found at {found.origin}, of another distribution, before {_ROOT / own}; "
                f"set PYTHONPATH={_ROOT}"
            )
        places = found.submodule_search_locations
        spec = ModuleSpec(fullname, _Same(found), origin=found.origin, is_package=places is not None)
        if places is not None:
            spec.submodule_search_locations = list(places)
        return spec


def install() -> None:
    """Before Python's own finders, which would find the files again."""
    sys.meta_path.insert(0, _Finder())
