"""Sweeps over what real machines have between them: TLS, networks of their own, and ssh."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from scripts._sweep.connecting import SETTINGS
from scripts._sweep.hosts import Fleet
from scripts._sweep.lanes import EACH
from scripts._sweep.shard import KEPT_IN
from scripts._sweep.standin import program
from tests.running import ROOT, wait_until
from tests.swept import Swept

dask = pytest.importorskip("dask", reason="the extra fleet")
pytest.importorskip("distributed", reason="the extra fleet")
pytestmark = pytest.mark.slow
SUBNET = "10.213.77"
BRIDGE = "relubench"


@pytest.fixture
def certificate(tmp_path: Path) -> Mapping[str, str]:
    """Settings of Dask for a certificate that signs itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    key, own = tmp_path / "own-key.pem", tmp_path / "own.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=fleet"
    subprocess.run(["openssl", *words.split(), "-keyout", key, "-out", own], capture_output=True, check=True)
    ends = {
        f"{role}.{kind}": str(path)
        for role in ("scheduler", "worker", "client")
        for kind, path in (("cert", own), ("key", key))
    }
    return {f"distributed.comm.tls.{name}": path for name, path in {"ca-file": str(own), **ends}.items()}


def test_a_fleet_waits_until_its_scheduler_has_written_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "scheduler.json").touch()  # as Dask does before it writes
    with Fleet(tmp_path, 0) as fleet:
        assert '"tcp://' in fleet.scheduler_file.read_text()


def test_a_sweep_over_tls(
    certificate: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in certificate.items():
        monkeypatch.setenv(f"DASK_{name.replace('-', '_').replace('.', '__').upper()}", value)
    with dask.config.set(dict(certificate)), Fleet(tmp_path, 1, protocol="tls") as fleet:
        assert '"tls://' in fleet.scheduler_file.read_text()
        (lane,) = Swept(fleet, tmp_path / "safe", EACH, 1, program(0, 1)).lanes.all
    assert (list(lane.done), lane.missing) == ([1], {})


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def namespaces() -> Iterator[list[str]]:
    """Two network namespaces on a bridge, each with an address; the scheduler is at .1."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("root makes network namespaces, with the command ip")
    names = [f"{BRIDGE}{number}" for number in (2, 3)]
    try:
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{SUBNET}.1/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        for name in names:
            _ip("netns", "add", name)
            _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", name, "master", BRIDGE, "up")
            _ip("-n", name, "addr", "add", f"{SUBNET}.{name[-1]}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
    else:
        yield names
    finally:
        for words in (("link", "del", BRIDGE), *(("netns", "del", name) for name in names)):
            subprocess.run(["ip", *words], check=False, capture_output=True)


@pytest.mark.daily  # workers with loopback addresses of their own are tried always
def test_machines_with_networks_of_their_own(namespaces: list[str], tmp_path: Path) -> None:
    with Fleet(tmp_path, 0, scheduler=f"{SUBNET}.1") as fleet:
        fleet.hosts = [f"{SUBNET}.{name[-1]}" for name in namespaces]
        for host, name in zip(fleet.hosts, namespaces, strict=True):
            fleet.start(host, "ip", "netns", "exec", name)
        swept = Swept(fleet, tmp_path / "apart", EACH, 1, program(0, 1))
    assert {lane.hosts[0]: list(lane.done) for lane in swept.lanes.all} == {host: [1] for host in fleet.hosts}


SSH_HOSTS = ("127.0.0.21", "127.0.0.22")


def _keys(folder: Path) -> tuple[Path, Path]:
    """Of the server, and of whoever may log in."""
    made = folder / "server", folder / "user"
    for path in made:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return made


def _free_port() -> int:
    with socket.create_server((SSH_HOSTS[0], 0)) as found:
        return int(found.getsockname()[1])


def _listens(host: str, port: int) -> bool:
    with socket.socket() as asks:
        return asks.connect_ex((host, port)) == 0


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Sequence[str]]:
    """What comes before a host in a command; a server of this test's own lets its key in at both addresses."""
    server = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if server is None or shutil.which("ssh") is None:
        pytest.skip("ssh and sshd are not installed: apt-get install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where the system's own service never ran
    host_key, user_key = _keys(tmp_path)
    port = _free_port()
    listens = [f"ListenAddress={host}:{port}" for host in SSH_HOSTS]
    told = [
        f"HostKey={host_key}",
        f"AuthorizedKeysFile={user_key}.pub",
        "StrictModes=no",
        "UsePAM=no",
        "PidFile=none",
    ]
    words = [word for option in (*listens, *told) for word in ("-o", option)]
    with (
        (tmp_path / "sshd.log").open("wb") as log,
        subprocess.Popen([server, "-D", "-e", "-f", "/dev/null", *words], stderr=log) as daemon,
    ):
        try:
            wait_until(lambda: all(_listens(host, port) for host in SSH_HOSTS), "sshd listens")
            known = (
                "-o",
                "StrictHostKeyChecking=no",
                "-o",
                "UserKnownHostsFile=/dev/null",
                "-o",
                "LogLevel=ERROR",
            )
            yield "ssh", "-tt", "-F", "none", "-p", str(port), "-i", str(user_key), *known
        finally:
            daemon.terminate()


def test_workers_started_by_ssh(ssh: Sequence[str], tmp_path: Path) -> None:
    """As docs/fleet.md has it: the settings go along, since ssh takes no environment with it."""
    exports = (f"PYTHONPATH={ROOT}", f"DASK_CONFIG={SETTINGS}", f"{KEPT_IN}={tmp_path / 'kept'}")
    with Fleet(tmp_path, 0) as fleet:
        fleet.hosts = list(SSH_HOSTS)
        for host in fleet.hosts:
            fleet.start(host, *ssh, host, "cd", str(ROOT), "&&", "exec", "env", *exports)
        swept = Swept(fleet, tmp_path / "far", EACH, 1, program(0, 1))
    assert {lane.hosts[0]: list(lane.done) for lane in swept.lanes.all} == {host: [1] for host in SSH_HOSTS}
    assert all(told.quiet for told in swept.machines.values())
