"""What compilers will have to do is told by what their caches hold, each thing once."""

from __future__ import annotations

from bench.plan.cold_caches import Compiling, Need, compiling, need_of
from bench.plan.experiments import Arm, Experiment, Variant
from bench.plan.options import parse
from bench.plan.time_plan import time_plan
from bench.run.run import plan
from kernels.api import Case

QUESTION = {"ops": "relu", "directions": "forward", "placements": "out"}


def asked(backends: str, sizes: str) -> tuple[Experiment, ...]:
    return plan(parse({**QUESTION, "backends": backends, "sizes": sizes}))


def compiled(*cases: tuple[str, int]) -> set[Need]:
    """What relu forward out of these backends and sizes needs."""
    found = (need_of(Arm(name), Case("relu", placement="out", n=n)) for name, n in cases)
    return {need for need in found if need is not None}


def seconds(backends: str, sizes: str, *held: tuple[str, int]) -> float:
    return compiling(asked(backends, sizes), compiled(*held)).seconds


def test_a_graph_is_compiled_for_each_size_and_a_loop_once() -> None:
    graphs, loops = "torch_eager,torch_compile", "torch_eager,numba_jit"
    assert seconds(graphs, "1Ki,2Ki,4Ki") > seconds(graphs, "1Ki") + 1
    assert seconds(loops, "1Ki,2Ki,4Ki") == seconds(loops, "1Ki") > 0


def test_who_compiles_nothing_takes_nothing() -> None:
    assert seconds("torch_eager,numpy_ufunc", "1Ki") == 0
    assert need_of(Arm("torch_eager"), Case("relu")) is None


def test_what_caches_hold_is_not_compiled() -> None:
    backends, held = "torch_eager,torch_compile,numba_jit", (("torch_compile", 1024), ("numba_jit", 1024))
    assert seconds(backends, "1Ki", *held) == 0
    one, both = (seconds(backends, sizes, *held) for sizes in ("2Ki", "1Ki,2Ki,4Ki"))
    assert 0 < one < both < seconds(backends, "1Ki,2Ki,4Ki")


def test_each_visit_is_told_what_those_before_it_leave_to_compile() -> None:
    chosen = asked("torch_eager,torch_compile,numba_jit", "1Ki,2Ki,4Ki")
    found = compiling(chosen, compiled(("numba_jit", 1024)))
    assert list(found.missing) == list(found.everything) == [each.case for each in chosen]
    first, second, third = found.missing.values()
    assert first > second == third > 0  # one graph each, after what is done once
    first, second, third = found.everything.values()
    assert first > second == third > 0
    assert found.missing[chosen[0].case] < first  # the loop is there


def test_a_variant_compiles_for_itself() -> None:
    arms = (Arm("torch_eager", "baseline"), Arm("numba_jit"), Arm("numba_jit", "twin"))
    varied = Arm("numba_jit", variant=Variant("old", python="/old/bin/python"))
    plain = compiling([Experiment(Case("relu"), arms)], ())
    assert plain.seconds < compiling([Experiment(Case("relu"), (*arms, varied))], ()).seconds


def test_it_is_paid_for_beside_what_measuring_takes_but_out_of_the_minutes() -> None:
    settings, chosen = parse(QUESTION), asked("torch_eager,torch_compile", "1Ki")
    takes = Compiling({chosen[0].case: 20.0})
    assert time_plan(settings, chosen, takes).seconds == time_plan(settings, chosen).seconds + 20.0
    assert time_plan(parse({**QUESTION, "minutes": "2"}), chosen, takes).seconds == 120.0
