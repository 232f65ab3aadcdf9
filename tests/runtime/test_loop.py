"""The search of a plain PyTorch run, on scikit-learn's handwritten digits."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import autolr
from autolr import schedules
from autolr.errors import ConfigError, DivergedError
from autolr.online import Annealed, Check, Thresholds
from autolr.runtime.evaluation import evaluating
from tests.cases import only_with_slow

STEPS = 80
WIDE = (2.0**-14, 4.0)  # a run begins with its own rate, 2**-6, their mean; the best is higher
NO_RETURNS = Thresholds(rollbacks=0)  # what is learned and lost cannot be replayed
RACE = Annealed(checks=(), budget=1.0)
WHOLE = Annealed(budget=1.0)
CHECKED = (Check(0.3, 0.5, factors=(0.5, 2.0), refines=True), Check(0.6, 0.7, factors=(0.25,)))


def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10)
    )


def counted(optimizer):
    """Count the optimizer's steps in its attribute ``made``."""
    optimizer.made = 0

    def count(*_):
        optimizer.made += 1

    optimizer.register_step_post_hook(count)
    return optimizer


def loss(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1])


@pytest.fixture
def begin(digits):
    """Return a function that makes model, optimizer and learner; data order is the global RNG's."""
    images, labels = digits
    batches = DataLoader(TensorDataset(images[:600], labels[:600]), 32, shuffle=True)

    def accuracy(model):
        return float((model(images[600:1000]).argmax(1) == labels[600:1000]).float().mean())

    def validate(model):
        torch.rand(3)  # a run without a search does not draw them
        return float(loss(model, (images[600:1000], labels[600:1000])))

    def make(lr=2**-6, momentum=0.9, score=validate, mode="min", **settings):
        model = net()
        optimizer = counted(torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum))
        score = {"accuracy": accuracy}.get(score, score)
        learner = autolr.TorchLearner(
            model, optimizer, batches, loss, validate=score, mode=mode, **settings
        )
        return model, optimizer, learner

    return make


def state(model, optimizer):
    kept = [optimizer.state[p]["momentum_buffer"] for p in model.parameters()]
    return [*model.state_dict().values(), *kept]


def replay(begin, result, clip=None):
    """Train as the documentation says: LambdaLR, and no autolr."""
    model, optimizer, learner = begin(lr=result.peak)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, result.schedule.timed(result.total_steps)
    )
    batches = iter(learner._batches)
    for _ in range(result.total_steps):
        try:
            batch = next(batches)
        except StopIteration:
            batches = iter(learner._batches)
            batch = next(batches)
        optimizer.zero_grad()
        loss(model, batch).backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        scheduler.step()
    return state(model, optimizer)


@pytest.mark.parametrize("clip", [None, 0.5])
def test_the_run_ends_as_a_plain_run_with_the_chosen_rate(begin, clip):
    model, optimizer, learner = begin(clip=clip)
    result = autolr.search(learner, STEPS, strategy=RACE, rates=WIDE)
    assert result.peak not in (2.0**-6, WIDE[0])  # it began with 2**-6
    # 2**-6 as the optimizer's own rate makes peak / own * own exact: no bit differs
    for ours, plain in zip(state(model, optimizer), replay(begin, result, clip), strict=True):
        assert torch.equal(ours, plain)


@pytest.mark.parametrize(
    ("rates", "raced", "peak"),
    [((2.0**-14, 2.0**-2), 2.0**-2, 2.0**-3), ((2.0**-6, 2.0**10), 2.0**-6, 2.0**-5)],
    ids=["halved", "doubled"],
)
@pytest.mark.parametrize("schedule", [None, schedules.cosine()])
def test_a_run_whose_rate_changed_in_mid_run_is_replayed_too(begin, rates, raced, peak, schedule):
    strategy = Annealed(candidates=2, checks=CHECKED, thresholds=NO_RETURNS, budget=1.0)
    settings = {"strategy": strategy, "schedule": schedule, "rates": rates}
    model, optimizer, learner = begin()
    result = autolr.search(learner, STEPS, **settings)
    assert [s.candidate.peak for s in result.scores if s.kept][:2] == [raced, peak]
    assert (result.peak, result.rollbacks) == (peak, ())
    for ours, plain in zip(state(model, optimizer), replay(begin, result), strict=True):
        assert torch.equal(ours, plain)


