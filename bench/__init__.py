"""The harness: how an experiment is run and recorded.  Imports `kernels`, never `scripts`."""

import sys
from importlib.util import find_spec
from pathlib import Path


def _check_kernels() -> None:
    """End with one line if `kernels` is another distribution's, such as Hugging Face's: no module of ours could run."""
    here = Path(__file__).parent
    found = find_spec(f"{__name__.removesuffix(here.name)}kernels")
    if found is None or found.origin is None or Path(found.origin).parent.samefile(here.with_name("kernels")):
        return
    sys.stderr.write(
        f"error: `import kernels` finds {found.origin}, of another distribution, before {here.with_name('kernels')}; "
        f"set PYTHONPATH={here.parent}, or use an environment without that distribution\n"
    )
    sys.exit(2)


_check_kernels()
