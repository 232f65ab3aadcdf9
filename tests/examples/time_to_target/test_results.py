"""The command and its file: resumable, a row a run."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest

from examples.time_to_target import results
from examples.time_to_target.__main__ import main
from examples.time_to_target.results import Job


def row(job):
    return {
        **{"method": job.method, "workload": job.workload, "seed": job.seed, "scale": job.scale},
        **{"run_steps": 10, "final": 0.1 + 0.2, "peak": 0.1, "total_steps": 12},
        **{"trained_steps": 10, "validation_passes": 1, "seconds": 1.0, "busy_seconds": 0.5},
        **{"diverged": False, "test": 0.4},
    }


def test_a_line_that_was_cut_by_a_kill_is_dropped_and_written_again(tmp_path):
    file = tmp_path / results.FILE
    for seed in (0, 1):
        results._append(file, row(Job("sgd", "a", seed, 1.0)))
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    assert results.load(tmp_path).seed.tolist() == [0]
    results._append(file, row(Job("sgd", "a", 1, 1.0)))
    assert file.read_bytes() == whole
    assert results.load(tmp_path).final.tolist() == [0.1 + 0.2] * 2


def test_rows_are_not_added_to_those_of_other_columns(tmp_path):
    file = tmp_path / results.FILE
    file.write_text("method,workload\nsgd,a\n")
    with pytest.raises(ValueError, match="use another folder"):
        results._append(file, row(Job("sgd", "a", 0, 1.0)))
    assert file.read_text() == "method,workload\nsgd,a\n"


def test_nothing_is_run_twice(tmp_path):
    job = Job("sgd", "a", 0, 1.0)
    results._append(tmp_path / results.FILE, row(job))
    assert list(results.run_missing(tmp_path, [job], 1)) == []


def test_a_run_that_fails_is_reported_and_has_no_row(tmp_path):
    job = Job("sgd", "no such task", 0, 1.0)
    ((failed, error),) = results.run_missing(tmp_path, [job], 1)
    assert failed == job
    assert "no such task" in error
    assert results.load(tmp_path).empty


SHORT = ["--workloads", "logreg_digits", "--scale", "0.02", "--seeds", "1"]


def test_the_command_continues_where_it_was(tmp_path, capsys):
    arguments = [*SHORT, "--jobs", "1", "--out", str(tmp_path)]
    assert main([*arguments, "--methods", "sgd"]) == 0
    first = results.load(tmp_path)
    assert main([*arguments, "--methods", "sgd", "adamw"]) == 0
    second = results.load(tmp_path)
    assert second.method.tolist() == ["sgd", "adamw"]
    assert second.iloc[0].equals(first.iloc[0])
    assert "no oracle" in capsys.readouterr().out  # none is stored at this scale


@pytest.mark.slow
def test_worker_processes_come_to_what_one_process_comes_to(tmp_path):
    for jobs in ("1", "2"):
        arguments = [*SHORT, "--methods", "sgd", "adamw", "--jobs", jobs]
        assert main([*arguments, "--out", str(tmp_path / jobs)]) == 0
    finals = [results.load(tmp_path / jobs).set_index("method").final for jobs in ("1", "2")]
    assert finals[0].to_dict() == finals[1].to_dict()


def test_the_table_is_printed_drawn_and_written_where_there_is_an_oracle(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    job = Job("sgd", "logreg_digits", 0, 1.0)
    results._append(tmp_path / results.FILE, row(job))
    arguments = ["--workloads", "logreg_digits", "--methods", "sgd", "--seeds", "1"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert "1.20" in capsys.readouterr().out  # its 12 steps of 10
    assert (tmp_path / "figure.png").stat().st_size > 10_000