def test_the_same_run_to_the_bit_whether_it_is_only_watched_or_not(begin):
    watches = tuple(Check(share, share) for share in (0.5, 0.6, 0.7, 0.8, 0.9))
    states = []
    for checks in ((), watches):
        model, optimizer, learner = begin()
        strategy = Annealed(checks=checks, thresholds=NO_RETURNS, budget=1.0)
        result = autolr.search(learner, STEPS, strategy=strategy, rates=WIDE)
        assert len(result.scores) == 5 + len(checks)
        states.append([*state(model, optimizer), torch.get_rng_state()])
    assert all(map(torch.equal, *states))


def test_with_any_own_rate_the_replay_is_equal_up_to_rounding(begin):
    model, optimizer, learner = begin(lr=0.3)
    result = autolr.search(learner, STEPS, strategy=RACE, rates=WIDE)
    # rates differ in their last digit, 1e-16; weights are float32, 80 steps of training
    for ours, plain in zip(state(model, optimizer), replay(begin, result), strict=True):
        assert torch.allclose(ours, plain, rtol=1e-3, atol=1e-4)


def test_the_price_is_the_optimizers_steps_and_within_the_budget(begin):
    for steps in (1, 7, 40, 80, 120):
        _, optimizer, learner = begin()
        result = autolr.search(learner, steps, rates=WIDE)
        assert optimizer.made == steps + result.probe_steps
        assert result.probe_steps <= 0.25 * steps
        assert result.total_steps == steps


@pytest.mark.parametrize("own", [2.0**-6, 1e-3], ids=["the user's", "torch's default"])
def test_no_search_fits_into_a_run_of_ten_steps_which_keeps_its_own_peak(begin, own):
    _, _, learner = begin(lr=own)
    result = autolr.search(learner, 10)
    assert (result.peak, result.probe_steps, result.scores) == (own, 0, ())


def test_a_single_candidate_leaves_no_trace(begin):
    model, optimizer, learner = begin(lr=0.05)
    result = autolr.search(learner, STEPS, rates=(0.05, 0.05), schedule=autolr.schedules.constant())
    after = torch.rand(3)
    assert len(result.scores) == 1
    plain = replay(begin, result)
    assert torch.equal(after, torch.rand(3))
    for ours, theirs in zip(state(model, optimizer), plain, strict=True):
        assert torch.equal(ours, theirs)


def test_the_rate_of_the_optimizer_is_left_as_it_was(begin):
    _, optimizer, learner = begin(lr=0.3)
    autolr.search(learner, STEPS, rates=WIDE)
    assert optimizer.param_groups[0]["lr"] == 0.3
    assert not optimizer._optimizer_step_pre_hooks


def test_scores_are_those_of_the_kept_probes(begin):
    _, _, learner = begin()
    strategy = Annealed(checks=CHECKED, thresholds=NO_RETURNS, budget=1.0)
    result = autolr.search(learner, STEPS, strategy=strategy, rates=WIDE)
    kept = result.probes[result.probes.kept]
    assert kept.peak.iloc[-1] == result.peak
    assert list(kept.horizon) == sorted(set(result.probes.horizon))
    race = result.probes[result.probes.start == 0]
    tie = 1 + strategy.thresholds.tie
    assert kept.score.iloc[0] <= tie * race.score.min()


def test_higher_is_better_in_mode_max(begin):
    _, _, learner = begin(score="accuracy", mode="max")
    result = autolr.search(learner, STEPS, strategy=WHOLE, rates=WIDE)
    assert result.peak > 0.01
    assert result.probes.score.between(-1, 0).all()  # kept with the sign turned: lower is better
    assert result.probes.score.min() < -0.5


def test_without_validation_the_training_loss_is_compared(begin):
    _, _, learner = begin(score=None)
    result = autolr.search(learner, STEPS, strategy=WHOLE, rates=WIDE)
    assert result.validation_passes == 0
    assert result.peak > 0.01
    assert result.probes.score.between(0, 5).all()


