"""Networks build on backends, which know ops; a network's name is none of those."""

from __future__ import annotations

import pytest

from kernels import networks
from kernels.networks.case import NETWORK_OPS, NetworkCase
from tests.calls import load

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", list(networks.NETWORKS))
def test_no_network_is_refused_where_its_framework_runs(name: str) -> None:
    load(name)
    for op in NETWORK_OPS:
        assert networks.load(name).why_not(NetworkCase(op)) is None
