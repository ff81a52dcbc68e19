"""The registry: names, plugins, entry points, and telling missing from broken."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels import registry
from kernels.api import Backend, Case
from tests.running import printed_by

Writer = Callable[[str, str], str]
HONEST = "from tests.honest import HonestNumpy\n"


pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_registry")]


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Writer:
    """Writes a module that can be imported, here and in the registry's subprocess."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(module: str, text: str) -> str:
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(text))
        return module

    return write


# --- names and built-ins -------------------------------------------------------------------


def test_the_built_ins_are_there_and_are_backends() -> None:
    assert registry.names()[:7] == [
        "numpy_ufunc",
        "numba_jit",
        "numba_parallel",
        "numba_tuned",
        "jax_jit",
        "torch_eager",
        "torch_compile",
    ]
    backend = registry.load("numpy_ufunc")
    assert isinstance(backend, Backend)
    assert backend is registry.load("numpy_ufunc")
    assert backend.name == "numpy_ufunc"


def test_an_unknown_name_gets_the_nearest_and_all_that_are_allowed() -> None:
    with pytest.raises(registry.UnknownBackendError) as caught:
        registry.load("numba_jitt")
    assert "did you mean 'numba_jit'?" in str(caught.value)
    assert all(name in str(caught.value) for name in registry.names())
    assert isinstance(caught.value, ValueError)
    with pytest.raises(registry.UnknownBackendError):
        registry.devices("quantum")


def test_available_names_every_backend() -> None:
    found = registry.available()
    assert list(found) == registry.names()
    assert found["numpy_ufunc"] is None
    assert all(reason is None or reason.strip() for reason in found.values())


# --- plugins -------------------------------------------------------------------------------


def test_a_plugin_is_found_by_its_spec_and_loaded_by_its_name() -> None:
    assert registry.register("tests.honest:HonestNumpy") == "honest_numpy"
    assert registry.names()[-1] == "honest_numpy"
    backend = registry.load("honest_numpy")
    assert backend.why_not(Case("relu")) is None
    assert registry.available()["honest_numpy"] is None


def test_the_same_spec_twice_is_no_error_and_another_of_its_name_is(plugin: Writer) -> None:
    plugin("twin_a", HONEST + "class Twin(HonestNumpy): name = 'twin'")
    plugin("twin_b", HONEST + "class Twin(HonestNumpy): name = 'twin'")
    assert registry.register("twin_a:Twin") == registry.register("twin_a:Twin") == "twin"
    with pytest.raises(ValueError, match=r"'twin': twin_a:Twin and twin_b:Twin"):
        registry.register("twin_b:Twin")
    assert registry.names().count("twin") == 1


def test_a_plugin_cannot_take_a_built_in_s_name(plugin: Writer) -> None:
    plugin("usurper", HONEST + "class Mine(HonestNumpy): name = 'numba_jit'")
    with pytest.raises(ValueError, match=r"kernels\.backends\.numba_jit:NumbaJit and usurper:Mine"):
        registry.register("usurper:Mine")
    assert registry.register("kernels.backends.numba_jit:NumbaJit") == "numba_jit"


def test_a_plugin_may_print_while_it_is_imported(plugin: Writer) -> None:
    plugin(
        "chatty",
        "print('hello')\n" + HONEST + "class Chatty(HonestNumpy): name = 'chatty'\nprint('bye', end='')",
    )
    assert registry.plugin_name("chatty:Chatty") == "chatty"


def test_a_name_given_to_register_is_held_to(plugin: Writer) -> None:
    plugin("renamed", HONEST + "class Mine(HonestNumpy): name = 'truth'")
    assert registry.register("renamed:Mine", name="claim") == "claim"
    with pytest.raises(registry.BrokenBackendError, match=r"'claim', but its \.name is 'truth'"):
        registry.load("claim")


BAD_PLUGINS = {
    "no colon": ("json", r"'json' is not MODULE:CLASS"),
    "two colons": ("a:b:c", "is not MODULE:CLASS"),
    "a file": ("./mine.py:Relu", "is not MODULE:CLASS"),
    "empty": ("", "is not MODULE:CLASS"),
    "no such module": ("nowhere.kernels:Relu", r"no module named 'nowhere'; install it, or add"),
    "no such class": ("bad:Goood", r"bad has no class 'Goood'; did you mean 'Good'\?"),
    "not a class": ("bad:number", "bad has no class 'number'"),
    "no backend": ("bad:Empty", "it lacks the method why_not, set_threads, adopt"),
    "a method missing": ("bad:NoSync", "it lacks the method sync; see kernels/api.py"),
    "no name": ("bad:NoName", "has the name ''"),
    "name not a str": ("bad:NumberName", "has the name 7"),
    "name for no command line": ("bad:CommaName", "has the name 'a,b'"),
    "cannot be built": ("bad:NeedsArgument", "TypeError"),
    "raises at import": ("raising:Relu", "RuntimeError: no licence"),
    "ends Python": ("exiting:Relu", "importing it ended Python, exit status 3: goodbye"),
}


