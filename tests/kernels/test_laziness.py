"""Naming a case, listing backends and asking for a plugin's name import no framework."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.running import ROOT

pytestmark = pytest.mark.slow

FRAMEWORKS = ("numpy", "ml_dtypes", "numba", "jax", "jaxlib", "torch", "triton", "pandas")


def imported_by(program: str) -> set[str]:
    """The frameworks that a fresh Python has imported after `program`."""
    report = f"\nimport sys\nprint('imported', *(name for name in {FRAMEWORKS} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program + report], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "program",
    [
        "import kernels",
        "import kernels; dir(kernels); kernels.Case('relu'); kernels.load; kernels.available",
        "from kernels import registry; registry.names(); registry.devices('jax_jit'); registry.spec_of('jax_jit')",
        "from kernels.registry import plugin_name; assert plugin_name('kernels.backends.jax_jit:JaxJit') == 'jax_jit'",
        "from kernels.registry import register; assert register('tests.mutants:DropsNan') == 'drops_nan'",
        "from kernels import load\ntry: load('nothing')\nexcept ValueError: pass",
    ],
)
def test_no_framework_is_imported(program: str) -> None:
    assert imported_by(program) == set()


def test_the_functions_import_numpy_alone_until_one_is_called() -> None:
    assert imported_by("import kernels; kernels.relu") == {"numpy", "ml_dtypes"}


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("numpy_ufunc", set()),
        ("numba_jit", {"numba"}),
        ("jax_jit", {"jax", "jaxlib"}),
        ("torch_eager", {"torch"}),
    ],
)
def test_loading_a_backend_imports_its_own_framework_alone(name: str, own: set[str]) -> None:
    program = (
        f"import kernels\ntry: kernels.load({name!r})\nexcept kernels.registry.MissingBackendError: pass"
    )
    assert imported_by(program) - {"numpy", "ml_dtypes"} <= own


def test_the_api_imports_the_standard_library_only() -> None:
    program = "import sys; before = set(sys.modules); import kernels.api; print(*(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    foreign = {name.partition(".")[0] for name in done.stdout.split()} - set(sys.stdlib_module_names)
    assert foreign == {"kernels"}


def test_a_summary_needs_no_scipy() -> None:
    assert imported_by("import sys, scripts.summarise; assert 'scipy' not in sys.modules") == {
        "numpy",
        "pandas",
    }
