"""The section `tune:` of a config."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autolr.config_checks import check, check_keys
from autolr.direction import MODES, mode_of, named_mode
from autolr.errors import ConfigError
from autolr.predicates import (
    HOST,
    STUDY_NAME,
    is_file_path,
    is_seconds,
    is_text,
    is_whole,
    whole,
)
from autolr.pruner import DEFAULT_PRUNER, Pruner, parse_pruner
from autolr.sampler import parse_sampler
from autolr.stop import Stop, parse_stop
from autolr.storage_url import shown
from autolr.strict_yaml import is_source

_CLASS = r"[^\W\d]\w*(\.[^\W\d]\w*)+"  # module.Class
_ENGINE = r"[^\W\d]\w*([.:][^\W\d]\w*)*"  # a name or a path; the driver knows the engines
_MOST_WORKERS = 4096  # more is a slip: each one is a process
_MOST_SEEDS = 100  # more is a slip: a spread is known well by then
_SECONDS = "a number of seconds above 0, or null"
_COSTS = {"cost": "steps", "seconds": "seconds"}  # objective: the attribute of a trial


@dataclass(frozen=True, slots=True)
class TuneConfig:
    """The section `tune:`, checked.

    Args:
        space: A name of the catalogue, a path to a .yaml file, or a mapping.
        monitor: The logged metric that is optimized.
        mode: "min" or "max"; None: inferred from the monitor's name, see `named_mode`. If the name
            implies neither, it stays None until `direction` raises an error.
        trials: Finished trials that the study shall have in total, over all resumes.
        timeout: Seconds after which no trial starts; None: no limit.
        workers: Trials in parallel; "auto": ``trials_per_gpu`` for each visible GPU, at least one.
        trials_per_gpu: Trials that share a GPU at most; a run that leaves most of it idle gains by
            more than one. More than one needs trials of one device each. Rivals inside a trial
            get its part of the free memory.
        trial_timeout: Seconds that a worker may train one job before the driver kills it, which
            counts as one of three attempts; None: no limit.
        engine: "local": processes of this machine; "ray"; "remote": any ``autolr worker``; or the
            path of a class, ``my_project.MyEngine``. "open" is the former name of "remote".
        listen: Host name or address at which workers reach this host; None: its own name.
        objective: None: the monitor alone. ``[monitor, "cost"]`` also minimizes a trial's optimizer
            steps, probes included; ``[monitor, "seconds"]`` its wall time.
        pruner: A `Pruner`, its name, or a mapping with its fields; "none" with two objectives.
        online: Whether the run of the first trial searches its own peak, where the space has a
            range of peaks and the sampler is "tpe", "gp" or "cmaes"; the next ones are drawn
            around what it finds.
        prior: What is known already: the name of an earlier study in the same storage, or a
            ``result.json`` of a search. The search of the first trial begins around its peak, moved
            to the length of the runs; where there is none, the first trials are drawn around it.
        sampler: "tpe", "random", "gp" or "cmaes"; a mapping with the class_path and the init_args
            of an Optuna sampler; or that path alone.
        start: Points to try first, ``[{lr: 0.001, schedule: cosine}, {lr: 0.01}]``, behind a trial
            that searches its own peak (``online``): each maps parameters of the space to values,
            and the sampler chooses what it leaves out. Points that are added when a study is
            resumed come next; none is tried twice.
        stop: A `Stop`, or a mapping with its fields: ``{patience: 20}`` ends the study when 20
            trials have not improved the best score; ``{patience: 20, improvement: 0.01}``, by more
            than 0.01; ``{regret: 0.01}``, when no candidate is expected to improve it by 0.01.
            None: it has all its ``trials``. Without it, the same study continues.
        seeds: Runs of each trial, trained one after another with the seeds ``seed_everything``,
            ``seed_everything + 1`` and so on. Their mean is the trial's score, at rungs too; their
            steps all count. At a rung all of them wait with a checkpoint each.
        keep: Trials whose weights stay: ``weights.ckpt`` in the folders of the best ones, a
            Lightning checkpoint of the end of the run. 0: none. An objective of your own keeps what
            it wants.
        storage: The database's URL. It may hold a password and is not in the ``repr``.
        study: The study's name: letters, digits, and . _ - after the first; at most 128.
        out: The folder for results; None: autolr_runs/STUDY.
        safe_globals: Classes, as ``module.Class``, that checkpoints of trials may contain besides
            tensors and plain containers; loading such a checkpoint may run their code.

    Raises:
        ConfigError: If a value cannot work.
    """

    space: str | Path | Mapping[str, Any] = "default"
    monitor: str = "val_loss"
    mode: str | None = None
    trials: int = 30
    timeout: float | None = None
    workers: int | str = 1
    trials_per_gpu: int = 1
    trial_timeout: float | None = None
    engine: str = "local"
    listen: str | None = None
    objective: Sequence[str] | None = None
    pruner: Pruner = dataclasses.field(default_factory=lambda: DEFAULT_PRUNER)
    online: bool = True
    prior: str | Path | None = None
    sampler: str | Mapping[str, Any] = "tpe"
    start: Sequence[Mapping[str, Any]] = ()
    stop: Stop | None = None
    seeds: int = 1
    keep: int = 1
    storage: str = dataclasses.field(default="sqlite:///autolr.db", repr=False)
    study: str = "autolr"
    out: str | Path | None = None
    safe_globals: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "pruner", parse_pruner(self.pruner))
        object.__setattr__(self, "sampler", parse_sampler(self.sampler))
        object.__setattr__(self, "stop", parse_stop(self.stop))
        if self.objective is not None:
            self._settle_objective()
        checks = {
            "space": ("a name of the catalogue, a path or a mapping", is_source(self.space)),
            "monitor": ("the name of a logged metric", is_text(self.monitor)),
            "mode": ("min or max", self.mode in (None, *MODES)),
            "trials": (whole(self.trials, 1), is_whole(self.trials, 1)),
            "timeout": (_SECONDS, is_seconds(self.timeout)),
            "workers": (
                f"{whole(self.workers, 1, _MOST_WORKERS)}, or auto",
                self.workers == "auto" or is_whole(self.workers, 1, _MOST_WORKERS),
            ),
            "trials_per_gpu": (
                whole(self.trials_per_gpu, 1, _MOST_WORKERS),
                is_whole(self.trials_per_gpu, 1, _MOST_WORKERS),
            ),
            "trial_timeout": (_SECONDS, is_seconds(self.trial_timeout)),
            "engine": ("local, ray, remote or a class path", is_text(self.engine, _ENGINE)),
            "listen": ("a host, or null", self.listen is None or is_text(self.listen, HOST)),
            "seeds": (whole(self.seeds, 1, _MOST_SEEDS), is_whole(self.seeds, 1, _MOST_SEEDS)),
            "keep": (whole(self.keep, 0), is_whole(self.keep, 0)),
            "start": ("a list of points", isinstance(self.start, list | tuple)),
            "online": ("true or false", isinstance(self.online, bool)),
            "prior": (
                "the name of a study, the path of a result.json, or null",
                self.prior is None or is_file_path(self.prior),
            ),
            "study": (f"a name that matches {STUDY_NAME}", is_text(self.study, STUDY_NAME)),
            "out": ("a folder, or null", self.out is None or is_file_path(self.out)),
            "safe_globals": (
                "a list of names such as my_project.MyClass",
                isinstance(self.safe_globals, list | tuple)
                and all(is_text(name, _CLASS) for name in self.safe_globals),
            ),
        }
        if not is_text(self.storage, "(?s).+://.*"):  # `study.locate` checks the rest
            expected = "a URL such as sqlite:///autolr.db"
            raise ConfigError.of("tune.storage", shown(self.storage), expected)
        for name, (expected, fits) in checks.items():
            check(f"tune.{name}", getattr(self, name), expected, fits)
        if self.seeds > 1 and self.pruner.name != "none":
            expected = "true with seeds (at a rung, each run waits for the others)"
            check("tune.pruner.pause", self.pruner.pause, expected, self.pruner.pause)
        object.__setattr__(self, "start", tuple(self.start))
        object.__setattr__(self, "mode", self.mode or named_mode(self.monitor))

    def _settle_objective(self) -> None:
        supported = [[self.monitor, cost] for cost in _COSTS]
        fits = isinstance(self.objective, list | tuple) and list(self.objective) in supported
        check("tune.objective", self.objective, " or ".join(map(str, supported)), fits)
        if self.pruner is DEFAULT_PRUNER:
            object.__setattr__(self, "pruner", Pruner("none"))
        expected = "none with two objectives (a rung compares one score)"
        check("tune.pruner", self.pruner.name, expected, self.pruner.name == "none")
        if self.stop is not None:
            check(
                "tune.stop.improvement",
                self.stop.improvement,
                "0 with two objectives",
                self.stop.improvement == 0,
            )
            single = self.stop.regret is None
            check("tune.stop.regret", self.stop.regret, "null with two objectives", single)
        single = self.sampler == "cmaes"
        check("tune.sampler", self.sampler, "tpe, gp or random with two objectives", not single)

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Whether the study minimizes or maximizes the monitor.

        Raises:
            ConfigError: If neither the mode nor the monitor's name implies it.
        """
        mode = mode_of(self.monitor, self.mode, "tune.mode")
        return "minimize" if mode == "min" else "maximize"

    @property
    def cost(self) -> str | None:
        """The attribute of a trial that the study minimizes besides the monitor, if any."""
        return None if self.objective is None else _COSTS[self.objective[1]]

    @property
    def folder(self) -> Path:
        """The folder for results."""
        return Path("autolr_runs", self.study) if self.out is None else Path(self.out)

    def override(self, **flags: object) -> "TuneConfig":
        """Return a copy with other settings; None, an absent flag, keeps the present value.

        A new monitor needs its own mode: the one in ``flags``, else the one its name implies.

        Raises:
            ConfigError: As for the section itself.
        """
        old = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        new = {name: flag for name, flag in flags.items() if flag is not None}
        if new.get("monitor", self.monitor) != self.monitor:
            old["mode"] = None
        return parse_tune(old | new)


def check_repeats(name: str, count: int) -> None:
    """Refuse a number of seeds that cannot work.

    Args:
        name: The setting, for the message.
        count: Its value.

    Raises:
        ConfigError: If it is no whole number from 1 to 100.
    """
    check(name, count, whole(count, 1, _MOST_SEEDS), is_whole(count, 1, _MOST_SEEDS))


def parse_tune(mapping: object) -> TuneConfig:
    """Return the section `tune:`; None, an empty or absent section, gives the defaults.

    Raises:
        ConfigError: If a key is unknown or a value cannot work.
    """
    if mapping is None:
        return TuneConfig()
    if not isinstance(mapping, Mapping):
        raise ConfigError.of("tune", mapping, "a mapping")
    check_keys("tune", mapping, TuneConfig)
    return TuneConfig(**mapping)
