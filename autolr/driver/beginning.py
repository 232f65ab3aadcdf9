"""What a new study begins with, which a resumed one keeps: its rungs, its search, its prior."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from autolr import study
from autolr.config import Config
from autolr.driver.first_trial import FirstTrial, rules_of
from autolr.driver.messages import Checked
from autolr.errors import ConfigError
from autolr.online.prior_peak import check_optimizer
from autolr.pruner import Pruner
from autolr.result.prior import prior_of as prior_of_result
from autolr.result.prior import result_of
from autolr.rules.fixed import OWN
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
        optimizer: The class name of its runs' own optimizer; None: it is not known.
    """

    online: bool = False
    brackets: int = _BRACKETS
    prior: Mapping[str, float] = field(default_factory=dict)
    optimizer: str | None = None

    @classmethod
    def of(cls, config: Config, checked: Checked, stored: Summary | None) -> "Beginning":
        """Return the beginning of a study, as it is stored if it was begun.

        Args:
            config: The whole config.
            checked: What is known of a run.
            stored: The study, if it was begun.

        Raises:
            ConfigError: If ``tune.prior`` is not a study or a result with a peak for this one.
        """
        if stored is not None and (stored.trials or study.SEARCHES in stored.attrs):
            attrs = stored.attrs
            brackets = attrs.get(study.BRACKETS, _BRACKETS)
            known = attrs.get(study.PRIOR, {})
            return cls(bool(attrs.get(study.SEARCHES)), int(brackets), known, checked.optimizer)
        first = FirstTrial.of(config.space, checked.run_steps)
        named = config.tune.sampler in study.LOCAL
        single = config.tune.seeds == 1  # each run of a trial would find a peak of its own
        online = config.tune.online and named and single and first is not None and checked.searches
        near = online and not config.space.paths
        known = prior_of(config, checked.run_steps, checked.optimizer)
        return cls(online, _BRACKETS_NEAR if near else _BRACKETS, known, checked.optimizer)

    def apply(self, handle: Study) -> None:
        """Have a study keep it, and its sampler draw accordingly."""
        handle.draw_around(self.prior)
        for name, value in (
            (study.BRACKETS, self.brackets),
            (study.PRIOR, dict(self.prior)),
            (study.OPTIMIZER, self.optimizer),
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


def prior_of(config: Config, run_steps: int, optimizer: str | None = None) -> dict[str, float]:
    """Return the peaks, by rule, of the study or the result that ``tune.prior`` names.

    Args:
        config: The whole config.
        run_steps: Optimizer steps of a run, to whose length they are moved.
        optimizer: The class name of a run's own optimizer; None: it is not known.

    Raises:
        ConfigError: If it is neither, or has no peak of this optimizer or another rule of the
            space.
    """
    named = config.tune.prior
    if named is None:
        return {}
    path = config.folder / named
    file = path / "result.json" if path.is_dir() else path
    if file.exists():
        result = result_of(file, "tune.prior")
        known = prior_of_result(result, "tune.prior")
        if result.rule not in (rules := rules_of(config.space)):
            chosen = f"a search that chose {' or '.join(rules)}"
            raise ConfigError.of("tune.prior", f"one that chose {result.rule}", chosen)
        if result.rule == OWN:
            check_optimizer("tune.prior", known.optimizer, optimizer)
        return {result.rule: study.moved_peak(known, run_steps)}
    if str(named).endswith(".json"):
        raise ConfigError.of("tune.prior", str(named), "a file that exists, or the name of a study")
    return _of_study(config, str(named), run_steps, optimizer)


def _of_study(config: Config, name: str, run_steps: int, optimizer: str | None) -> dict[str, float]:
    try:
        earlier = study.look(config.tune.storage, name)
    except ConfigError as error:
        raise ConfigError(f"tune.prior: {error.message}", error.advice) from None
    peaks: dict[str, float] = {}
    for trial in earlier.ranked:  # the best first
        peak = study.peak_of_trial(trial.attrs, run_steps)
        if peak is not None:
            peaks.setdefault(str(trial.attrs["found"]["rule"]), peak)
    if not peaks:
        raise ConfigError(f"tune.prior: study {name!r} has no complete trial with a peak")
    rules = rules_of(config.space)
    if not peaks.keys() & rules:
        chosen, present = " or ".join(peaks), " or ".join(rules)
        raise ConfigError.of("tune.prior", f"one of {chosen}, {name!r}", f"a study of {present}")
    if OWN in peaks and OWN in rules:
        check_optimizer("tune.prior", earlier.attrs.get(study.OPTIMIZER), optimizer)
    return peaks
