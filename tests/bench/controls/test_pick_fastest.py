"""Which way to copy is the fastest is decided by a race, by a clock of the test's own or the machine's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.controls.pick_fastest import Bunch, Race


class Time:
    """A clock that goes on when a way is called, and what threads waited for a CPU meanwhile."""

    def __init__(self) -> None:
        self.now, self.waited = 0.0, 0.0
        self.log: list[str] = []

    def race(self) -> Race:
        return Race(lambda: self.now, lambda: self.waited)

    def way(self, name: str, seconds: Callable[[], float]) -> Callable[[], None]:
        """A way to copy whose next call takes `seconds()`."""

        def call() -> None:
            self.now += seconds()
            self.log.append(name)

        return call

    def ways(self, durations: dict[str, float]) -> dict[str, Callable[[], None]]:
        return {name: self.way(name, lambda taken=taken: taken) for name, taken in durations.items()}  # type: ignore[misc]


def test_a_race_is_won_by_the_fastest_and_remembered() -> None:
    time = Time()
    race, ways = time.race(), time.ways({"slow": 2e-3, "fast": 2e-6, "middling": 2e-4})
    race.winner("key", ways)
    assert time.log[-1] == "fast"
    time.log.clear()
    race.winner("key", ways)()
    assert time.log == ["fast", "fast"]  # decided: executed once, then handed over
    assert "key" in race
    assert "another" not in race


@pytest.mark.parametrize(("won", "goes"), [("slow", "slow"), ("of another machine", "fast")])
def test_a_way_that_won_elsewhere_is_not_raced_again_where_there_is_one(won: str, goes: str) -> None:
    time = Time()
    race = time.race()
    race.remember("key", won)
    race.winner("key", time.ways({"slow": 2e-3, "fast": 2e-6}))
    assert time.log[-1] == race.won("key") == goes
    assert (time.log == ["slow"]) == (goes == "slow")


def test_what_was_decided_here_counts_before_what_won_elsewhere() -> None:
    race, ways = (time := Time()).race(), time.ways({"slow": 2e-3, "fast": 2e-6})
    race.winner("key", ways)
    race.remember("key", "slow")
    assert race.won("key") == "fast"


def test_a_race_by_the_machines_own_clock_finds_what_is_far_faster() -> None:
    called: list[str] = []

    def way(name: str, spins: int) -> Callable[[], None]:
        def call() -> None:
            called.append(name)
            for _ in range(spins):
                pass

        return call

    Race().winner("key", {"slow": way("slow", 200_000), "fast": way("fast", 200)})
    assert called[-1] == "fast"


def test_a_way_whose_threads_have_to_be_woken_wins_by_its_calls_in_a_row() -> None:
    """As in a batch: only the first two calls after another way's pay."""
    time = Time()

    def parallel() -> float:
        return 1e-5 if time.log[-2:] == ["parallel"] * 2 else 2e-4

    time.race().winner(
        "key", {"serial": time.way("serial", lambda: 9e-5), "parallel": time.way("parallel", parallel)}
    )
    assert time.log[-1] == "parallel"


@pytest.mark.parametrize("usual", ["parallel", "serial"])
@pytest.mark.parametrize("disturbed_s", [0.3, 100.0])
def test_a_race_goes_on_until_ways_with_threads_are_undisturbed(disturbed_s: float, usual: str) -> None:
    """Others work longer than a race takes, and a way with threads waits for a CPU; if they stay, the first wins."""
    time = Time()

    def parallel() -> float:
        late = time.now < disturbed_s
        time.waited += 7e-4 * late
        return 8e-4 if late else 5e-5

    ways = {"serial": time.way("serial", lambda: 1e-4), "parallel": time.way("parallel", parallel)}
    time.race().winner("key", dict(sorted(ways.items(), key=lambda way: way[0] != usual)))
    assert time.log[-1] == ("parallel" if disturbed_s < 1 else usual)
    assert min(disturbed_s, 1.5) < time.now < 1.6


def test_threads_that_wait_a_little_in_each_probe_may_win_in_the_end() -> None:
    """As where a probe takes microseconds: each thread that is woken waits for its CPU for some of them."""
    time = Time()

    def parallel() -> float:
        time.waited += 5e-6
        return 5e-5

    time.race().winner(
        "key", {"serial": time.way("serial", lambda: 1e-4), "parallel": time.way("parallel", parallel)}
    )
    assert time.log[-1] == "parallel"
    assert 1.5 < time.now < 1.6


def test_a_cpu_that_is_slow_for_a_moment_does_not_make_one_thread_the_winner() -> None:
    """No thread waits as far as the counters tell: a virtual machine does not see what its host takes."""
    time = Time()
    ways = {
        "parallel": time.way("parallel", lambda: 8e-4 if time.now < 0.4 else 5e-5),
        "serial": time.way("serial", lambda: 1e-4),
    }
    time.race().winner("key", ways)
    assert time.log[-1] == "parallel"
    assert time.now < 1.0


def test_keys_are_decided_apart() -> None:
    time = Time()
    race = time.race()
    race.winner(1, time.ways({"a": 1e-5, "b": 1e-3}))
    assert time.log[-1] == "a"
    race.winner(2, time.ways({"a": 1e-3, "b": 1e-5}))
    assert time.log[-1] == "b"


@pytest.mark.parametrize("most", [4, None])
def test_bunches_are_timed_without_what_makes_them_ready(most: int | None) -> None:
    """Of two alike but for that, the one whose calls are faster wins; no bunch is larger than it may be."""
    time = Time()
    sizes = []

    def bunch(name: str, ready_s: float, call_s: float) -> Bunch:
        def make(count: int) -> Callable[[], object]:
            sizes.append(count)
            time.now += ready_s
            call = time.way(name, lambda: call_s)
            return lambda: [call() for _ in range(count)]

        return make

    bunches = {"ready at once": bunch("ready at once", 0.0, 2e-5), "faster": bunch("faster", 1e-2, 1e-5)}
    assert time.race().decide("key", bunches, most) == "faster"
    assert max(sizes) == (most or 100)
