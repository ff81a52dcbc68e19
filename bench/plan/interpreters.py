"""Other Pythons on this machine: whether an arm can run in one, and where it keeps what it compiles."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from bench.plan.experiments import Variant
from kernels.specs.function import is_there

__all__ = ["environ_of", "installed_when", "own_caches", "search_path", "usable_interpreter"]

OLDEST, NEWEST = (3, 11), (3, 13)
NEEDED = ("numpy", "ml_dtypes", "psutil")
"""What a worker imports besides its framework."""
_LIMIT_S = 60.0
_ASK = (
    "import importlib.util as u, sys;"
    f"print('%d.%d.%d' % sys.version_info[:3], *[n for n in {NEEDED!r} if u.find_spec(n) is None])"
)
_ANSWER = re.compile(r"(\d+)\.(\d+)\.(\d+)((?: \w+)*)")


def usable_interpreter(text: str) -> str:
    """The absolute path of the Python `text`, which an arm can run in.

    Raises ValueError, of one line: no such file, not executable, no Python, of another version, or lacking packages.
    """
    path = shutil.which(text) if os.sep not in text else text
    if path is None or not is_there(Path(path)):
        raise ValueError(f"{text!r} is no file; name a Python interpreter, as in /path/to/venv/bin/python")
    found = _ANSWER.fullmatch(_asked(path, text))
    if found is None:
        raise ValueError(f"{text!r} is no Python: it did not tell its version")
    version = int(found[1]), int(found[2])
    if not OLDEST <= version <= NEWEST:
        allowed = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
        raise ValueError(f"{text!r} is Python {found[1]}.{found[2]}; allowed: {allowed}")
    if lacks := found[4].split():
        raise ValueError(f"{text!r} lacks {', '.join(lacks)}: {path} -m pip install {' '.join(lacks)}")
    return str(Path(path).absolute())


@functools.cache
def _asked(path: str, text: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        done = subprocess.run(
            [path, "-c", _ASK],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_LIMIT_S,
            env=environ,
            check=False,
        )
    except OSError as error:
        raise ValueError(f"{text!r} cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ValueError(f"{text!r} said nothing for {_LIMIT_S:g} s; name a Python interpreter") from None
    return done.stdout.strip() if done.returncode == 0 else ""


def search_path() -> str:
    """Where another Python finds this suite, and nothing else of this one's packages.

    A checkout's folder is that already.  An installed package lies among the others, so it is linked from a folder of
    its own.
    """
    package = Path(__file__).parents[2]
    if package.name != "relu_bench":
        return str(package)
    folder = _private("relu-bench-import") or Path(tempfile.mkdtemp(prefix="relu-bench-import"))
    link = folder / "relu_bench"
    if not link.is_symlink() or link.resolve() != package.resolve():
        with contextlib.suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(package)
    return str(folder)


def own_caches(python: str) -> dict[str, str]:
    """Environment variables that keep what compilers of that Python cache apart from those of others.

    Numba keeps one index for each function, whatever its version, and two versions would overwrite each other's.
    """
    place = _private("relu-bench-caches")
    if place is None:
        return {}  # they find one, or do without
    folder = place / hashlib.sha256(python.encode()).hexdigest()[:16]
    return {
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "TRITON_CACHE_DIR": str(folder / "triton"),
    }


def environ_of(variant: Variant) -> dict[str, str]:
    """Environment variables that the processes of a variant have besides this one's."""
    apart = own_caches(variant.python) if variant.python else {}
    return apart | dict(variant.environ)


def installed_when(python: str) -> str:
    """What is another text once something was installed for that Python, as far as its folders tell."""
    folders = sorted(Path(python).parent.parent.glob("lib/python*/site-packages"))
    return " ".join(str(folder.stat().st_mtime_ns) for folder in folders)


def _private(name: str) -> Path | None:
    """A folder that nobody else can write to, since what lies there is run; None where there is no place for one."""
    folder = Path(tempfile.gettempdir(), f"{name}-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return folder if own else None
