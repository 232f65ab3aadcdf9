"""What a study will take, before its first step."""

from dataclasses import dataclass

from autolr.memory import RunBytes
from autolr.study.simulation import SimulatedPrice


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a study will take.

    Attributes:
        trials: Their number.
        run_steps: Optimizer steps of a whole run.
        price: Steps and checkpoints, as expected if the trials come in a random order of quality.
        rival_steps: The steps that rivals make beside all trials, at most; 0 without any.
        workers: Trials at a time; None: as many as there are workers then.
        sharing: Trials on the same GPU, at most.
        devices: Devices of a trial, each of which holds its memory.
        averages: Whether trials are scored at rungs, by averaged weights.
        memory: What a trial holds on a device; None: not known.
        varied: Settings of the model, the data or the trainer that the space sets. All is estimated
            for a run as the config has it.
    """

    trials: int
    run_steps: int
    price: SimulatedPrice
    rival_steps: int = 0
    workers: int | None = 1
    sharing: int = 1
    devices: int = 1
    averages: bool = False
    memory: RunBytes | None = None
    varied: tuple[str, ...] = ()

    @property
    def runs(self) -> float:
        """The steps as a number of whole runs."""
        return self.price.steps / self.run_steps

    @property
    def trial_bytes(self) -> int | None:
        """The bytes of a trial on each of its devices, with its rivals; None: not known."""
        held = self.memory
        if held is None or held.run is None or held.copies is None:
            return None
        return held.run + held.copies + (held.average if self.averages else 0)

    @property
    def disk_bytes(self) -> int | None:
        """The bytes of all checkpoints at a time, at most; None: not known."""
        if self.price.checkpoints == 0:
            return 0
        size = None if self.memory is None else self.memory.checkpoint
        return None if size is None else size * self.price.checkpoints
