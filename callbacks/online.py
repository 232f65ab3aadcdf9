"""Search the peak rate during training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from typing_extensions import override

from autolr.callbacks.averaged_end import check_no_average
from autolr.callbacks.candidate import FollowCandidate
from autolr.callbacks.early_end import announce, finalized
from autolr.callbacks.handover import Handover
from autolr.callbacks.modes import KeepsModes
from autolr.callbacks.monitor import check_named, check_no_metric
from autolr.callbacks.namespaces import LightningModule, Trainer
from autolr.callbacks.own_schedulers import restart_plateaus
from autolr.callbacks.requirements import check_alone
from autolr.callbacks.resumed_rng import ResumedRng
from autolr.callbacks.rule_race_host import RuleRaceHost
from autolr.callbacks.sharded import ranks_of_fit
from autolr.callbacks.shared_result import SharedResult
from autolr.callbacks.start import StartsSearch
from autolr.callbacks.swa import restart_averages
from autolr.direction import check_mode
from autolr.online.settings import SearchSettings
from autolr.online.strategy import Strategy
from autolr.result.prior import read_prior
from autolr.result.result import Result
from autolr.runtime.room import room_for
from autolr.schedules import Schedule


class AutoLR(KeepsModes, StartsSearch, RuleRaceHost):
    """Search a peak rate in the first steps of a run, and follow a schedule at that peak.

    Rivals with other peaks are trained beside the run on the very batches that go by, scored by
    the average of their last weights, and the best one's state replaces the run's: it ends as
    if it had been trained with the chosen peak from its first step. The rate that the user has set
    races too, and wins ties. Later the run is compared with other rates, and with its own best
    state when it gets worse (see `autolr.online.Annealed`). After the fit `result` has the peak.
    Where the metric is not finite for any rival in the race and the next round there is no peak,
    with a warning: the run continues at the rate that the user has set, or in the middle of
    ``rates`` if that lies outside.

    The rate that is applied stands in the optimizer's groups between steps, for all that reads it.
    A module with a learning-rate scheduler of its own keeps it: the scheduler steps with its own
    rates, and each is multiplied so that its peak is the peak of the search. What else it writes
    (momentum, in a one-cycle schedule) it still writes. A rate that other code writes is multiplied
    likewise, with a warning. A `ReduceLROnPlateau` forgets what it has seen when a rival replaces
    the live run; averages of weights begin anew there. With `StochasticWeightAveraging` the search
    ends before the first epoch that is averaged: from there on it anneals the rate, from where the
    schedule is then, to its ``swa_lrs``, as it always does.

    With manual optimization a rival's step is the module's ``training_step``, whatever that steps;
    a batch in which any optimizer steps counts as one step. The rates of several optimizers are
    multiplied by one factor, see `Result.factor`.

    What the module trains may change on the way (`BaseFinetuning`, new modules, pruning). Rivals
    follow where they can, and end with a line where they cannot; the run is then never restored to
    a state from before. What is frozen is not copied. Where training data are drawn from what steps
    change (a replay memory), no rivals are trained and the user's rate stays, with a warning.

    The search never ends the run: a rival whose code raises (many modules refuse a NaN loss) ends
    with a line, and any other error of the search's own ends the search with a warning. Where the
    first pass over validation raises, the run keeps the user's rate; its own validation then raises
    the error at its place.

    Under DDP every rank trains every rival, scores are averages over all, and an error on one in
    set-up or validation ends all with the same line; one in the run's own training is left to
    Lightning and the process group's timeout. A rival whose `training_step` raises on one rank ends
    on all.

    Weights may be sharded: by FSDP2 or tensor parallel (`ModelParallelStrategy`), or FSDP. Each
    rank then copies the part that it holds, and ``copy_bytes`` of the result is that of the rank
    that holds most. Where one rank raises while others wait for it in a pass, all end with the same
    line, the others as that one's process ends. FSDP takes no accumulated gradients; rules are not
    raced. Tested with two processes on CPUs; offloading, hybrid and two-dimensional meshes are not.

    A fit that is resumed with ``ckpt_path`` continues the search. A checkpoint grows by a copy
    of weights and optimizer (the state to go back to), by one for each rival while there are any,
    and by up to 64 MiB of batches for a module with batch norm or without validation. It holds the
    global generators too: a fit cut at an epoch's end ends as the uninterrupted one, bit for bit.
    So does one cut in mid-epoch if the training loader has a ``state_dict`` (Lightning begins any
    other anew). Settings, length and the number of processes must be those that the search began
    with; of each process the checkpoint has what is its own: generators, batches, buffers, shards.

    A compiled module (``torch.compile``, whole or in parts) is searched like any other; nothing is
    compiled anew for a rival. Batch norm's statistics are estimated uncompiled.

    The Trainer's loggers get the curves that `SearchMetrics` names.

    Args:
        strategy: How scores become decisions, with its settings: ``"annealed"``, an object such as
            ``Annealed(budget=0.1)``, one of your own (see `autolr.online.Strategy`), or
            ``"autolrs"``: the published method as far as a run that only goes forward allows, for
            comparison (see `autolr.online.LiveStages`). It compares training losses.
        schedule: The schedule of the run: a `Schedule`, the name of a profile or a mapping. None:
            that of the module's own scheduler, and for a module without one a short warm-up, a
            plateau and a linear end over the last 40 %; none in a run too short to search.
        monitor: The metric that scores a probe: of the validation loop, logged by the module or by
            your own callbacks. None: "val_loss"; it has to be given for several optimizers, whose
            losses may work against each other. A run without validation compares training losses,
            with a warning. A run too short for a search is warned at its end if its validation
            never logged it.
        mode: Whether a lower ("min") or a higher ("max") metric is better. None: what its name says
            ("max" for acc, accuracy, auroc, auc, f1, precision, recall, iou, map, bleu, rouge, r2,
            psnr, ssim as a word in it, "min" for loss, error, perplexity, mae, mse, rmse, wer);
            any other name needs ``mode``.
        rates: Lowest and highest peak to consider. None: within a factor of 16 of the optimizer's
            customary peak (0.1 for SGD, 0.001 for Adam), or of a tenth of the rate at which a copy
            diverges, and further where the winner is at the edge; of several optimizers, of the
            highest rate among their own. ``(x, x)``: one candidate.
        candidates: A search space (a name of the catalogue, a path or a mapping) instead of
            ``rates`` and ``schedule``. Its rules race with the module's own optimizer, "fixed", and
            win by 3 %; then copies of the run compare five profiles with the default schedule.
        max_copies: Copies of the run that are held at once, at most: those of rivals (the race has
            4), and the state to go back to. With fewer, the peaks next to the user's own race.
            None: those that fit into a GPU's free memory, of which trials on the same GPU have a
            part each. Frozen weights are shared, not copied.
        save_to: A folder for ``result.json``, ``probes.csv`` and ``result.html``, checked before
            the first training step and written after the fit.
        verify: Whether to make steps, roll back and make them again before the search: a line for
            each difference, and the run keeps the user's rate; see `runtime.repeatability`.
        prior: The `Result` of an earlier search, or the folder it was saved to: the race has three
            peaks within a factor of 2 around its peak, moved to the schedule and length of this
            run, which wins ties; and the rate that the user has set, where it is further away. See
            docs/priors.md. Refused before the first step if the earlier search was of another
            optimizer or decided nothing, or its run was lost.

    Raises:
        ConfigError: If a setting cannot work, or is not that of the search in the checkpoint, or
            another `AutoLR` or `FollowCandidate` is beside it: here, or before the first step.
        UnsupportedError: Before the first training step, if the set-up is not supported: another
            strategy than those on several devices, a run without an end, rules in ``candidates``
            with several optimizers, manual optimization or sharded weights.
        UserCodeError: If the module raised on another rank of several.
        DivergedError: If every rate that was tried diverged, or the run too often after the race.
    """

    def __init__(  # noqa: PLR0913 - the settings of a search, which a config names one by one
        self,
        strategy: Strategy | str = "annealed",  # the parser of LightningCLI reports on the first
        schedule: str | Mapping[str, Any] | Schedule | None = None,
        monitor: str | None = None,
        mode: str | None = None,
        rates: tuple[float, float] | None = None,
        candidates: str | Path | Mapping[str, Any] | None = None,
        save_to: str | Path | None = None,
        max_copies: int | None = None,
        verify: bool = False,
        prior: Result | str | Path | None = None,
    ) -> None:
        check_mode(mode)
        check_no_metric(strategy)
        check_named(monitor)
        self._settings = SearchSettings(
            strategy, schedule, rates, candidates, verify, read_prior(prior, save_to)
        )
        self._given_monitor, self._mode, self._save_to = monitor, mode, save_to
        self._shared = SharedResult()
        self._room = room_for(max_copies)
        self._generators = ResumedRng(None)
        self._handover = Handover()

    @property
    def result(self) -> Result:
        """The result of the search.

        Raises:
            AttributeError: Before the search has ended in this process; the processes that
                ``ddp_spawn`` starts keep it to themselves: use ``save_to`` there.
        """
        if (result := self._result or self._shared.value) is None:
            raise AttributeError("there is no result before the search has ended in this process")
        return result

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        check_alone(trainer, (AutoLR, FollowCandidate))
        check_no_average(trainer)
        self._race_rules(trainer, pl_module, self._settings)
        self._generators.before_the_data(trainer, self._processes)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.restore_modes(pl_module)
        ranks = ranks_of_fit(trainer)
        ranks.gather(lambda: self._prepare(trainer, pl_module, ranks))

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._handover.is_due(trainer):
            self._take_result(trainer, cut=True)  # epochs may turn out shorter than they were
            self._hand_over(trainer)

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        steps = self._renewed_length(trainer, batch_idx)
        if self._result is None and self._rivals is None:
            self._begin(trainer, batch, batch_idx, steps)
            self._take_result(trainer)
        super().on_train_batch_start(trainer, pl_module, batch, batch_idx)
        self._apply(trainer)

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if batch is None:  # which Lightning skips: nothing was trained
            return
        assert self._rates is not None
        rate = self._rates.applied  # rivals step with others
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if self._stepped:
            self._metrics.step(trainer, rate, self._rivals, self._result)
        if self._rivals is not None:
            self._metrics.print_progress(self._rivals)
        self._take_result(trainer)
        self._warn_of_writers("AutoLR")
        if self._result is not None:
            self._result = self._result.applying(rate)
        if (
            self._run_length.count.made < self._run_length.steps
        ):  # after the last step its rate stays
            self._apply(trainer)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._rivals is not None:  # stopped before the search was over
            self._result = self._with_own(self._rivals.result())
            announce(self._result, cut=not self._rivals.search.closes)
        if self._unchecked is not None:
            self._unchecked.warn()
        super().on_train_end(trainer, pl_module)
        if self._result is not None:
            self._result = finalized(self._result, trainer, self._run_length.count, self._save_to)
            self._shared.value = self._result

    @override
    def _replaced(self, trainer: Trainer, module: LightningModule) -> None:
        restart_plateaus(trainer)
        restart_averages(trainer, module)

    def _take_result(self, trainer: Trainer, *, cut: bool = False) -> None:
        """Keep the result when the search has just ended or is cut; free what it needed."""
        if self._rivals is None or (self._rivals.searching and not cut):
            return
        self._result = self._with_own(self._rivals.result())
        self._shared.value = self._result
        self._metrics.decision(trainer, self._result)
        self._rivals = self._learner = None
        announce(self._result)
