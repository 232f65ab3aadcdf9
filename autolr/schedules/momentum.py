"""Momentum that is cycled against the rate."""

from dataclasses import dataclass, field

from autolr.errors import ConfigError, UnsupportedError
from autolr.schedules.schedule import Schedule, check_schedule
from autolr.settings import Array, Beta, check_of, read_number

_FEET = {"onecycle": ("start", "final"), "clr": ("base",)}  # what a profile has at its foot


@dataclass(frozen=True, slots=True)
class Momentum:
    """The momentum that goes with a schedule: high where the rate is low, low where it is high.

        momentum(k) = high - (high - low) h(k)

    ``h`` is the schedule of the rate with a foot of 0: 0 before the rise and after the fall, 1 at
    the peak. In the last of three phases of `onecycle` the momentum stays high. It is ``momentum``
    of SGD, and the first of the ``betas`` of Adam.

    Args:
        schedule: `onecycle` or `clr`, with any settings.
        low: Momentum at the peak of the rate; Smith & Topin use 0.85.
        high: Momentum at the lowest rate; 0.95.

    Raises:
        ConfigError: If a momentum is outside [0, 1), or ``low`` is above ``high``.
        UnsupportedError: If the schedule is another one: no paper cycles the momentum with it.

    Source: Smith & Topin 2018, arXiv:1708.07120, and Smith 2018, arXiv:1803.09820, section 4.3;
    the same numbers as torch's OneCycleLR and CyclicLR with ``cycle_momentum``.

    >>> from autolr.schedules import onecycle
    >>> Momentum(onecycle(rise=0.5, shape="linear")).values(8).round(3).tolist()
    [0.95, 0.917, 0.883, 0.85, 0.875, 0.9, 0.925, 0.95]
    """

    schedule: Schedule
    low: float = 0.85
    high: float = 0.95
    _height: Schedule = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_schedule("schedule of Momentum", self.schedule)
        for name in ("low", "high"):
            number = read_number(f"{name} of Momentum", check_of(Beta), getattr(self, name))
            object.__setattr__(self, name, number)
        if self.low > self.high:
            raise ConfigError.of("low of Momentum", self.low, f"at most high, {self.high:g}")
        kind, settings = self.schedule.kind, dict(self.schedule.settings)
        if kind not in _FEET:
            raise UnsupportedError(
                f"momentum is cycled with onecycle and clr, not with {self.schedule}"
            )
        settings |= dict.fromkeys(_FEET[kind], 0.0)
        height = Schedule(kind, tuple(settings.items()), span=self.schedule.span)
        object.__setattr__(self, "_height", height)

    def at(self, step: float, total_steps: float) -> float:
        """Return the momentum at ``step`` of a run of ``total_steps``.

        Args:
            step: As of `Schedule.at`.
            total_steps: Length of the run, in optimizer steps.

        Raises:
            ConfigError: As `Schedule.at`.
        """
        return self.high - (self.high - self.low) * self._height.at(step, total_steps)

    def values(self, total_steps: int) -> Array:
        """Return the momentum of all steps of a run, shape (total_steps,).

        Raises:
            ConfigError: As `Schedule.values`.
        """
        return self.high - (self.high - self.low) * self._height.values(total_steps)
