"""Studies of a tiny model: what is tried, what is counted, and what is written."""

import json
import os
import pty
import re
import statistics
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml


def trials(project: Any) -> Any:
    return pd.read_csv(project.folder / "autolr_runs/line/trials.csv", index_col="number")


def best(project: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(
        (project.folder / "autolr_runs/line/best.yaml").read_text()
    )
    return loaded


def candidate(project: Any) -> dict[str, Any]:
    """The arguments of the callback in best.yaml."""
    actual: dict[str, Any] = best(project)["trainer"]["callbacks"][-1]["init_args"]
    return actual


def last_logged(file: Path, metric: str = "val_loss") -> float:
    return float(pd.read_csv(file)[metric].dropna().iloc[-1])


def test_a_study_ends_with_its_trials_its_best_and_its_files(project: Any) -> None:
    finished = project.tune()
    assert finished.trained == [0, 1, 2, 3]
    assert finished.err == ""
    assert "study 'line' is complete: 4 of 4 trials finished" in finished.out
    table = trials(project)
    assert {"val_loss", "val_acc", "train_loss"} <= set(table.columns)
    assert table["bracket"].nunique() >= 2
    complete = table[table["state"] == "COMPLETE"]
    assert complete["value"].tolist() == complete["val_loss"].tolist()
    number = complete["value"].idxmin()
    assert f"best: trial {number}, lr=" in finished.out
    assert candidate(project)["peak"] == complete["peak"][number]
    schedule = json.loads((project.folder / "autolr_runs/line/schedule.json").read_text())
    assert schedule["total_steps"] == 48
    assert schedule["peak"] == complete["peak"][number]


@pytest.mark.slow
def test_best_yaml_trains_to_the_loss_of_its_trial(project: Any) -> None:
    finished = project.tune("--trials", 2)
    number = int(re.findall(r"^best: trial (\d+)", finished.out, re.M)[0])
    lines = (project.folder / f"autolr_runs/line/trial_{number}/metrics.jsonl").read_text()
    logged = [
        line["val_loss"] for line in map(json.loads, lines.splitlines()) if "val_loss" in line
    ][-1]
    fitted = project.run("fit", "autolr_runs/line/best.yaml", "--out", "fitted")
    assert fitted.status == 0, fitted.err
    assert "peak" not in fitted.out  # the candidate is fixed: nothing was searched
    known = f"to compare with: study line (trial {number}, val_loss {logged:.6g})"
    assert fitted.out.splitlines()[-1] == known
    script = project.folder / "train.py"
    script.write_text("from lightning.pytorch.cli import LightningCLI\n\nLightningCLI()\n")
    plain = project.run("fit", "-c", "autolr_runs/line/best.yaml", script="train.py")
    assert plain.status == 0, plain.err
    for folder in ("fitted", "."):
        file = project.folder / folder / "lightning_logs/version_0/metrics.csv"
        assert last_logged(file) == logged
    assert trials(project)["value"][number] == logged


@pytest.mark.slow
def test_best_yaml_finds_the_modules_of_its_study_from_any_folder(project: Any) -> None:
    inside = project.folder / "inside"
    inside.mkdir()
    (project.folder / "line.py").rename(inside / "line.py")
    (project.folder / "tune.yaml").rename(inside / "tune.yaml")
    assert project.run("tune", "inside/tune.yaml", "--trials", 1).status == 0
    fitted = project.run("fit", "autolr_runs/line/best.yaml", "--out", "fitted")
    assert fitted.status == 0, fitted.err


@pytest.mark.slow
def test_schedule_json_drives_a_lambda_lr(project: Any) -> None:
    torch = pytest.importorskip("torch")
    from autolr import schedules

    project.tune("--trials", 1)
    actual = json.loads((project.folder / "autolr_runs/line/schedule.json").read_text())
    schedule = schedules.parse(actual["schedule"])
    steps = actual["total_steps"]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=actual["peak"])
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule.timed(steps))
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    assert rates == [actual["peak"] * schedule.at(step, steps) for step in range(steps)]
    assert max(rates) == pytest.approx(actual["peak"])
    assert rates[-1] < rates[0] or rates[0] < max(rates)


