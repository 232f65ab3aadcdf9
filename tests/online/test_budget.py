"""Whatever the scores are: what a search costs, and when its rounds end."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import random

import pytest

from autolr.online import Annealed, Probe, Rollback, Save, SearchSettings
from autolr.online.observation import Observation
from tests.cases import only_with_slow

LENGTHS = (60, 100, 240, 800)
SCORES = {
    "at chance": lambda share, noise: 2.3 + 0.001 * noise,
    "learning": lambda share, noise: 2.3 - 1.5 * share + 0.2 * noise,
    "getting worse": lambda share, noise: 1.3 + share + 0.3 * noise,
}


@pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
@pytest.mark.parametrize("rise", [None, 20, 0.33])
@pytest.mark.parametrize("own", [None, *only_with_slow(6e-4), 2e-5])
def test_a_search_makes_no_more_steps_than_its_budget_and_ends_within_the_run(scores, rise, own):
    settings = SearchSettings(Annealed())
    for steps in LENGTHS:
        rising = int(rise * steps) if rise == 0.33 else rise
        run = settings.run_info(1e-3, steps, own or 1e-3, own, rise=rising)
        for seed in range(3):
            draws = random.Random(seed)
            search, spent, reached = settings.begin(run), 0, 0
            while isinstance(action := search.action, Probe | Save | Rollback):
                if not isinstance(action, Probe):
                    search = search.observe(Observation(reached))
                    continue
                assert reached <= action.start <= action.horizon < steps
                assert action.start < action.horizon or action.from_saved  # a look at that state
                reached = action.horizon
                spent += (len(action.candidates) - 1) * (reached - action.start)
                seen = [scores(reached / steps, draws.gauss(0, 1)) for _ in action.candidates]
                search = search.observe(Observation(reached, tuple(seen), initial=2.3))
            assert spent <= int(0.25 * steps)