def test_a_nan_score_never_wins(begin):
    def broken_for_large(model):
        largest = max(float(p.abs().max()) for p in model.parameters())
        return math.nan if largest > 2 else -largest

    _, _, learner = begin(score=broken_for_large)
    result = autolr.search(learner, STEPS, strategy=WHOLE, rates=(1e-3, 30.0))
    assert math.isinf(result.probes.score.max())
    assert result.peak < 30


def quadratic(lr=1.0):
    weights = nn.Linear(1, 1, bias=False)
    nn.init.constant_(weights.weight, 1.0)
    optimizer = torch.optim.SGD(weights.parameters(), lr=lr)

    def square(model, _):
        return model.weight.square().sum() / 2  # a rate above 2 diverges, 1 solves it

    return weights, autolr.TorchLearner(
        weights, optimizer, [0], square, validate=lambda m: float(square(m, 0))
    )


def test_a_diverging_run_is_replaced_by_a_finite_rival():
    weights, learner = quadratic()
    result = autolr.search(learner, 100, strategy=WHOLE, rates=(1e-2, 1e10))  # begins with 1e4
    assert result.peak < 2
    assert weights.weight.isfinite().all()


def test_when_every_rate_diverges_one_line_says_what_to_do():
    _, learner = quadratic()
    with pytest.raises(DivergedError, match=r"rates=\(low, high\)") as diverged:
        autolr.search(learner, 100, strategy=WHOLE, rates=(1e8, 1e12))
    assert "\n" not in str(diverged.value)
    assert not learner.optimizer._optimizer_step_pre_hooks


@pytest.mark.parametrize(
    "setting",
    [
        {"strategy": "none"},
        {"schedule": "none"},
        {"rates": (2.0, 1.0)},
        {"total_steps": 0},
    ],
    ids=str,
)
def test_a_setting_that_cannot_work_is_refused_before_the_first_step(begin, setting):
    model, optimizer, learner = begin()
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(ConfigError):
        autolr.search(learner, **{"total_steps": STEPS, **setting})
    assert optimizer.made == 0
    assert all(map(torch.equal, before, model.parameters()))
    assert not optimizer._optimizer_step_pre_hooks


def test_an_unknown_mode_and_missing_batches_are_refused(begin):
    with pytest.raises(ConfigError, match="mode must be 'min' or 'max'"):
        begin(mode="best")
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for batches in ([], iter([])):
        with pytest.raises(ConfigError, match="at least one batch"):
            autolr.search(autolr.TorchLearner(model, optimizer, batches, loss), 5)


