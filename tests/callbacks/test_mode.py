"""Whether higher or lower is better, and which metrics there are: settled before the first step."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from functools import partial

import lightning.pytorch as pl
import pytest
import torch.nn.functional as F

from autolr.callbacks import ApplyRule, AutoLR, FollowCandidate, PruneTrial
from autolr.errors import ConfigError
from autolr.schedules import constant
from tests.callbacks.runs import LR, RACE, Net, curve, fit


class Several(Net):
    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        self.log("val_score", float(batch_idx))


class Mistakes(Net):
    """Logs the share of wrong answers under a name that sounds like a gain."""

    def validation_step(self, batch, batch_idx):
        images, labels = batch
        logits = self(images)
        self.log("val_loss", F.cross_entropy(logits, labels))
        self.log("val_acc", (logits.argmax(1) != labels).float().mean())


class Untrained(pl.Callback):
    """Fails the test if a step is made."""

    def on_train_batch_start(self, *_):
        raise AssertionError("a step was about to be made")


class Unpruned:
    """A trial that is never pruned."""

    def report(self, value: float, step: int) -> None:
        """Forget the value."""

    def should_prune(self) -> bool:
        return False


def refused(folder, *callbacks, make=Several, **settings):
    with pytest.raises(ConfigError) as error:
        fit(folder, make, [*callbacks, Untrained()], **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("make", "given", "best"), [(Net, None, max), (Mistakes, "min", min)])
def test_an_accuracy_is_to_be_high_unless_the_user_says_otherwise(make, given, best, tmp_path):
    rates = (1e-7, 2e-2)  # the lowest learns nothing
    callback = AutoLR(strategy=RACE, monitor="val_acc", mode=given, rates=rates)
    fit(tmp_path, make, [callback])
    result = callback.result
    values = {scored.candidate.peak: result.monitor.value(scored.score) for scored in result.scores}
    assert result.monitor.mode == (given or "max")
    assert len(set(values.values())) > 1
    assert values[result.peak] == best(values.values())


@pytest.mark.filterwarnings("ignore")
def test_a_name_that_does_not_say_it_needs_the_mode(tmp_path):
    for callback in (
        AutoLR(monitor="val_score"),
        PruneTrial(Unpruned(), (5,), monitor="val_score"),
    ):
        assert refused(tmp_path, callback) == (
            "mode must be 'min' or 'max': the name 'val_score' does not say which values are "
            "better, got None"
        )
    callback = AutoLR(strategy=RACE, monitor="val_score", mode="max")
    fit(tmp_path / "line", Several, [callback])
    assert callback.result.monitor.mode == "max"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make",
    [partial(AutoLR, RACE), lambda **given: PruneTrial(Unpruned(), (5,), **given)],
)
def test_a_monitor_that_is_nearly_logged_has_a_suggestion_in_any_mode(make, tmp_path):
    logged = "monitor must be a metric that validation logs: val_acc, val_loss, val_score, got"
    assert refused(tmp_path, make(monitor="val_lss")) == (
        f"{logged} 'val_lss'; did you mean 'val_loss'?"
    )
    assert refused(tmp_path, make(monitor="vl_acc")).endswith("; did you mean 'val_acc'?")
    assert refused(tmp_path, make(monitor="quality")) == f"{logged} 'quality'"


@pytest.mark.filterwarnings("ignore")
def test_without_validation_the_training_loss_is_low_whatever_the_monitor_is(tmp_path):
    for monitor in ("val_acc", "val_score"):
        callback = AutoLR(strategy=RACE, monitor=monitor)
        fit(tmp_path / monitor, callbacks=[callback], val=None)
        assert (callback.result.monitor.name, callback.result.monitor.mode) == (
            "training loss",
            "min",
        )
        (kept,) = (scored.score for scored in callback.result.scores if scored.kept)
        assert list(curve(tmp_path / monitor, "autolr/score").values()) == [kept]


# --- one callback sets the rate


def follow():
    return FollowCandidate(LR, constant())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "pair",
    [[AutoLR, follow], [follow, AutoLR]],
    ids=["search first", "known first"],
)
def test_two_callbacks_that_set_the_rate_are_refused(pair, tmp_path):
    callbacks = [make() for make in pair]
    names = " and ".join(type(callback).__name__ for callback in callbacks)
    assert refused(tmp_path, *callbacks) == (
        f"{names} both set the rate of every step: leave one of them out"
    )


@pytest.mark.parametrize("make", [AutoLR, follow])
def test_two_of_one_kind_are_refused_by_the_trainer_since_each_has_a_state(make):
    with pytest.raises(RuntimeError, match="more than one stateful callback"):
        pl.Trainer(callbacks=[make(), make()], logger=False)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [lambda: AutoLR(RACE), follow])
def test_a_rule_beside_one_is_supported(make, tmp_path):
    fit(tmp_path, callbacks=[ApplyRule("fixed"), make()])


# --- where the result goes


@pytest.mark.filterwarnings("ignore")
def test_a_folder_that_cannot_be_one_is_refused_before_the_first_step(tmp_path):
    (file := tmp_path / "file").write_text("")
    (tmp_path / "taken" / "result.json").mkdir(parents=True)
    for path, why in {
        file: f"a folder that can be made ({file} is a file)",
        file / "below": f"a folder that can be made ({file} is a file)",
        tmp_path / "taken": f"a folder to write to ({tmp_path}/taken/result.json is no file)",
        tmp_path / ("x" * 300): "the path of a folder",
        "a\0b": "the path of a folder",
        "\ud800": "the path of a folder",
        "": "a folder",
        3: "a folder",
    }.items():
        message = refused(tmp_path, AutoLR(save_to=path))
        assert message.startswith(f"save_to must be {why}")
    assert sorted(p.name for p in tmp_path.iterdir() if p.name not in ("log", "kept")) == [
        "file",
        "taken",
    ]
