"""What compiled code of a run is bound to, and what is left uncompiled."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
from torch import nn

import autolr
from autolr.online import Annealed
from autolr.runtime.compiled import as_written, holds_tensors, written_name
from autolr.runtime.naming import Names
from tests.cases import with_slow
from tests.runtime.scripted import data, learner


def wrapped(**settings):
    return nn.Sequential(torch.compile(nn.Linear(2, 2), **settings))


def in_place(**settings):
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].compile(**settings)
    return model


def function(**settings):
    model = nn.Linear(2, 2)
    model.loss = torch.compile(nn.functional.mse_loss, **settings)
    return model


def method(**settings):
    class Net(nn.Linear):
        @torch.compile(**settings)
        def forward(self, inputs):
            return super().forward(inputs)

    return Net(2, 2)


WAYS = [wrapped, in_place, function, method]
BOUND = {
    "reduce-overhead": {"mode": "reduce-overhead"},
    "max-autotune": {"mode": "max-autotune"},
    "an option": {"options": {"triton.cudagraphs": True}},
}
FREE = {
    "default": {},
    "eager": {"backend": "eager"},
    "aot_eager": {"backend": "aot_eager"},
    "max-autotune-no-cudagraphs": {"mode": "max-autotune-no-cudagraphs"},
    "an option": {"options": {"triton.cudagraphs": False}},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("settings", BOUND.values(), ids=BOUND)
def test_a_mode_with_cuda_graphs_is_bound_to_tensors(way, settings):
    assert holds_tensors(way(**settings))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("settings", FREE.values(), ids=FREE)
def test_any_other_compiled_code_takes_the_tensors_that_it_gets(way, settings):
    assert not holds_tensors(way(**settings))


def test_inductor_may_be_set_to_record_cuda_graphs_of_everything():
    from torch._inductor import config

    with config.patch("triton.cudagraphs", True):
        assert holds_tensors(nn.Linear(2, 2))
    assert not holds_tensors(nn.Linear(2, 2))


def test_a_graphed_forward_is_bound_to_tensors():
    model = nn.Linear(2, 2)
    model.forward = lambda inputs: inputs
    model.forward.__qualname__ = f"{torch.cuda.make_graphed_callables.__qualname__}.<locals>.new"
    assert holds_tensors(model)


def test_a_step_that_is_compiled_or_to_be_captured_is_bound_to_the_state_of_its_optimizer():
    model = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    assert not holds_tensors(model, optimizer)
    optimizer.step = torch.compile(optimizer.step, backend="eager")
    assert holds_tensors(model, optimizer)
    assert not holds_tensors(model)
    model.move = optimizer.step  # for an `optimizer_step` of the module's own
    assert holds_tensors(model)
    model = nn.Linear(2, 2)
    assert holds_tensors(model, torch.optim.AdamW(model.parameters(), capturable=True))


def test_code_is_run_as_it_is_written_and_nothing_is_compiled_for_it():
    traced = []

    def backend(graph, inputs):
        traced.append(graph)
        return graph.forward

    double = torch.compile(lambda inputs: inputs * 2, backend=backend)
    with as_written():
        assert double(torch.ones(2)).tolist() == [2.0, 2.0]
    assert traced == []
    double(torch.ones(2))
    assert len(traced) == 1


def test_what_is_stored_of_a_compiled_module_has_the_names_of_the_module_as_written():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    values = {parameter: 1 for parameter in model.parameters()}
    slots = {(model[1], "running_mean"): 2}
    plain = Names(model, optimizer)
    compiled = torch.compile(nn.Sequential(torch.compile(model[0]), torch.compile(model[1])))
    names = Names(compiled, optimizer)
    assert names.by_name(values) == plain.by_name(values)
    assert names.by_slot_name(slots) == plain.by_slot_name(slots)
    assert names.by_slot(plain.by_slot_name(slots)) == slots
    assert written_name("_orig_mod.net._orig_mod.0.weight") == "net.0.weight"


def compiled_step(model, optimizer):
    optimizer.step = torch.compile(optimizer.step, backend="eager")
    return model


COMPILED = {
    "the model": lambda model, optimizer: torch.compile(model, backend="eager"),
    "in place": lambda model, optimizer: model.compile(backend="eager") or model,
    "the step": compiled_step,
}


@pytest.mark.parametrize("compiled", with_slow(COMPILED, "the model", "in place"))
def test_a_compiled_model_is_searched_as_the_plain_one_bit_for_bit(compiled):
    torch._dynamo.reset()
    plain, run = learner(), learner()
    run.model = compiled(run.model, run.optimizer)
    results = []
    for one in (plain, run):
        torch.manual_seed(1)
        results.append(autolr.search(one, 60, strategy=Annealed(candidates=3, budget=3.0)))
    left, expected = (one.model.state_dict().values() for one in (run, plain))
    assert results[0] == results[1]
    assert all(map(torch.equal, left, expected))


def test_the_loss_of_a_step_is_a_copy_of_what_a_replay_may_overwrite():
    returned = []

    def loss(model, batch):
        returned.append(torch.nn.functional.cross_entropy(model(batch[0]), batch[1]))
        return returned[-1]

    run = autolr.TorchLearner(nn.Linear(4, 4), None, data(1, seed=1), loss)
    run.optimizer = torch.optim.SGD(run.model.parameters(), lr=0.1)
    run.next_batch()
    measured = run.train()
    returned[-1].detach().fill_(float("nan"))
    assert measured.isfinite()
