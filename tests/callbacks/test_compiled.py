"""Searches beside compiled modules: the plain search, bit for bit, and nothing compiled a rival."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._dynamo.utils import counters
from torch._inductor import config
from torch.utils.data import DataLoader

from autolr import AutoLR
from autolr.online import Annealed, Check
from tests.callbacks.namespace import ModelCheckpoint, pl
from tests.callbacks.runs import LR, RACE, VAL, differences, fit, train_loader, trained
from tests.cases import with_slow

pytestmark = pytest.mark.filterwarnings("ignore")

CHECKED = Annealed(candidates=3, checks=(Check(0.6, 0.75),), budget=3.0)


class Net(pl.LightningModule):
    """A perceptron with batch norm and dropout; the ways to compile it override parts."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(8, 4))

    log = torch._dynamo.disable(pl.LightningModule.log)  # Lightning's takes seconds to trace

    def forward(self, images):
        return self.head(self.body(images))

    def training_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=LR)


def whole(**settings):
    return torch.compile(Net(), **settings)


def parts(**settings):
    module = Net()
    module.body, module.head = (torch.compile(p, **settings) for p in (module.body, module.head))
    return module


def in_place(**settings):
    module = Net()
    module.compile(**settings)
    return module


def function(**settings):
    module = Net()
    compiled = torch.compile(module.forward, **settings)
    module.training_step = lambda batch, batch_idx: F.cross_entropy(compiled(batch[0]), batch[1])
    return module


def step(**settings):
    module = Net()
    configure = module.configure_optimizers

    def configure_optimizers():
        optimizer = configure()
        optimizer.param_groups[0]["lr"] = torch.tensor(LR)  # a number would be compiled in
        optimizer.step = torch.compile(optimizer.step, **settings)
        return optimizer

    module.configure_optimizers = configure_optimizers
    return module


def searched(folder, make, strategy=RACE, **settings):
    """Return a fit, the result of its search, and how many graphs were compiled in it."""
    torch._dynamo.reset()
    counters.clear()
    callback = AutoLR(strategy, **settings.pop("autolr", {}))
    data = {"train": train_loader(drop_last=True), "val": DataLoader(VAL, 20)}
    given = {**data, "max_epochs": 5, "num_sanity_val_steps": 0, **settings}  # all is compiled late
    run = fit(folder, make, [callback], **given)
    return run, callback.result, counters["stats"]["unique_graphs"]


def alone(folder, make):
    """Return a fit without AutoLR."""
    torch._dynamo.reset()
    counters.clear()
    data = {"train": train_loader(drop_last=True), "val": DataLoader(VAL, 20)}
    return fit(folder, make, **data, max_epochs=5, num_sanity_val_steps=0)


def as_plain(run):
    """Return what training left, under the names of the module as it is written."""
    left = trained(run.left)
    weights = left["weights and buffers"].items()
    left["weights and buffers"] = {name.replace("_orig_mod.", ""): w for name, w in weights}
    return left


def unbroken(**settings):
    return parts(fullgraph=True, **settings)  # a break of the graph, in batch norm say, is an error


WAYS = {"the module": whole, "its parts": unbroken, "in place": in_place, "a function": function}


@pytest.mark.parametrize("make", with_slow(WAYS, "in place"))
def test_a_compiled_run_is_searched_as_the_plain_one_and_compiles_nothing_for_a_rival(
    make, tmp_path
):
    one = {"autolr": {"rates": (LR, LR)}}
    *_, graphs = searched(tmp_path / "one", lambda: make(backend="eager"), **one)
    run, result, with_rivals = searched(tmp_path / "a", lambda: make(backend="eager"), CHECKED)
    plain, expected, none = searched(tmp_path / "b", Net, CHECKED)
    assert result == expected
    assert result.peak != LR
    assert differences(as_plain(run), as_plain(plain)) == []
    logs_in_it = make is whole  # rivals log nothing: their step is compiled once, for all
    assert (none, with_rivals) == (0, graphs + logs_in_it)
    assert graphs > 0


def recorded(**settings):
    """Return a module that validates as a CUDA graph does: on the memory that it saw at first."""
    module = Net()
    module.function = torch.compile(torch.relu, **settings)  # never called
    record = {}

    def validation_step(batch, batch_idx):
        named = [*module.named_parameters(), *module.named_buffers()]
        record.update({} if record else {name: tensor.detach() for name, tensor in named})
        logits = torch.func.functional_call(module, record, (batch[0],))
        module.log("val_loss", F.cross_entropy(logits, batch[1]))

    module.validation_step = validation_step
    return module


@pytest.mark.slow
def test_code_that_reads_the_memory_that_it_has_recorded_scores_every_rival_as_it_is(tmp_path):
    run, result, _ = searched(tmp_path / "a", lambda: recorded(mode="reduce-overhead"), CHECKED)
    plain, expected, _ = searched(tmp_path / "b", Net, CHECKED)
    assert result == expected
    assert differences(trained(run.left), trained(plain.left)) == []


