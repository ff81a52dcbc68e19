"""Which networks a run has, and what it refuses of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.plan.networks import network_cases, network_plan
from bench.plan.options import OptionError, parse
from kernels.networks.case import NetworkCase

pytestmark = pytest.mark.slow


def test_in_company_the_quick_profile_has_the_articles_network_only() -> None:
    company = network_plan(parse({}), alone=False)
    assert [each.label for each in company] == [
        "mlp_relu-forward-10-5-3-b1",
        "mlp_leaky_relu-forward-10-5-3-b1",
    ]
    assert {arm.role for arm in company[0].arms} == {"baseline", "candidate", "twin", "floor"}
    alone = network_plan(parse({}), alone=True)
    assert len(alone) == 12
    assert {arm.role for arm in alone[0].arms} == {"baseline", "candidate", "ablation", "twin", "floor"}
    assert all("copy" not in arm.backend for arm in alone[0].arms)


def test_a_question_about_activations_brings_no_network() -> None:
    assert network_cases(parse({"sizes": "4Mi"}), alone=False) == ()
    assert network_cases(parse({"ops": "relu"}), alone=False) == ()
    named = network_cases(parse({"sizes": "4Mi", "widths": "3-2-1", "batches": "2"}), alone=False)
    assert named[0].label == "mlp_relu-forward-3-2-1-b2"
    assert {case.op for case in network_cases(parse({"ops": "relu,mlp_leaky_relu"}), alone=False)} == {
        "mlp_leaky_relu"
    }


def test_axes_are_crossed_and_named() -> None:
    settings = parse(
        {
            **{"ops": "mlp_leaky_relu", "directions": "train_step", "widths": "3-2-1,2-2-2"},
            **{"batches": "1,5", "negative_slopes": "0.01,0.2"},
        }
    )
    labels = [case.label for case in network_cases(settings, alone=True)]
    assert len(set(labels)) == 8
    assert "mlp_leaky_relu-train_step-3-2-1-b5-slope0.2" in labels


def test_what_would_take_minutes_or_all_memory_is_skipped_with_the_figures() -> None:
    from bench.arm.network import Network

    huge = NetworkCase("mlp_relu", n=4096 * 4096, layout="4096-4096-4096")
    reason = Network(huge).why_too_large(2, 10.0)
    assert reason is not None
    assert "would take minutes" in reason
    assert "--max-seconds" in reason
    seconds = float(reason.rpartition(" ")[2])
    assert Network(huge).why_too_large(2, seconds + 1) is None
    wide = NetworkCase("mlp_relu", n=999999, layout="999999-999999-9")
    assert "GiB are free" in str(Network(wide).why_too_large(12, 1e9))


@pytest.mark.parametrize("option", ["sizes", "layouts", "placements"])
def test_options_that_networks_lack_are_refused_where_they_stand_alone(option: str, tmp_path: Path) -> None:
    from bench.plugin.hooks import _scoped

    values = {"sizes": "1Ki", "layouts": "strided", "placements": "out"}
    config: Any = type("Config", (), {"args": ["bench/test_network.py::test_network"]})
    with pytest.raises(OptionError, match=f"^--{option}: .*leave it out"):
        _scoped(parse({option: values[option]}), config)
