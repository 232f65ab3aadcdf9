"""Workloads that start hard: what makes each of them so."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from dataclasses import replace

import pytest
import torch
from lightning.pytorch import Trainer

from examples.time_to_target.hard_oracle import DEFAULT, profiles_of, trained
from examples.time_to_target.lightning_task import LightningTask, loaders
from examples.time_to_target.workloads import HARD_STARTS, make


def rates_of(name: str) -> list[float]:
    """Return the rates that the user's own scheduler sets."""
    task = make(name)
    assert task.default.scheduler is not None
    optimizer = task.make_optimizer(task.default.rate)
    scheduler = task.default.scheduler(optimizer, task.steps)
    rates = []
    for _ in range(task.steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_there_are_ten():
    assert len(HARD_STARTS) == 10


@pytest.mark.parametrize(
    ("name", "share", "peak"), [("char_transformer", 0.3, 1e-3), ("onecycle", 0.3, 0.1)]
)
def test_an_own_scheduler_has_its_peak_late_and_ends_low(name, share, peak):
    rates = rates_of(name)
    assert max(rates) == pytest.approx(peak)
    assert rates.index(max(rates)) == pytest.approx(share * len(rates), abs=2)
    assert rates[-1] < 0.01 * peak


def test_the_divergence_of_a_vae_counts_fully_from_half_of_the_run_on():
    task = make("vae_kl")
    batch = task.batch(0)
    bound = task.loss(task.model, batch)
    early, late = (task.training_loss(batch, step) for step in (0, task.steps // 2))
    assert early < bound
    assert torch.equal(late, bound)
    assert torch.equal(task.monitored(batch, 0), early)  # what the user logs moves as well


def test_a_teacher_moves_in_training_and_not_in_validation():
    task = make("byol_digits")
    with torch.no_grad():
        for parameter in task.model.student.parameters():
            parameter.add_(1.0)
    before = [p.clone() for p in task.model.teacher.parameters()]
    task.validate(task.model)
    assert all(map(torch.equal, before, task.model.teacher.parameters()))
    task.training_loss(task.batch(0), 0)
    moved = [
        float((a - b).mean()) for a, b in zip(task.model.teacher.parameters(), before, strict=True)
    ]
    assert moved == pytest.approx([0.01] * len(moved), rel=1e-3)


def test_only_adapters_and_the_head_of_lora_are_trained():
    task = make("lora_digits")
    trainable = {name for name, p in task.model.named_parameters() if p.requires_grad}
    assert all(".down." in name or ".up." in name or name.startswith("head") for name in trainable)
    assert (
        sum(p.numel() for p in task.parameters())
        < sum(p.numel() for p in task.model.parameters()) / 4
    )


def test_most_of_the_loss_of_constant_part_is_noise_and_is_not_judged():
    task = make("constant_part")
    task.model.eval()
    batch = next(iter(task.validation))
    assert task.monitored(batch, 0).item() > 130
    assert task.validate(task.model) < 4


@pytest.mark.parametrize("name", ["vae_kl", "char_transformer", "byol_digits", "lora_digits"])
def test_a_trainer_takes_the_steps_of_a_users_run(name):
    steps = 4 if name == "char_transformer" else 12
    plain, wrapped = (replace(make(name), steps=steps) for _ in range(2))
    trained(plain, plain.default.rate, DEFAULT)
    module = LightningTask(wrapped, wrapped.default.rate)
    trainer = Trainer(
        max_steps=steps,
        gradient_clip_val=wrapped.clip,
        num_sanity_val_steps=0,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(module, *loaders(wrapped))
    ours, theirs = plain.model.state_dict(), wrapped.model.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert plain.validate(plain.model) == wrapped.validate(wrapped.model)


def test_the_grid_has_an_own_scheduler_where_there_is_one():
    assert profiles_of(make("onecycle")) == ("own", "linear")
    assert profiles_of(make("parity")) == ("warmup_linear", "cosine")
