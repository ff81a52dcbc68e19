"""From --scheduler to a client of Dask: an address, a scheduler file, or a cluster of this machine alone."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts._shared.cli import UsageError
from scripts._sweep.machine import RESOURCE

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["LOCAL", "SETTINGS", "connected", "why_not"]

LOCAL = "local"
SETTINGS = Path(__file__).with_name("dask.json")
"""What Dask is set to, so that it is not heard in what is measured; for others, the file that DASK_CONFIG names."""
_TIMEOUT_S = 30
_ADDRESS = re.compile(r"(?:\w+://)?(?:[\w.-]+|\[[0-9a-fA-F:]+\]):\d+")


def why_not() -> str | None:
    """None if Dask is there, else what to do."""
    if importlib.util.find_spec("distributed") is None:
        return "Dask is not installed; pip install --editable '.[fleet]', or: pip install 'dask[distributed]'"
    try:
        import distributed  # noqa: F401, PLC0415  # an extra
    except ImportError as error:
        return f"Dask is installed, but broken: {error}; pip install --force-reinstall 'dask[distributed]'"
    return None


@contextlib.contextmanager
def connected(scheduler: str) -> Iterator[Client]:
    """A client of the scheduler that is named.  Raises UsageError."""
    reason = why_not()
    if reason is not None:
        raise UsageError(reason)
    import dask  # noqa: PLC0415  # an extra

    # What matters to the user, the sweep says itself.
    logging.getLogger("distributed").setLevel(logging.ERROR)
    dask.config.update(dask.config.config, json.loads(SETTINGS.read_text(encoding="utf-8")), priority="new")
    with contextlib.ExitStack() as opened:
        where = _local(opened) if scheduler == LOCAL else _address(scheduler)
        yield _client(opened, scheduler, where)


def _address(scheduler: str) -> str:
    """That which is named, or stands in the file that is."""
    path = Path(scheduler)
    try:
        address = str(json.loads(path.read_bytes())["address"]) if path.is_file() else scheduler
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise UsageError(
            f"--scheduler {scheduler}: a file that no scheduler of Dask wrote ({error})"
        ) from error
    if not _ADDRESS.fullmatch(address):
        raise UsageError(
            f"--scheduler {scheduler!r}: no such file, and no address; allowed: {LOCAL}, an address as in "
            "tcp://head:8786, or the file that `dask scheduler --scheduler-file FILE` wrote"
        )
    _check_certificates(address)
    return address


def _check_certificates(address: str) -> None:
    import dask  # noqa: PLC0415  # an extra

    if address.startswith("tls:") and not dask.config.get("distributed.comm.tls.ca-file"):
        raise UsageError(
            f"--scheduler {address}: TLS needs certificates, and Dask knows of none; set "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE and the others (docs/fleet.md)"
        )


def _local(opened: contextlib.ExitStack) -> Any:
    """A scheduler in this process, and one worker."""
    from distributed import LocalCluster  # noqa: PLC0415  # an extra

    return opened.enter_context(
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=True,
            resources={RESOURCE: 1},
            memory_limit=0,
            dashboard_address=None,
            silence_logs=logging.ERROR,
        )
    )


def _client(opened: contextlib.ExitStack, scheduler: str, where: Any) -> Client:
    from distributed import Client  # noqa: PLC0415  # an extra

    try:
        client = Client(where, timeout=_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"--scheduler {scheduler}: cannot be reached: {told}") from error
    found: Client = opened.enter_context(client)
    return found
