"""The process that imports a plugin for its name: what foreign code does there delays nothing and leaves nothing."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import psutil
import pytest

from kernels import registry
from kernels.plugins import instantiate
from tests.running import ended, wait_until

pytestmark = pytest.mark.slow

HONEST = "from tests.honest import HonestNumpy\nclass Mine(HonestNumpy): name = 'mine'\n"
FORGE = "import os, sys; os.write(int(sys.argv[2]), {!r}); os._exit(0)\n"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which plugins are imported."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or ended(psutil.Process(pid))


def test_noise_children_threads_and_exit_handlers_do_not_keep_the_name_back(written: Path) -> None:
    (written / "loud.py").write_text(
        HONEST
        + "import atexit, os, subprocess, sys, threading, time\n"
        + "from pathlib import Path\n"
        + "os.write(1, b'noise' * 1_000_000)\n"
        + "children = [subprocess.Popen(['sleep', '600'], start_new_session=new) for new in (False, True)]\n"
        + "Path(__file__).with_name('left').write_text(' '.join(str(each.pid) for each in children))\n"
        + "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        + "atexit.register(time.sleep, 600)\n"
        + "atexit.register(print, 'bye')\n"
    )
    assert registry.plugin_name("loud:Mine") == "mine"
    left = (written / "left").read_text().split()
    assert len(left) == 2
    for pid in map(int, left):
        wait_until(partial(gone, pid), f"{pid} to end", 10)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"[1, 2]\n\n", r"importing it gave no name but \[1, 2\]"),
        (b'{"name": "[/x]"}\n\n', r"gave no name but \{'name': '\[/x\]'\}"),
        (b"[" * 50_000 + b"\n\n", "importing it gave no answer but b'"),
        (b"x" * 60_000, "importing it gave no answer but b'xx"),
        (b"\n", "importing it answered nothing: it said nothing"),
    ],
    ids=["a list", "a name of markup", "deep JSON", "no JSON", "nothing"],
)
def test_a_forged_answer_is_one_line(written: Path, sent: bytes, message: str) -> None:
    (written / f"forged{len(sent)}.py").write_text(FORGE.format(sent))
    with pytest.raises(ValueError, match=message) as caught:
        registry.plugin_name(f"forged{len(sent)}:Mine")
    assert len(str(caught.value)) < 300


def test_an_answer_without_end_is_not_read(written: Path) -> None:
    (written / "endless.py").write_text(
        "import os, sys\nwhile True: os.write(int(sys.argv[2]), b'x' * 4096)\n"
    )
    with pytest.raises(ValueError, match="importing it answered more than 65536 bytes"):
        registry.plugin_name("endless:Mine")


def test_who_stops_itself_is_not_waited_for(written: Path) -> None:
    (written / "stopping.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n")
    with pytest.raises(ValueError, match="importing it stopped its own process"):
        registry.plugin_name("stopping:Mine")


@pytest.mark.parametrize("name", ["[/x]", "../up", "-x", ".x", "=1+1", "x" * 65, "a\u202eb", "\x1b[2J"])
def test_a_name_is_a_word(name: str, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "named", raising=False)
    (written / "named.py").write_text(HONEST + f"Mine.name = {name!r}\n")
    with pytest.raises(ValueError, match="a name is a str of up to 64 letters"):
        instantiate("named:Mine")
