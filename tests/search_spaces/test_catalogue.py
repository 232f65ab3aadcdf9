"""What every space in the catalogue must do. A new file is covered by being there."""

from pathlib import Path

import optuna
import pytest

from autolr import rules, schedules, search_spaces
from autolr.candidate import candidate_of
from autolr.candidate_space import check_space
from autolr.errors import SpaceError
from autolr.search_spaces import of_rules
from autolr.space import Choice, Space

optuna.logging.set_verbosity(optuna.logging.WARNING)

# Tables have no settings that could be searched; the others are halves of a schedule.
NO_FAMILIES = {"piecewise", "tabulated", "warmup", "untuned_warmup", "cooldown"}


@pytest.fixture(params=search_spaces.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_catalogue_has_what_the_documentation_names() -> None:
    assert search_spaces.names() == ["adamw", "default", "profiles", "quick", "rules", "sgd"]


def test_it_passes_the_check_and_searches_a_peak(name: str) -> None:
    space = search_spaces.load_space(name)
    check_space(space, name)
    assert space.names[0] == ("rule" if name == "rules" else "lr")


def test_its_samples_are_candidates_that_train(name: str) -> None:
    space = search_spaces.load_space(name)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(50):
        values = space.suggest(study.ask())
        assert tuple(values) == space.active(values)
        candidate = candidate_of(values)
        assert candidate.peak is not None
        multipliers = candidate.schedule.values(200)
        assert multipliers.min() >= 0
        assert multipliers.max() == pytest.approx(1.0, abs=0.02)  # 200 steps may miss the top


def test_every_condition_and_choice_is_reached(name: str) -> None:
    space = search_spaces.load_space(name)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = [space.suggest(study.ask()) for _ in range(1000)]
    assert {key for values in seen for key in values} == set(space.names)


def test_it_says_what_it_is_for_in_one_line(name: str) -> None:
    line = search_spaces.describe(name)
    assert 20 <= len(line) <= 100
    assert search_spaces.text(name).startswith(f"# {line}\n")


def test_the_long_form_is_the_same_space(name: str) -> None:
    space = search_spaces.load_space(name)
    assert search_spaces.load_space(space.to_dict()) == Space.from_dict(space.to_dict()) == space


def test_profiles_has_every_family() -> None:
    domain = search_spaces.load_space("profiles").domains["schedule"]
    assert isinstance(domain, Choice)
    assert set(domain.options) == set(schedules.names()) - NO_FAMILIES


def test_the_space_of_rules_is_the_catalogue_of_rules() -> None:
    """If it is not: python -m autolr.search_spaces.of_rules."""
    assert search_spaces.text("rules") == of_rules.rules_yaml()
    space = search_spaces.load_space("rules")
    domain = space.domains["rule"]
    assert isinstance(domain, Choice)
    assert list(domain.options) == rules.names()
    searched = {name for name in rules.names() if rules.record(name).peak.searched}
    assert {name for name in space.names if name.startswith("lr.")} == {f"lr.{n}" for n in searched}


def test_each_rule_gets_only_the_profiles_of_its_record() -> None:
    space = search_spaces.load_space("rules")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(300):
        values = space.suggest(study.ask())
        record = rules.record(values["rule"])
        chosen = {value for name, value in values.items() if name.startswith("schedule")}
        assert chosen <= set(record.schedules)
        assert bool(chosen) == (len(record.schedules) > 1)


def test_a_quick_space_can_be_counted() -> None:
    assert search_spaces.load_space("quick").size == 14


def test_a_path_is_read_from_disk(tmp_path: Path) -> None:
    for path in (tmp_path / "mine.yaml", tmp_path / "mine.yml"):
        path.write_text("lr: {low: 1e-3, high: 1e-1, log: true}\n")
        assert search_spaces.load_space(path) == search_spaces.load_space(str(path))
        assert search_spaces.load_space(path).names == ("lr",)


def test_an_unknown_name_lists_the_catalogue() -> None:
    for ask in (search_spaces.load_space, search_spaces.text, search_spaces.describe):
        with pytest.raises(
            SpaceError, match="unknown search space 'profile'; did you mean 'profiles'"
        ) as error:
            ask("profile")
        assert "adamw, default, profiles, quick, rules, sgd" in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "pair", "spelling"),
    [
        ("lr", (1e-4, 0.1), "a range, {'low': 0.0001, 'high': 0.1, 'log': True}, or a list"),
        ("width", (8, 16), "a range, {'low': 8, 'high': 16, 'type': 'int'}, or a list of choices"),
    ],
)
def test_a_tuple_of_two_numbers_is_no_guess(
    name: str, pair: tuple[float, float], spelling: str
) -> None:
    with pytest.raises(SpaceError) as error:
        search_spaces.load_space({name: pair}, takes_all=True)
    assert f"space: {name} must be {spelling}" in str(error.value)
    space = search_spaces.load_space({name: list(pair)}, takes_all=True)
    assert space == search_spaces.load_space({name: {"choices": pair}}, takes_all=True)