@pytest.mark.slow
def test_a_trial_that_diverges_counts_as_pruned(project: Any) -> None:
    project.configure({"tune/space/lr": [1e30, 0.01]})
    finished = project.tune()
    table = trials(project)
    diverged = table[table["reason"] == "diverged"]
    assert (diverged["state"] == "PRUNED").all()
    assert sorted(diverged.index) == sorted(table.index[table["lr"] == 1e30])
    assert 0 < len(diverged) < 4
    assert candidate(project)["peak"] == 0.01
    assert "ends: val_loss is not finite" in finished.out
    all_of_them = ["--study", "all", "--trials", 2, "--out", "all"]
    project.configure({"tune/space/lr": 1e30})
    assert "no trial has a finite val_loss" in project.tune(*all_of_them).out
    assert "no trial has a finite val_loss" in project.tune(*all_of_them).out  # nor later


@pytest.mark.slow
def test_a_study_in_which_all_trials_diverge_ends_without_a_best_one(project: Any) -> None:
    project.configure({"tune/space/lr": 1e30, "tune/trials": 2})
    finished = project.tune()
    assert "2 of 2 trials finished" in finished.out
    assert not (project.folder / "autolr_runs/line/best.yaml").exists()
    assert trials(project)["reason"].tolist() == ["diverged"] * 2


@pytest.mark.slow
def test_a_trial_whose_every_score_is_not_finite_counts_as_diverged(project: Any) -> None:
    project.change_model(("error.pow(2).mean()", "error.pow(2).mean() * float('nan')"))
    changes = {"tune/space/lr": "online", "tune/trials": 2, "trainer/max_epochs": 12}
    project.configure(changes)
    finished = project.tune()
    table = trials(project)
    assert table["reason"].tolist() == ["diverged"] * 2
    assert table["state"].tolist() == ["PRUNED"] * 2
    assert "no trial has a finite val_loss" in finished.out
    assert not (project.folder / "autolr_runs/line/best.yaml").exists()


@pytest.mark.slow
def test_a_peak_found_inside_a_trial_is_in_best_yaml(project: Any) -> None:
    project.configure({"tune/space/lr": "online", "tune/trials": 2, "trainer/max_epochs": 12})
    finished = project.tune()
    table = trials(project)
    number = table["value"].idxmin()
    peak = candidate(project)["peak"]
    assert peak == table["peak"][number]
    assert f"best: trial {number}, lr={peak:.4g} " in finished.out
    assert (table["steps"] > 192).all()  # the probes are paid for


@pytest.mark.slow
def test_a_trial_with_a_peak_to_find_is_pruned_as_any_other(project: Any) -> None:
    changes = {"tune/space/lr": "online", "tune/space/model.init_args.dropout": [0.0, 0.9]}
    project.configure({**changes, "trainer/max_epochs": 12, "tune/trials": 6})
    project.tune()
    assert "not among the best at its rung" in set(trials(project)["reason"].dropna())


@pytest.mark.slow
def test_without_a_pruner_every_trial_is_whole(project: Any) -> None:
    project.configure({"tune/pruner": "none"})
    assert "bracket" not in project.tune().out
    first, *others = trials(project)["steps"].tolist()
    assert others == [48] * 3
    assert first > 48  # with the steps of its search's rivals


@pytest.mark.slow
def test_a_score_can_be_maximized(project: Any) -> None:
    project.configure({"tune/monitor": "val_acc", "tune/mode": "max"})
    finished = project.tune()
    complete = trials(project).query("state == 'COMPLETE'")
    assert complete["value"].tolist() == complete["val_acc"].tolist()
    assert complete["value"].nunique() > 1
    assert f"best: trial {complete['value'].idxmax()}," in finished.out