@pytest.mark.parametrize(("spec", "message"), BAD_PLUGINS.values(), ids=list(BAD_PLUGINS))
def test_a_bad_plugin_gets_one_line(spec: str, message: str, plugin: Writer) -> None:
    plugin(
        "bad",
        HONEST
        + """
class Good(HonestNumpy): name = 'good'
class Empty: name = 'empty'
class NoSync(HonestNumpy): name = 'no_sync'; sync = None
class NoName(HonestNumpy): name = ''
class NumberName(HonestNumpy): name = 7
class CommaName(HonestNumpy): name = 'a,b'
class NeedsArgument(HonestNumpy):
    def __init__(self, device): pass
number = 7
""",
    )
    plugin("raising", "raise RuntimeError('no\\nlicence')")
    plugin("exiting", "import os, sys; print('goodbye', file=sys.stderr, flush=True); os._exit(3)")
    with pytest.raises(ValueError, match=message) as caught:
        registry.register(spec)
    assert "\n" not in str(caught.value)
    assert not registry._plugins


# --- entry points --------------------------------------------------------------------------


def install(folder: Path, name: str, points: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[relu_bench.backends]\n{points}\n")


def test_an_installed_entry_point_is_a_backend_like_any_other(tmp_path: Path) -> None:
    install(tmp_path, "theirs", "theirs = their_kernels : Theirs")
    (tmp_path / "their_kernels.py").write_text(HONEST + "class Theirs(HonestNumpy): name = 'theirs'")
    program = "from kernels import registry; print(registry.names()[-1], registry.load('theirs').name)"
    assert printed_by(program, tmp_path) == "theirs theirs"


def test_an_entry_point_that_is_installed_later_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a notebook's cell."""
    monkeypatch.syspath_prepend(tmp_path)
    assert "later" not in registry.names()
    install(tmp_path, "later", "later = their_kernels:Theirs")
    assert "later" in registry.names()


def test_an_entry_point_with_a_name_that_is_taken_is_an_error(tmp_path: Path) -> None:
    install(tmp_path, "theirs", "jax_jit = their_kernels:Theirs")
    program = "from kernels import registry\ntry: registry.names()\nexcept ValueError as error: print(error)"
    assert "'jax_jit': kernels.backends.jax_jit:JaxJit and their_kernels:Theirs" in printed_by(
        program, tmp_path
    )


# --- missing or broken ---------------------------------------------------------------------

LOAD = """
    from kernels import load
    try: load('{name}')
    except ImportError as error: print(type(error).__name__, '|', error)
"""
LOAD_JAX = LOAD.format(name="jax_jit")


def test_a_framework_that_is_not_installed_is_missing() -> None:
    # None in sys.modules is how Python itself notes a module that cannot be found
    said = printed_by("import sys; sys.modules['jax'] = None\n" + textwrap.dedent(LOAD_JAX))
    assert said == "MissingBackendError | jax_jit is not installed: pip install 'jax'"


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("triton_jit", "torch, which is not installed: pip install 'torch'"),
        ("importing", "torch, which is not installed: pip install 'torch'"),
        ("made", "another backend: torch_eager is not installed: pip install 'torch'"),
    ],
)
def test_a_second_framework_that_is_missing_is_named(name: str, lacks: str, tmp_path: Path) -> None:
    """A built-in's, and a plugin's: neither is broken, so there is nothing to reinstall."""
    (tmp_path / "triton.py").touch()
    (tmp_path / "importing.py").write_text("import torch")
    (tmp_path / "made.py").write_text("from kernels import load\nload('torch_eager')")
    program = """
        import sys; sys.modules['torch'] = None
        from kernels import registry
        registry._plugins.update(importing='importing:Theirs', made='made:Theirs')
    """
    said = printed_by(textwrap.dedent(program) + textwrap.dedent(LOAD.format(name=name)), tmp_path)
    assert said == f"MissingBackendError | {name} needs {lacks}"


def test_a_framework_that_cannot_be_imported_is_broken(tmp_path: Path) -> None:
    (tmp_path / "jax.py").write_text("raise OSError('libcuda.so.1:\\n cannot open shared object file')")
    assert printed_by(LOAD_JAX, tmp_path) == (
        "BrokenBackendError | jax_jit is installed but broken: OSError: libcuda.so.1: cannot open shared "
        "object file; mend it: pip install --force-reinstall --no-cache-dir jax"
    )


def test_a_dependency_that_is_missing_makes_a_framework_broken(tmp_path: Path) -> None:
    (tmp_path / "jax.py").write_text("import jaxlib_of_another_name")
    assert printed_by(LOAD_JAX, tmp_path).startswith(
        "BrokenBackendError | jax_jit is installed but broken: Module"
    )