def test_what_a_replay_for_a_rival_overwrites_is_copied_for_other_callbacks(tmp_path):
    returned, seen = [], []

    def module():
        made = Net()

        def training_step(batch, batch_idx):
            if returned:
                returned.pop().fill_(float("nan"))  # as the replay of a CUDA graph does
            logits = made(batch[0])
            returned.append(logits.detach())
            return {"loss": F.cross_entropy(logits, batch[1]), "logits": returned[-1]}

        made.training_step = training_step
        return made

    class Reads(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            seen.append(bool(outputs["logits"].isfinite().all()))

    callback = AutoLR(RACE)
    with config.patch("triton.cudagraphs", True):
        fit(tmp_path, module, [callback, Reads()], max_epochs=5, val=DataLoader(VAL, 20))
    assert callback.result.probe_steps > 0
    assert all(seen)


@pytest.mark.parametrize("make", with_slow({"its parts": parts, "in place": in_place}, "in place"))
def test_with_one_candidate_a_compiled_run_is_as_without_autolr(make, tmp_path):
    one = {"autolr": {"rates": (LR, LR), "schedule": "constant"}}
    run, *_ = searched(tmp_path / "one", lambda: make(backend="eager"), **one)
    plain = alone(tmp_path / "plain", lambda: make(backend="eager"))
    assert differences(run.left, plain.left) == []


def test_a_race_without_validation_compiles_one_graph_to_score_by_the_training_loss(tmp_path):
    make = lambda: function(backend="eager")  # noqa: E731
    *_, graphs = searched(tmp_path, make, val=None)
    assert graphs == 2  # with gradients, and without


RESUMED = {"compiled": in_place, "as it is written": Net}


@pytest.mark.parametrize("resumed", with_slow(RESUMED, "as it is written"))
def test_a_search_of_a_compiled_module_is_resumed_bit_for_bit(resumed, tmp_path):
    def run(name, make, path=None):
        torch._dynamo.reset()
        callback = AutoLR(RACE)
        kept = ModelCheckpoint(tmp_path / name / "each", "{epoch}", save_top_k=-1)
        data = {"train": train_loader(drop_last=True), "val": DataLoader(VAL, 20)}
        settings = {**data, "max_epochs": 5, "ckpt_path": path}
        left = fit(tmp_path / name, make, [callback, kept], **settings).left
        return left, callback.result

    first = lambda: in_place(backend="eager")  # noqa: E731
    again = Net if resumed is Net else first
    left, result = run("uncut", first)
    after, same = run("resumed", again, tmp_path / "uncut" / "each" / "epoch=1.ckpt")
    assert result == same
    names = ("weights and buffers", "optimizer", "global_step", "generators")
    assert differences({n: left[n] for n in names}, {n: after[n] for n in names}) == []


# --- with inductor, in two processes, with a compiled step


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_inductor_decides_as_the_plain_run_and_cuda_graphs_keep_every_address(mode, tmp_path):
    seen = set()

    class Watched(pl.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            seen.add(tuple(t.data_ptr() for t in [*pl_module.parameters(), *pl_module.buffers()]))

    callback = AutoLR(CHECKED)
    settings = {"train": train_loader(drop_last=True), "val": DataLoader(VAL, 20), "max_epochs": 5}
    torch._dynamo.reset()
    fit(tmp_path / "a", lambda: parts(mode=mode), [callback, Watched()], **settings)
    _, expected, _ = searched(tmp_path / "b", Net, CHECKED)
    assert callback.result.peak == expected.peak
    assert callback.result.rollbacks == expected.rollbacks
    assert (len(seen) == 1) == (mode == "reduce-overhead")  # else a rival's tensors took over


@pytest.mark.slow
@pytest.mark.parametrize("make", [parts, function], ids=["parts", "function"])
def test_by_value_a_search_is_as_by_reference_bit_for_bit(make, tmp_path):
    by_value, result, _ = searched(tmp_path / "a", lambda: make(mode="reduce-overhead"), CHECKED)
    by_reference, same, _ = searched(tmp_path / "b", make, CHECKED)
    assert result == same
    assert differences(trained(by_value.left), trained(by_reference.left)) == []


@pytest.mark.slow
def test_a_compiled_step_of_the_optimizer_is_compiled_no_further_for_rivals(tmp_path):
    one = {"autolr": {"rates": (LR, LR), "schedule": "constant"}}
    plain = alone(tmp_path / "plain", lambda: step(backend="aot_eager"))
    graphs = counters["stats"]["unique_graphs"]
    run, _, of_one = searched(tmp_path / "one", lambda: step(backend="aot_eager"), **one)
    assert differences(run.left, plain.left) == []
    _, result, of_rivals = searched(tmp_path / "race", lambda: step(backend="aot_eager"), CHECKED)
    _, expected, _ = searched(tmp_path / "b", Net, CHECKED)
    assert of_one == of_rivals == graphs
    assert result.peak == expected.peak
