"""When a difference of scores counts."""

from dataclasses import dataclass


@dataclass(frozen=True)  # without slots: the parser of LightningCLI reads defaults by vars()
class Thresholds:
    """When a difference of scores counts, as shares of their size.

    The size of a score is its absolute value, or what the run has gained since its first step where
    that is less: a loss with a large constant part is compared by what can be learned of it.

    Attributes:
        tie: In the race, the lowest peak whose score is that close to the best is taken: a rate
            that is too large costs more than one that is too small, and can be raised later. A best
            score that has not gained as much on the untrained run decides nothing.
        chance: A race that cannot continue decides nothing where its best score has gained less
            on the untrained run, and validation has too few batches to tell noise.
        brief: A race of fewer steps changes a peak that the user has set by less than 8 times.
        hint: A peak that is 8 times and more from one that the user has set wins the race at once
            only if it has gained that much on the untrained run; else the race continues.
        share: Of the gain of the best peak: a tie is at most that wide.
        margin: A rival of a later round must be better than the run by that much, and by more than
            twice the standard error of the difference where validation has several batches.
        unknown: That margin is at least as wide where validation has too few batches to tell noise.
        stall: After the peak has been refined a lower rate must moreover have gained this share of
            what the run itself has gained since its last score: it always helps at once, as
            annealing does, and may cost more later. One that has not is given a second look, of
            the same length: it wins if its lead has not shrunk. A higher rate leads in spite of
            that, so it needs no share.
        settled: A rate that loses to the run by that much, and by two standard errors, is not tried
            again, nor are others on its side: where the best rate moves it moves slowly, and a
            check has its price.
        band: A score that is worse than the best one by that much casts doubt on the run: a copy of
            the best state is trained beside it for a while, at a lower rate, and takes its place if
            it is better by half as much, and by two standard errors where validation has several
            batches; one where such a copy has led before. A rise that it shares is the task's own.
        least: The same where the scores of the run hardly scatter: the threshold lies between both.
        cut: The rate of such a copy, in units of the run's.
        rollbacks: How often the run may be restored.
        longer: A race that shows nothing continues by its own length until the peak that is kept in
            doubt learns, or until it is so many times as long, where that can be paid: plateaus of
            2 to 7 % of a run are left then. 1: it never continues.
        looks: How often a lower rate that leads by too little is compared: 2, or 1.
    """

    tie: float = 0.03
    chance: float = 0.05
    brief: int = 12
    hint: float = 0.1
    share: float = 0.1
    margin: float = 0.003
    unknown: float = 0.01
    stall: float = 0.22
    settled: float = 0.005
    band: float = 0.04
    least: float = 0.01
    cut: float = 0.5
    rollbacks: int = 4
    longer: int = 3
    looks: int = 2
