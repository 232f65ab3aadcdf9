"""What trains may change in the middle of a run."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch

from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate
from autolr.errors import UnsupportedError
from autolr.online import Annealed
from tests.callbacks.changing import AT, KINDS, Frozen, Lazy, Part, backbone, fit
from tests.callbacks.namespace import Callback
from tests.callbacks.runs import differences
from tests.cases import with_slow

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(
    params=with_slow(
        [*KINDS],
        "BackboneFinetuning",
        "ModelPruning",
        "Growing",
        "LateBuffers",
    )
)
def kind(request):
    make, callback = KINDS[request.param]
    return make, lambda: [] if callback is None else [callback()]


def left(module, trainer):
    (optimizer,) = trainer.optimizers
    parameters = list(module.parameters())
    return {
        "weights": module.state_dict(),
        "optimizer": [optimizer.state.get(parameter) for parameter in parameters],
        "rates": [group["lr"] for group in optimizer.param_groups],
        "trained": [parameter.requires_grad for parameter in parameters],
    }


def test_with_one_candidate_the_run_is_bit_for_bit_that_without(kind):
    make, callbacks = kind
    plain = left(*fit(make, callbacks()))
    ours = AutoLR(rates=(2.0**-6, 2.0**-6), schedule="constant")
    assert differences(plain, left(*fit(make, [ours, *callbacks()]))) == []


@pytest.mark.parametrize(
    "name",
    with_slow(["BackboneFinetuning", "Growing", "Frozen", "NewHead"], "BackboneFinetuning"),
)
def test_rules_go_on_racing(name):
    make, callback = KINDS[name]
    space = {"rule": ["fixed", "dog"]}
    ours = AutoLR(Annealed(race=0.35, budget=2.0), candidates=space)
    _, trainer = fit(make, [ours, *([] if callback is None else [callback()])])
    assert {scored.candidate.rule for scored in ours.result.scores} == {"fixed", "dog"}
    assert all(record.ended == () for record in ours.result.copies)
    rates = [group["lr"] for group in trainer.optimizers[0].param_groups]
    assert len(rates) == 1 + (name in ("BackboneFinetuning", "Growing"))


@pytest.mark.slow
@pytest.mark.parametrize("race", [0.15, 0.35], ids=["behind the race", "in the race"])
def test_a_search_runs_to_its_end(kind, race):
    make, callbacks = kind
    ours = AutoLR(Annealed(race=race, budget=1.0 + race))
    module, trainer = fit(make, [ours, *callbacks()])
    assert trainer.global_step == 80
    assert ours.result.compared
    assert all(torch.isfinite(p).all() for p in module.parameters())


class Applied(Callback):
    """The rates of the groups in each step."""

    def __init__(self):
        self.rates = []

    def on_train_start(self, trainer, pl_module):
        (optimizer,) = trainer.optimizers
        optimizer.register_step_pre_hook(
            lambda *_: self.rates.append([float(g["lr"]) for g in optimizer.param_groups])
        )


def test_a_group_that_joins_follows_the_schedule_at_its_share_of_the_rate():
    schedule = schedules.cosine()
    applied = Applied()
    fit(Part, [FollowCandidate(0.5, schedule), backbone(), applied], max_epochs=5)
    multipliers = schedule.values(50)
    assert [rates[0] for rates in applied.rates] == pytest.approx(list(0.5 * multipliers))
    shares = [rates[1] / rates[0] for rates in applied.rates[10 * AT :]]
    assert shares == pytest.approx([0.25] * 10 + [0.5] * 10 + [1.0] * 10)


class Watched(Callback):
    """Weights, statistics and modes of the backbone at the end of each epoch."""

    def __init__(self):
        self.seen = []

    def on_train_epoch_end(self, trainer, pl_module):
        values = {n: v.clone() for n, v in pl_module.backbone.state_dict().items()}
        self.seen.append((values, {part.training for part in pl_module.backbone.modules()}))


class Evaluated(Frozen):
    """The frozen backbone is kept in evaluation mode."""

    def on_train_start(self):
        self.backbone.eval()

    def change(self):
        self.backbone.requires_grad_(True).train()


@pytest.mark.parametrize("race", [0.15, 0.35], ids=["behind the race", "in the race"])
def test_a_frozen_part_in_evaluation_mode_stays_as_it_is_until_it_is_trained(race):
    watched = Watched()
    fit(Evaluated, [AutoLR(Annealed(race=race, budget=1.5)), watched])
    (first, modes), (second, _), *later = watched.seen
    assert modes == {False}
    assert differences(first, second) == []
    assert first["1.running_mean"].abs().max() == 0
    for values, modes in later:
        assert modes == {True}
        assert all(not torch.equal(values[name], first[name]) for name in values)


def test_the_backbone_is_trained_after_its_unfreezing_and_not_before():
    watched = Watched()
    fit(Part, [AutoLR(Annealed(race=0.35, budget=1.5)), backbone(), watched])
    first, second, third, *_ = [values["0.weight"] for values, _ in watched.seen]
    assert torch.equal(first, second)
    assert not torch.equal(second, third)


def test_a_rollback_never_leads_to_a_state_from_before_an_unfreezing():
    class Worse(Part):
        """From a step on training climbs its loss, the faster the higher the rate."""

        def training_step(self, batch, batch_idx):
            return super().training_step(batch, batch_idx) * (-1 if self.global_step >= 32 else 1)

    ours = AutoLR(Annealed(race=0.15, budget=1.5))
    fit(Worse, [ours, backbone(5)])
    assert ours.result.rollbacks
    later = [rolled.to for rolled in ours.result.rollbacks if rolled.step > 50]
    assert min(later, default=50) >= 50
    assert any(record.step == 50 and record.renewed for record in ours.result.copies)


def test_lazy_weights_that_nothing_has_made_are_refused_before_they_are_made():
    with pytest.raises(UnsupportedError) as raised:
        fit(Lazy, [AutoLR()], num_sanity_val_steps=0)
    assert str(raised.value) == (
        "AutoLR needs the weights of lazy modules before the first step, and backbone.0.weight has "
        "none: keep the Trainer's num_sanity_val_steps, or pass a batch through the model first"
    )
