"""What a new study begins with, which a resumed one keeps: its rungs, its search, its prior."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from autolr import study
from autolr.config import Config
from autolr.driver.first_trial import FirstTrial
from autolr.driver.messages import Checked
from autolr.errors import ConfigError
from autolr.pruner import Pruner
from autolr.result.prior import prior_of as prior_of_result
from autolr.result.prior import result_of
from autolr.study import Hyperband, Study, Summary

# Measured in examples/time_to_target/STUDIES.md. Where the first trials are drawn around a known
# point, the score of an early rung says less than noise about which of them ends best.
_BRACKETS, _BRACKETS_NEAR = 3, 2


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a study begins with.

    Attributes:
        online: Whether its first trial searches its own peak.
        brackets: Of its Hyperband, where the user sets no first rung.
        prior: A peak by rule.
    """

    online: bool = False
    brackets: int = _BRACKETS
    prior: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, checked: Checked, stored: Summary | None) -> "Beginning":
        """Return the beginning of a study, as it is stored if it was begun.

        Args:
            config: The whole config.
            checked: What is known of a run.
            stored: The study, if it was begun.

        Raises:
            ConfigError: If ``tune.prior`` is not a study or a result with a peak.
        """
        if stored is not None and (stored.trials or study.SEARCHES in stored.attrs):
            attrs = stored.attrs
            brackets = attrs.get(study.BRACKETS, _BRACKETS)
            return cls(bool(attrs.get(study.SEARCHES)), int(brackets), attrs.get(study.PRIOR, {}))
        first = FirstTrial.of(config.space)
        named = config.tune.sampler in study.LOCAL
        single = config.tune.seeds == 1  # each run of a trial would find a peak of its own
        online = config.tune.online and named and single and first is not None and checked.searches
        near = online and not config.space.paths
        return cls(
            online, _BRACKETS_NEAR if near else _BRACKETS, prior_of(config, checked.run_steps)
        )

    def apply(self, handle: Study) -> None:
        """Have a study keep it, and its sampler draw accordingly."""
        handle.draw_around(self.prior)
        for name, value in (
            (study.BRACKETS, self.brackets),
            (study.PRIOR, dict(self.prior)),
            (study.SEARCHES, self.online),  # the last one: with it the others are there
        ):
            if handle.attr(name) != value:
                handle.set_attr(name, value)

    def hyperband(self, pruner: Pruner, run_steps: int) -> Hyperband | None:
        """Return the brackets of the study; None without pruning.

        Args:
            pruner: What the user sets.
            run_steps: Optimizer steps of a whole run.
        """
        if pruner.name == "none":
            return None
        least = pruner.min_steps or max(1, run_steps // pruner.eta ** (self.brackets - 1))
        return Hyperband(min(least, run_steps), run_steps, pruner.eta)


def prior_of(config: Config, run_steps: int) -> dict[str, float]:
    """Return the peaks, by rule, of the study or the result that ``tune.prior`` names.

    Args:
        config: The whole config.
        run_steps: Optimizer steps of a run, to whose length they are moved.

    Raises:
        ConfigError: If it is neither, or has no peak.
    """
    named = config.tune.prior
    if named is None:
        return {}
    path = config.folder / named
    file = path / "result.json" if path.is_dir() else path
    if file.exists():
        result = result_of(file, "tune.prior")
        return {result.rule: study.moved_peak(prior_of_result(result, "tune.prior"), run_steps)}
    if str(named).endswith(".json"):
        raise ConfigError.of("tune.prior", str(named), "a file that exists, or the name of a study")
    return _of_study(config.tune.storage, str(named), run_steps)


def _of_study(url: str, name: str, run_steps: int) -> dict[str, float]:
    try:
        earlier = study.look(url, name)
    except ConfigError as error:
        raise ConfigError(f"tune.prior: {error.message}", error.advice) from None
    peaks: dict[str, float] = {}
    for trial in earlier.ranked:  # the best first
        peak = study.peak_of_trial(trial.attrs, run_steps)
        if peak is not None:
            peaks.setdefault(str(trial.attrs["found"]["rule"]), peak)
    if not peaks:
        raise ConfigError(f"tune.prior: study {name!r} has no complete trial with a peak")
    return peaks
