"""How each side of a comparison can be measured again: what its arms' processes have to be started with."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine.environment import DIFFERS, describe
from bench.text.private import FOLDER, MASKED
from scripts._compare.loading import LoadedRun
from scripts._shared.cli import UsageError

__all__ = ["Recipe", "plugins_of", "recipes", "why_both"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Of one side."""

    name: str
    """OLD or NEW."""
    environ: Mapping[str, str]
    """Environment variables that the whole run had."""
    variants: Mapping[str, Mapping[str, str]]
    path: Path | None
    """The folder that its code is imported from, before all others."""

    def arm_environ(self, variant: str) -> dict[str, str]:
        """What an arm's process is started with.  Raises UsageError for a variant that the run does not tell of."""
        if variant and variant not in self.variants:
            raise UsageError(
                f"{self.name}'s environment.json does not say what the variant {variant!r} sets; "
                "compare without --confirm"
            )
        environ = {**self.environ, **(self.variants[variant] if variant else {})}
        if self.path is None:
            return environ
        # Without the safe path the current folder would come first, and the code there.
        return {
            **environ,
            "PYTHONPATH": os.pathsep.join([str(self.path.resolve()), *sys.path]),
            "PYTHONSAFEPATH": "1",
        }


def recipes(
    old: Sequence[LoadedRun], new: Sequence[LoadedRun], old_path: Path | None, new_path: Path | None
) -> tuple[Recipe, Recipe]:
    """Those of OLD and NEW, from the environments of their first runs.

    Raises UsageError where this is not NEW's machine or software any more.
    """
    now = describe({})
    before = dict(new[0].environment or {})
    changed = [name for name in DIFFERS if name in before and before[name] != now[name]]
    if changed:
        raise UsageError(
            f"--confirm measures here and now, and {changed[0]} is not what it was in NEW; "
            "measure NEW again, or compare without"
        )
    return _recipe("OLD", old[0], old_path, now), _recipe("NEW", new[0], new_path, now)


def _recipe(name: str, run: LoadedRun, path: Path | None, now: Mapping[str, Any]) -> Recipe:
    environment = run.environment or {}
    environ = dict(environment.get("environ") or {}) if run.environment else dict(now["environ"])
    for unset in [each for each in now["environ"] if each not in environ]:
        raise UsageError(f"{unset} is set, and was not when {name} was measured; unset it for --confirm")
    variants = dict((environment.get("options") or {}).get("variants") or {})
    for variable, value in itertools.chain(environ.items(), *(each.items() for each in variants.values())):
        if value == MASKED:
            raise UsageError(
                f"{variable} was not stored with {name}, as it looked like a secret: no --confirm"
            )
        if FOLDER in value:
            raise UsageError(
                f"{variable} was stored without its folder (--anonymise) in {name}: no --confirm"
            )
    for variant in (environment.get("options") or {}).get("interpreters") or {}:
        raise UsageError(f"{variant} ran in another Python in {name}; measure again with --arm: no --confirm")
    return Recipe(name, environ, variants, path)


def plugins_of(old: Sequence[LoadedRun], new: Sequence[LoadedRun]) -> dict[str, str]:
    """The plugins of both sides, by name.  Raises UsageError where a name stands for two."""
    found: dict[str, str] = {}
    for run in (*old, *new):
        for name, spec in ((run.environment or {}).get("options") or {}).get("plugins", {}).items():
            if found.setdefault(name, spec) != spec:
                raise UsageError(
                    f"--confirm: the plugin {name} is {found[name]} in one run and {spec} in another; "
                    "give both the same module and class, and name the folders: --old-path, --new-path"
                )
    return found


def why_both(old: Recipe, new: Recipe, variant: str) -> str | None:
    """Why both sides can be measured now, as the end of a sentence; None if OLD's code is not known to be here."""
    if old.path is not None:
        return f"the code of OLD is in {old.path}"
    mine, its = old.arm_environ(variant), new.arm_environ(variant)
    unlike = sorted(name for name in mine.keys() | its.keys() if mine.get(name) != its.get(name))
    unlike = [name for name in unlike if name not in ("PYTHONPATH", "PYTHONSAFEPATH")]
    return f"the sides differ by {', '.join(unlike)}" if unlike else None
