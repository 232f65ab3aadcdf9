"""A study that is killed again and again, against one that is left alone.

    python -m examples.scale.repeats [TRIALS [KILLS]]

Both have one worker and one seed, and their first trial searches its own peak. Prints how many
trials have equal parameters, scores and values in both.
"""

import sys
import tempfile
from pathlib import Path

from autolr.study import TrialRecord
from examples.scale.chaos import Chaos, write_project


def main(trials: int = 10, kills: int = 6) -> None:
    """Run both studies and compare their trials.

    Args:
        trials: Of each.
        kills: Processes to kill in the second one.
    """
    alone, killed = _study(trials, 0), _study(trials, kills)
    pairs = list(zip(alone, killed, strict=True))
    same = [_seen(one) == _seen(other) for one, other in pairs]
    print(f"{sum(same)} of {trials} trials are equal in both studies")
    for (one, other), equal in zip(pairs, same, strict=True):
        if not equal:
            print(f"trial {one.number}: {_seen(one)}, with kills {_seen(other)}")


def _study(trials: int, kills: int) -> tuple[TrialRecord, ...]:
    with tempfile.TemporaryDirectory() as name:
        chaos = Chaos(Path(name), workers=1)
        write_project(chaos.folder, trials)
        chaos.run(kills)
        return chaos.check(trials)


def _seen(trial: TrialRecord) -> tuple[object, ...]:
    return trial.state, dict(trial.params), dict(trial.scores), trial.value


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