def test_modes_of_modules_are_put_back_one_by_one():
    model = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2))
    model[1].eval()  # frozen statistics, as in fine-tuning
    with evaluating(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == [True, True, False]


def test_the_result_is_saved_and_replays_from_its_file(begin, tmp_path):
    model, optimizer, learner = begin()
    strategy = Annealed(checks=CHECKED, thresholds=NO_RETURNS, budget=1.0)
    settings = {"strategy": strategy, "rates": WIDE}
    result = autolr.search(learner, STEPS, **settings, save_to=tmp_path)
    loaded = autolr.load_result(tmp_path)
    assert loaded == result
    for ours, plain in zip(state(model, optimizer), replay(begin, loaded), strict=True):
        assert torch.equal(ours, plain)


def test_more_candidates_and_other_rounds_are_scored_as_set(begin):
    _, _, learner = begin()
    checks = (*CHECKED, Check(0.9, 0.9))
    every = Thresholds(rollbacks=0, settled=math.inf)  # a side that has lost is tried again
    strategy = Annealed(7, 0.3, checks, every, budget=5.0)
    result = autolr.search(learner, STEPS, strategy=strategy, rates=WIDE)
    race, check, later, watch = result.probes.groupby("horizon").size().items()
    assert (race, later, watch) == ((24, 7), (56, 2), (72, 1))
    assert check[0] == 40
    assert result.validation_passes == 1 + len(result.scores)  # and one of the untrained weights


# --- a score that is never finite


def test_a_run_whose_score_is_never_finite_keeps_its_rate_and_says_so(begin, tmp_path, caplog):
    for value, mode in ((math.nan, "min"), (math.inf, "max"), (math.inf, "min")):
        caplog.clear()
        _, optimizer, learner = begin(score=lambda _, value=value: value, mode=mode)
        strategy = Annealed(checks=CHECKED, budget=2.0)
        result = autolr.search(learner, STEPS, strategy=strategy, save_to=tmp_path)
        assert (result.peak, result.run_peak) == (None, 2**-6)
        assert result.probe_steps == 5 * 20 + 2 * 16  # the user's own rate is a sixth peak
        assert optimizer.made == STEPS + result.probe_steps
        (line,) = (r.message for r in caplog.records if r.levelname == "WARNING")
        assert line.startswith("AutoLR: nothing could be compared: score was not finite in any of")
        assert autolr.load_result(tmp_path) == result


def test_a_training_loss_that_is_never_finite_is_a_divergence(begin):
    for strategy in ("annealed", "autolrs"):
        model, optimizer, _ = begin()
        images = [torch.ones(4, 64)] * 3
        lost = autolr.TorchLearner(model, optimizer, images, lambda m, x: m(x).sum() * math.nan)
        with pytest.raises(DivergedError):
            autolr.search(lost, STEPS, strategy=strategy)


def test_autolrs_without_a_finite_probe_trains_at_the_users_rate(begin):
    model, optimizer, learner = begin()
    counts = iter(range(10**6))

    def lost_at_first(model, batch):  # every probe of the first stage: 10 of a step each
        return loss(model, batch) * (math.nan if next(counts) < 10 else 1.0)

    broken = autolr.TorchLearner(model, optimizer, learner._batches, lost_at_first)
    result = autolr.search(broken, STEPS, strategy="autolrs")
    assert (result.peak, result.run_peak, result.probe_steps) == (None, 2**-6, 10)
    assert set(result.schedule.values(STEPS)) == {1.0}


# --- a run that becomes worse, or breaks, in mid-run


def noisy(lr, steps=64, *, steeper=1.0):
    """Return a weight whose target is noise about 0: at a rate of 0.5 it settles, above 2 never.

    After three fifths of the steps the loss is steeper by a factor: what was 0.5 is as much higher.
    """
    weight, learner = quadratic(lr)
    noise = 0.1 * torch.randn(64, generator=torch.Generator().manual_seed(0))

    def away(model, batch):
        target, curvature = batch
        return curvature * (model.weight - target).square().sum() / 2

    def validate(model):
        return 1 + float(away(model, (0.0, 1.0)))  # differences below 2 % are noise

    batches = [(noise[n % 64], 1.0 if n < 0.6 * steps else steeper) for n in range(steps)]
    return weight, autolr.TorchLearner(weight, learner.optimizer, batches, away, validate=validate)


@pytest.mark.parametrize("steps", [100, 400, *only_with_slow(1600)])
def test_a_run_that_breaks_late_is_put_back_and_ends_well(steps):
    """A peak of 3/8 wins while the loss is a sixteenth as steep as it becomes."""
    watches = tuple(Check(n / 20, n / 20) for n in range(11, 20))
    own = 0.375
    settings = {"schedule": "constant", "rates": (own * 2.0**-16, own)}
    weights, learner = noisy(own, steps, steeper=16.0)
    strategy = Annealed(candidates=3, race=0.1, checks=watches, budget=3.0)
    result = autolr.search(learner, steps, strategy=strategy, **settings)
    assert result.peak == own
    first, most = result.rollbacks[0], strategy.thresholds.rollbacks
    assert first.to <= 0.6 * steps < first.step
    assert 1 <= len(result.rollbacks) <= most
    cuts = math.prod(rollback.factor for rollback in result.rollbacks)
    assert result.schedule.at(steps - 1, steps) == cuts <= 0.25  # 6 and 3 diverge, 1.5 does not
    assert abs(weights.weight.item()) < 1
    weights, learner = noisy(own, steps, steeper=16.0)
    unguarded = Annealed(candidates=3, race=0.1, checks=(), budget=3.0)
    autolr.search(learner, steps, strategy=unguarded, **settings)
    assert not abs(weights.weight.item()) < 1e6  # so it was the guard


def test_a_single_racer_that_is_checked_later_is_put_back_too():
    weights, learner = noisy(0.375, 400, steeper=16.0)
    watches = tuple(Check(n / 20, n / 20) for n in range(11, 20))
    strategy = Annealed(candidates=1, race=0.1, checks=watches, budget=3.0)
    settings = {"schedule": "constant", "rates": (2.0**-6, 2.0)}
    result = autolr.search(learner, 400, strategy=strategy, **settings)
    assert result.peak == 0.375
    assert result.rollbacks
    assert result.schedule.at(399, 400) <= 0.25
    kept = result.probes[result.probes.kept]
    assert kept.score[kept.start > 360].max() < 1.1  # as before
    assert abs(weights.weight.item()) < 1


def test_a_run_is_put_back_when_its_data_makes_it_worse(begin, digits):
    """From the middle on every label is wrong by one: all that is learned then does harm."""
    model, optimizer, learner = begin()
    images, labels = digits
    right = [(images[i : i + 32], labels[i : i + 32]) for i in range(0, 600, 32)]
    wrong = [(seen, (label + 1) % 10) for seen, label in right]
    learner._batches = [*right * 8, *wrong * 8]
    steps = len(learner._batches)
    checks = tuple(Check(n / 10, n / 10) for n in range(2, 10))
    strategy = Annealed(checks=checks, thresholds=Thresholds(band=0.2), budget=0.5)
    result = autolr.search(learner, steps, strategy=strategy, rates=WIDE)
    scores = result.probes[result.probes.kept].score
    first, most = result.rollbacks[0], strategy.thresholds.rollbacks
    assert first.to <= steps / 2 < first.step
    assert len(result.rollbacks) <= most
    assert scores.max() > 2 * scores.min()  # so much worse it had become
    optimizers = [optimizer.state[p]["momentum_buffer"] for p in model.parameters()]
    assert all(map(torch.isfinite, map(torch.sum, optimizers)))


def test_a_run_that_breaks_again_and_again_is_an_error_in_one_line():
    _, learner = noisy(0.5, 400, steeper=2.0**12)
    settings = {"schedule": "constant", "rates": (2.0**-13, 0.5)}
    checks = (Check(0.3, 0.3), Check(0.9, 0.9))
    strategy = Annealed(candidates=3, race=0.1, checks=checks, budget=3.0)
    with pytest.raises(DivergedError, match="after 4 rollbacks to an earlier state") as diverged:
        autolr.search(learner, 400, strategy=strategy, **settings)
    assert "\n" not in str(diverged.value)
    assert not learner.optimizer._optimizer_step_pre_hooks


@pytest.mark.parametrize("breaks", [300, *only_with_slow(320, 330), 336, 337, 500])
def test_a_loss_that_is_not_finite_once_at_any_step_is_survived(breaks):
    """Of the 32 steps before 337 every second is averaged; the look at step 336 leaves one."""
    _, learner = noisy(2.0**-4)
    learner._batches = [(torch.tensor(math.nan if n == breaks else 0.1), 1.0) for n in range(640)]
    checks = (Check(0.3, 0.3), Check(337 / 640, 337 / 640))
    strategy = Annealed(candidates=3, race=0.1, checks=checks, budget=3.0)
    settings = {"schedule": schedules.constant(), "rates": (2.0**-4, 2.0**-2)}
    result = autolr.search(learner, 640, strategy=strategy, **settings)
    assert result.scores[-1].horizon == 337
    if breaks < 337:  # the search has ended there: nothing watches it
        (rollback,) = result.rollbacks
        assert rollback.to < breaks < rollback.step <= breaks + 17
        assert learner.model.weight.isfinite().all()
    else:
        assert result.rollbacks == ()


class Streaming(nn.Sequential):
    """Keeps a generator, which cannot be copied."""

    stream: object = None


def test_a_run_that_cannot_be_copied_is_trained_at_its_own_rate(begin, caplog):
    model, optimizer, learner = begin(lr=2**-5)
    learner.model = Streaming(*model)
    learner.model.stream = (i for i in range(9))
    result = autolr.search(learner, STEPS)
    (line,) = (r.message for r in caplog.records if r.levelname == "WARNING")
    assert line == (
        "AutoLR: no copy can be made of stream (generator): no rivals are trained beside the run, "
        "it keeps a peak of 0.0312 and no schedule"
    )
    assert (result.peak, result.scores, optimizer.made) == (2**-5, (), STEPS)
