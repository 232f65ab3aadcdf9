"""A run whose peak was searched for ends as a plain run at that peak, bit for bit."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
from torch.utils.data import DataLoader

import autolr
from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate
from tests.callbacks.namespace import Callback
from tests.callbacks.replayed import CHECKED, LIVE_FIRST, RATES, SETUPS, searcher
from tests.callbacks.runs import (
    TRAIN,
    TRAINED,
    Net,
    Stream,
    differences,
    fit,
    train_loader,
    trained,
)
from tests.cases import only_with_slow


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("make", "settings"), SETUPS.values(), ids=SETUPS)
def test_the_run_ends_as_one_at_the_chosen_peak_from_its_first_step(make, settings, tmp_path):
    callback = searcher()
    searched = fit(tmp_path / "searched", make, [callback], **settings)
    result = callback.result
    assert result.peak not in (LIVE_FIRST, RATES[0])  # so a rival took the run's place
    again = FollowCandidate(result.peak, result.schedule)
    replayed = fit(tmp_path / "replayed", make, [again], **settings)
    assert differences(trained(searched.left), trained(replayed.left)) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("make", "settings"), SETUPS.values(), ids=SETUPS)
def test_a_run_whose_rate_changed_in_mid_run_is_replayed_from_its_result(make, settings, tmp_path):
    callback = searcher(strategy=CHECKED, rates=(2.0**-10, 2.0**12))  # begins with 2
    searched = fit(tmp_path / "searched", make, [callback], **settings)
    result = callback.result
    winners = {scored.candidate for scored in result.scores if scored.kept}
    assert len(winners) > 1  # so rivals born in mid-run took the run's place
    assert result.rollbacks == ()
    again = FollowCandidate(result.peak, result.schedule)
    replayed = fit(tmp_path / "replayed", make, [again], **settings)
    assert differences(trained(searched.left), trained(replayed.left)) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_an_iterable_dataset_with_workers_is_replayed_too(tmp_path):
    def settings():
        loader = DataLoader(Stream(TRAIN), 16, num_workers=1)
        return {"train": loader, "max_epochs": -1, "max_steps": 26}

    callback = searcher()
    searched = fit(tmp_path / "searched", callbacks=[callback], **settings())
    assert callback.result.peak != LIVE_FIRST
    again = FollowCandidate(callback.result.peak, callback.result.schedule)
    replayed = fit(tmp_path / "replayed", callbacks=[again], **settings())
    assert differences(trained(searched.left), trained(replayed.left)) == []


class LambdaSteps(Callback):
    """Steps a scheduler of torch, as a user without autolr would."""

    def __init__(self, result):
        self.result = result

    def on_train_start(self, trainer, pl_module):
        (optimizer,) = trainer.optimizers
        timed = self.result.schedule.timed(self.result.total_steps)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, timed)

    def on_train_batch_end(self, *_):
        self.scheduler.step()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "schedule",
    [
        *only_with_slow(None, "cosine"),
        schedules.warmup(0.1) | schedules.rex(),
    ],
)
def test_plain_torch_replays_the_result_with_its_lambda_lr(schedule, tmp_path):
    callback = searcher(schedule=schedule, save_to=tmp_path / "result")
    searched = fit(tmp_path / "searched", callbacks=[callback])
    result = autolr.load_result(tmp_path / "result")
    assert result == callback.result
    assert result.peak != LIVE_FIRST
    replayed = fit(tmp_path / "plain", lambda: Net(result.peak), [LambdaSteps(result)])
    # the optimizer's own rate is a power of two, so that peak / own * own is exact
    kept = "weights and buffers"
    assert differences(searched.left[kept], replayed.left[kept]) == []
    states = [run.left["optimizer"]["state"] for run in (searched, replayed)]
    assert differences(*states) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_with_any_own_rate_lambda_lr_replays_up_to_rounding(tmp_path):
    callback = searcher()
    searched = fit(tmp_path / "searched", lambda: Net(0.0123), [callback])
    result = callback.result
    replayed = fit(tmp_path / "plain", lambda: Net(result.peak), [LambdaSteps(result)])
    for name, ours in searched.module.state_dict().items():
        # rates differ by 1e-16 of themselves, float32 weights by 1e-7 a step, 28 steps
        assert torch.allclose(ours, replayed.module.state_dict()[name], rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_the_candidate_that_stays_in_place_is_never_disturbed(tmp_path):
    callback = searcher(rates=(2.0**-19, 2.0**5))  # begins with 2**-7, the best of the three
    searched = fit(tmp_path / "searched", callbacks=[callback])
    result = callback.result
    assert result.peak == 2.0**-7
    again = FollowCandidate(result.peak, result.schedule)
    replayed = fit(tmp_path / "replayed", callbacks=[again])
    assert differences(searched.left, replayed.left) == []  # logged metrics and all


@pytest.mark.filterwarnings("ignore")
def test_probe_steps_are_the_steps_that_the_optimizer_made_beside_the_run(tmp_path):
    class Counts(Net):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            made.append(0)

            def count(*_):
                made[0] += 1

            optimizer.register_step_post_hook(count)
            return optimizer

    for steps in (20, 60):
        made = []
        callback = AutoLR(rates=RATES)
        fit(tmp_path / str(steps), Counts, [callback], max_epochs=-1, max_steps=steps)
        assert made == [steps + callback.result.probe_steps]
        assert callback.result.probe_steps <= 0.25 * steps


def test_all_that_is_compared_is_there(tmp_path):
    left = fit(tmp_path, max_epochs=1).left
    assert all(left[name] for name in TRAINED)
    assert train_loader().dataset is TRAIN