@pytest.mark.slow
def test_hyper_parameters_that_change_the_length_of_a_run_are_supported(project: Any) -> None:
    sizes = {"tune/space/data.init_args.batch_size": [4, 8, 16]}
    project.configure({**sizes, "tune/online": False, "tune/sampler": "random"})
    project.tune()
    whole = trials(project).query("state == 'COMPLETE'")
    sizes = whole["data.init_args.batch_size"]
    assert sizes.nunique() >= 2
    # a score at a rung costs no step
    assert whole["steps"].tolist() == [3 * 128 // size for size in sizes]
    assert best(project)["data"]["init_args"]["batch_size"] == sizes[whole["value"].idxmin()]


SCHEDULER = "lightning.pytorch.callbacks.GradientAccumulationScheduler"
OVER_TWO = {"class_path": SCHEDULER, "init_args": {"scheduling": {0: 2}}}


@pytest.mark.slow
@pytest.mark.parametrize(
    "accumulation",
    [{"trainer/callbacks": [OVER_TWO]}, {"trainer/accumulate_grad_batches": 2}],
    ids=["by a callback", "by the Trainer"],
)
def test_trials_that_accumulate_gradients_have_the_steps_that_are_planned(
    project: Any, accumulation: dict[str, Any]
) -> None:
    project.configure(accumulation)
    assert "24 steps" in project.tune().out
    whole = trials(project).query("state == 'COMPLETE'")
    assert set(whole["steps"]) == {24}
    assert whole["stopped_at"].isna().all()


@pytest.mark.slow
def test_a_setting_may_be_left_to_the_space_alone(project: Any) -> None:
    project.change_model(("width: int = 4,", "width: int,"))
    project.configure(
        {"model": {"class_path": "line.Line"}, "tune/space/model.init_args.width": [3, 5]}
    )
    project.tune("--trials", 1)
    assert best(project)["model"]["init_args"]["width"] in (3, 5)


@pytest.mark.slow
def test_callbacks_of_the_config_work_in_trials_and_in_best_yaml(project: Any) -> None:
    monitors = [
        {"class_path": "lightning.pytorch.callbacks.LearningRateMonitor"},
        {"class_path": "lightning.pytorch.callbacks.ModelCheckpoint"},
    ]
    project.configure({"trainer/callbacks": monitors})
    project.tune("--trials", 2)
    assert best(project)["trainer"]["callbacks"][:2] == monitors


@pytest.mark.slow
def test_on_a_terminal_lines_and_the_bar_do_not_mix(project: Any) -> None:
    main, terminal = pty.openpty()
    command = project.start("tune", "tune.yaml", tty=os.ttyname(terminal), TERM="xterm")
    received = bytearray(os.read(main, 1))
    os.close(terminal)
    while True:
        try:
            received += os.read(main, 65536)
        except OSError:  # the other end is closed
            break
    os.close(main)
    assert command.wait().status == 0
    text = received.decode()
    assert "0/4" in text  # the bar was there
    left = [line.rpartition("\x1b[2K")[2] for line in text.split("\r\n")]  # what is not wiped out
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", line) for line in left]
    events = [line for line in lines if re.match(r"trial \d (starts|after|ends)", line)]
    assert [line for line in events if "0:00" in line or "━" in line] == []
    within = [line for line in lines if re.search(r".trial \d", line)]
    assert [line for line in within if not line.startswith(("best: ", "weights of "))] == []
    assert sum(" starts" in line for line in events) == 4
    assert sum(" ends: " in line for line in events) == 4


@pytest.mark.slow
def test_fit_finds_a_peak_and_says_what_it_cost(project: Any) -> None:
    project.configure({"trainer/max_epochs": 12})
    finished = project.run("fit", "tune.yaml", "--out", "fitted")
    assert finished.status == 0, finished
    peak, price = re.findall(r"^peak +(\S+), .*\n.*\nprice +(\S+) runs", finished.out, re.M)[0]
    result = json.loads((project.folder / "fitted/result.json").read_text())
    assert float(peak) == pytest.approx(result["peak"], rel=1e-3)
    assert 1 < float(price) <= 1.25
    assert len(pd.read_csv(project.folder / "fitted/probes.csv")) > 0


@pytest.mark.slow
def test_the_winner_is_repeated_with_other_seeds(project: Any) -> None:
    project.tune("--trials", 1)
    (value,) = trials(project)["value"]
    finished = project.run("fit", "autolr_runs/line/best.yaml", "--seeds", 3, "--out", "again")
    assert finished.status == 0, finished
    *runs, spread, known = finished.out.splitlines()
    assert known == f"to compare with: study line (trial 0, val_loss {value:.6g})"
    logged = [
        last_logged(project.folder / f"again/seed_{seed}/lightning_logs/version_0/metrics.csv")
        for seed in (3, 4, 5)
    ]
    assert logged[0] == value  # that of the study's own seed
    assert len(set(logged)) == 3
    for seed, loss in zip((3, 4, 5), logged, strict=True):
        assert any(line.startswith(f"seed {seed}: val_loss {loss:.4g}, ") for line in runs)
    checkpoints = [line.removeprefix("checkpoint: ") for line in runs if "checkpoint: " in line]
    assert len(checkpoints) == 3
    assert all((project.folder / checkpoint).is_file() for checkpoint in checkpoints)
    assert all(len(line) <= 80 for line in runs if not line.startswith("checkpoint"))
    mean, apart = statistics.fmean(logged), statistics.stdev(logged)
    assert f"val_loss {mean:.4g}, the mean of 3 seeds with a spread of {apart:.3g} (" in spread
