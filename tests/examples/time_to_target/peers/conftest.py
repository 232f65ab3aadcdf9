"""A problem whose losses have a closed form."""

from dataclasses import dataclass

import pytest

from examples.time_to_target.peers.problem import PARTS, Choice, Point, Range, Space


@dataclass
class Parabola:
    """The distance from 0.3, tripled by the bad choice, plus what is left of the run."""

    point: Point
    spent: float = 0.0

    def until(self, part: int) -> float:
        self.spent = part / PARTS
        distance = (float(self.point["x"]) - 0.3) ** 2
        return distance * (3 if self.point["kind"] == "bad" else 1) + 1 - self.spent


@dataclass(frozen=True)
class Parabolas:
    space: Space
    default: Point

    def begin(self, point: Point) -> Parabola:
        return Parabola(point)


@pytest.fixture
def parabolas() -> Parabolas:
    space: Space = {"x": Range(0.01, 1.0, log=True), "kind": Choice(("good", "bad"))}
    return Parabolas(space, {"x": 0.9, "kind": "bad"})
