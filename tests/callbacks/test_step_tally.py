"""How many steps a run will make, from the batches that have stepped so far."""

from collections.abc import Callable

import pytest

from autolr.callbacks.step_tally import StepTally

PATTERNS: dict[str, Callable[[int], int]] = {
    "each batch": lambda batch: 1,
    "two optimizers in each": lambda batch: 2,
    "every fourth, at its end": lambda batch: int(batch % 4 == 3),
    "every fourth, at its start": lambda batch: int(batch % 4 == 0),
    "one in each, another in every fifth": lambda batch: 1 + (batch % 5 == 0),
    "eight steps over every third batch": lambda batch: 8 * (batch % 3 == 2),
}


def counted(pattern: Callable[[int], int], batches: int, epoch: int = 0) -> StepTally:
    tally = StepTally()
    for number in range(batches):
        if epoch and number % epoch == 0:
            tally = tally.in_next_epoch()
        made = pattern(number % epoch if epoch else number)
        tally = tally.after(stepped=made > 0, optimizer_steps=made)
    return tally


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("seen", [8, 9, 13, 50])
def test_the_length_of_one_epoch_follows_from_its_first_batches(name: str, seen: int) -> None:
    pattern, batches = PATTERNS[name], 1000
    steps = sum(pattern(batch) > 0 for batch in range(batches))
    assert counted(pattern, seen).steps_in(batches) == steps


@pytest.mark.parametrize("name", PATTERNS)
def test_the_length_of_several_epochs_follows_from_whole_ones(name: str) -> None:
    pattern, batches, epochs = PATTERNS[name], 30, 10  # 30: no multiple of four
    steps = epochs * sum(pattern(batch) > 0 for batch in range(batches))
    for seen in (30, 60, 270, 300):
        tally = counted(pattern, seen, epoch=batches).in_next_epoch()
        assert tally.steps_in(batches * epochs) == steps


def test_within_an_epoch_the_length_is_what_it_was_at_its_beginning() -> None:
    tally = StepTally()
    for epoch in range(3):  # of ten batches, of which every third one of the run steps
        tally = tally.in_next_epoch()
        for batch in range(10 * epoch, min(10 * epoch + 10, 27)):
            tally = tally.after(stepped=batch % 3 == 2, optimizer_steps=int(batch % 3 == 2))
            if epoch == 2:
                assert tally.steps_in(270) == 81  # by the 6 steps in the first 20 batches


@pytest.mark.parametrize("name", PATTERNS)
def test_a_limit_counts_each_step_of_each_optimizer(name: str) -> None:
    pattern, limit = PATTERNS[name], 600
    steps, made, batch = 0, 0, 0
    while made < limit:
        made, steps, batch = made + pattern(batch), steps + (pattern(batch) > 0), batch + 1
    assert counted(pattern, 300).steps_until(limit) == pytest.approx(steps, abs=1)


def test_a_run_of_which_nothing_is_known_steps_on_each_batch() -> None:
    tally = StepTally()
    assert (tally.steps_in(70), tally.steps_until(30), tally.steps_until(-1)) == (
        70,
        30,
        float("inf"),
    )
    assert not tally.is_clear


def test_one_step_is_clear_where_others_came_without_one_before_it() -> None:
    assert not counted(PATTERNS["each batch"], 1).is_clear
    assert counted(PATTERNS["each batch"], 2).is_clear
    assert not counted(PATTERNS["every fourth, at its start"], 4).is_clear
    assert counted(PATTERNS["every fourth, at its end"], 4).is_clear
