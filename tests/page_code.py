"""What the page's own code makes of a value: it is run by Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from importlib import resources
from typing import Any

import pytest


def answer(scripts: Sequence[str], code: str, value: Any) -> Any:
    """What `code` returns for `value` behind some of the page's scripts; null stands for NaN."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("runs the page's code: install Node.js")
    assets = resources.files("scripts._report") / "assets"
    text = "\n".join((assets / script).read_text(encoding="utf-8") for script in scripts)
    program = f"""const value = JSON.parse(require("fs").readFileSync(0, "utf8"));
    const data = value.data;
    {text}
    process.stdout.write(JSON.stringify((() => {{ {code} }})()));"""
    done = subprocess.run(
        [node, "-e", program],
        input=json.dumps(value).replace("Infinity", "1e999"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
