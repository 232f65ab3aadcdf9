"""The scores of cooldowns that were not trained: merges of checkpoints stand for them."""

from dataclasses import dataclass

from autolr.online.monitor import Monitor
from autolr.schedules import Schedule


@dataclass(frozen=True, slots=True)
class CooldownScore:
    """A cooldown, and the score of the merge that stands for it.

    Attributes:
        shape: Its name, or the schedule as text.
        schedule: Its multipliers over its own steps: ``constant() | schedule.over(steps)`` is the
            run with that cooldown.
        steps: Its length.
        weights: Of the merged checkpoints, the oldest first, for `autolr.merge_checkpoints`.
        score: What ``validate`` returned for the merged weights.
    """

    shape: str
    schedule: Schedule
    steps: int
    weights: tuple[float, ...]
    score: float


@dataclass(frozen=True)
class CooldownScores:
    """Cooldowns of a run, the best first; ``print`` shows a table.

    Attributes:
        rows: One for each shape and length.
        last: The score of the last checkpoint as it is.
        total_steps: The length of the run.
        monitor: Says whether lower scores are better.
    """

    rows: tuple[CooldownScore, ...]
    last: float
    total_steps: int
    monitor: Monitor

    @property
    def best(self) -> CooldownScore:
        """The cooldown with the best score."""
        return self.rows[0]

    def __str__(self) -> str:
        """Return a table in at most 80 columns."""
        width = min(34, max(len("cooldown"), *(len(row.shape) for row in self.rows)))
        lines = [f"{'cooldown':{width}}  {'steps':>9}  {'share':>5}  {'merged':>6}  {'score':>10}"]
        for row in self.rows:
            name = row.shape if len(row.shape) <= width else f"{row.shape[: width - 3]}..."
            lines.append(
                f"{name:{width}}  {row.steps:>9,}  {row.steps / self.total_steps:>5.0%}"
                f"  {len(row.weights):>6}  {row.score:>10.4g}"
            )
        lines.append(f"{'none':{width}}  {0:>9}  {0:>5.0%}  {1:>6}  {self.last:>10.4g}")
        return "\n".join(lines)
