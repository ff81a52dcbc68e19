"""Plugins that cannot even be registered; the usage error has to say why."""

from __future__ import annotations

import ctypes

from tests.honest import HonestNumpy


class LacksMethods(HonestNumpy):
    name = "lacks_methods"
    sync = None  # type: ignore[assignment]
    versions = None  # type: ignore[assignment]


class TakesABuiltinsName(HonestNumpy):
    name = "numpy_ufunc"


class TakesAControlsName(HonestNumpy):
    name = "copy_plain"


class NamelessPlugin(HonestNumpy):
    name = "a, b"


class RaisesAtOnce(HonestNumpy):
    name = "raises_at_once"

    def __init__(self) -> None:
        raise RuntimeError("not\ntoday")


class DiesAtOnce(HonestNumpy):
    name = "dies_at_once"

    def __init__(self) -> None:
        ctypes.string_at(0)
