"""The file of studies, and the table over them."""

from pathlib import Path

from examples.time_to_target.peers.budget import Budget, Ended
from examples.time_to_target.peers.records import append, load, table


def budget(*ended: tuple[float, float]) -> Budget:
    made = Budget(None, 10)  # type: ignore[arg-type]
    made.ended = [Ended(spent, loss, {}) for spent, loss in ended]
    return made


def test_the_table_has_geometric_means_over_the_studies_of_all_methods(tmp_path: Path) -> None:
    path = tmp_path / "peers.csv"
    append(path, "a", 0, "w", budget((1, 4.0), (4, 2.0)))
    append(path, "a", 1, "w", budget((2, 1.0)))
    append(path, "a", 2, "w", budget((1, 1e-9)))  # b has no such study
    append(path, "b", 0, "w", budget())
    append(path, "b", 1, "w", budget((9, 1.0)))
    lines = table(load(path), {"w": 1.0}, [3, 10]).splitlines()
    assert lines[2] == "| a | 2 | 2.000 | 1.414 |"
    assert lines[3] == "| b | 2 | 100.000 | 10.000 |"
