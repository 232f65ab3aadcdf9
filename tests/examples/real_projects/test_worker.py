"""What a run leaves in its record, with a stand-in for a project."""

import functools
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from examples.real_projects import worker
from examples.real_projects.records import AGAIN, AUTOLR, LR_FIND, ONE, OWN, load
from tests.examples.real_projects import standin

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def script(kind: type[standin.Line]) -> Any:
    names = ("METRIC", "SEARCH", "SCHEDULED", "RATE", "STEPS")
    common = {name: getattr(standin, name) for name in names}
    return SimpleNamespace(fit=functools.partial(standin.fit, kind=kind), **common)


def test_one_candidate_ends_with_the_weights_of_the_plain_run(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    jobs = [f"{method}:3" for method in (OWN, ONE, AUTOLR, LR_FIND)]
    file = tmp_path / "line.jsonl"
    worker.main(["line", standin.__name__, str(file), *jobs])
    runs = {record.method: record for record in load(tmp_path)}
    assert list(runs) == [OWN, ONE, AUTOLR, LR_FIND]
    assert {run.outcome for run in runs.values()} == {"trained"}
    assert runs[ONE].digest == runs[OWN].digest
    assert runs[ONE].peak == standin.RATE
    assert runs[AUTOLR].digest != runs[OWN].digest
    assert (runs[AUTOLR].price or 0) >= 1
    assert runs[LR_FIND].peak != standin.RATE


class Restless(standin.Line):
    """No two runs are alike."""

    runs = 0

    def on_train_start(self) -> None:
        type(self).runs += 1

    def training_step(self, batch: Any) -> torch.Tensor:
        return (1 + 0.1 * self.runs) * super().training_step(batch)


def test_where_one_candidate_differs_the_plain_run_is_made_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(standin, "fit", functools.partial(standin.fit, kind=Restless))
    worker.main(["line", standin.__name__, str(tmp_path / "l.jsonl"), f"{OWN}:0", f"{ONE}:0"])
    assert [record.method for record in load(tmp_path)] == [OWN, ONE, AGAIN]


class Iterating(standin.Line):
    """Draws its batches itself."""

    def training_step(self, dataloader_iter: Any) -> torch.Tensor:
        return super().training_step(next(dataloader_iter)[0])

    def validation_step(self, batch: Any) -> None:
        self.log("val_loss", super().training_step(batch))


class Broken(standin.Line):
    """Cannot be trained."""

    def training_step(self, batch: Any) -> torch.Tensor:
        raise KeyError("no such column")


@pytest.mark.parametrize(
    ("kind", "method", "outcome", "words"),
    [
        (Iterating, AUTOLR, "refused", "does not support training_step(dataloader_iter)"),
        (Broken, OWN, "failed", "KeyError: 'no "),
    ],
)
def test_what_ends_a_run_is_kept_in_its_words(kind, method, outcome, words) -> None:
    record = worker.measure("line", script(kind), method, 0)
    assert record.outcome == outcome
    assert words in record.words
    assert record.score is None
