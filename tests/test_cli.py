import re
import shlex
import subprocess
import sys

import pytest

from autolr import rules, search_spaces
from autolr.arguments import read_arguments
from autolr.cli import _COMMANDS, main


def test_spaces_lists_the_catalogue_with_what_each_is_for(capsys):
    assert main(["spaces"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == search_spaces.names()
    for line in lines:
        name, _, purpose = line.partition(" ")
        assert purpose.strip() == search_spaces.describe(name)


def test_a_space_is_printed_as_its_file_has_it(capsys):
    assert main(["spaces", "quick"]) == 0
    assert capsys.readouterr().out == search_spaces.text("quick")


def test_an_unknown_space_is_refused_with_those_there_are(capsys):
    assert main(["spaces", "nope"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "'nope'" in shown.err
    assert "adamw, default, profiles, quick, rules, sgd" in shown.err


def test_rules_are_listed_by_family_with_peak_and_schedules(capsys):
    assert main(["rules"]) == 0
    out = capsys.readouterr().out
    words = [word for line in out.splitlines() for word in line.split()[:2]]
    assert [word for word in dict.fromkeys(words) if word in rules.names()] == rules.names()
    (line,) = (line for line in out.splitlines() if "sps_max" in line.split()[:2])
    assert "1, 0.01 to 10" in line
    assert "constant, wsd" in line
    assert line.rstrip().endswith("loss")


def test_a_rule_is_described_in_full(capsys):
    assert main(["rules", "dog"]) == 0
    out = capsys.readouterr().out
    for part in ("family     distance", "1, not searched", "alpha 1e-06", "arXiv:2302.12022"):
        assert part in out
    assert "step = rate r / sqrt(G + eps)" in out
    assert main(["rules", "lamb"]) == 0
    out = capsys.readouterr().out
    assert "pytorch_optimizer.Lamb" in out
    assert "adam_debias True" in out
    assert "install    pip install 'pytorch_optimizer" in out


@pytest.mark.parametrize("name", ["dadapt_sgd", "dadapt_lion"])
def test_a_rule_that_is_known_to_fail_says_when(capsys, name):
    assert main(["rules", name]) == 0
    assert "warning    " in capsys.readouterr().out


def test_an_unknown_rule_is_refused_with_those_there_are(capsys):
    assert main(["rules", "dogg"]) == 2
    assert "unknown rule 'dogg'; did you mean 'dog'?" in capsys.readouterr().err


def test_a_peak_is_moved_to_another_run(capsys):
    tuned = ["0.001", "--schedule", "{kind: wsd, warmup: 0, shape: linear}", "--steps", "4000"]
    assert main(["transfer", *tuned, "--to", "linear"]) == 0
    assert capsys.readouterr().out == "peak 0.001945 in 4000 steps\n"  # of golden_bound_transfer
    assert main(["transfer", *tuned, "--batch", "4", "--width", "2", "--weight-decay", "0.1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition("peak ")[0] for line in lines] == ["", "hidden matrices: "]
    own, hidden = map(float, re.findall(r"peak ([\d.]+)", "\n".join(lines)))
    assert own == pytest.approx(0.002, rel=0.01)  # the square root of the batch
    assert hidden == pytest.approx(0.001, rel=0.01)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("x --schedule wsd --steps 9", "peak must be float, got 'x'"),
        ("1 --schedule wsd", "steps is missing"),
        ("1 --schedule wds --steps 9", "schedule: unknown schedule 'wds'; did you mean 'wsd'?"),
        (
            "1 --schedule wsd --steps 9 --to lin",
            "to: unknown schedule 'lin'; did you mean 'linear'?",
        ),
        ("1 --schedule {kind:wsd,} --steps 9", "schedule"),
        ("1 --schedule wsd --steps 1e3", "steps must be int, got '1e3'"),
        ("1 --schedule wsd --steps 100 --kind lion", "kind must be one of 'adam', 'sgd'"),
        ("0 --schedule wsd --steps 100", "peak must be a number above 0, got 0.0"),
    ],
)
def test_a_move_that_cannot_work_is_refused(capsys, words, message):
    assert main(["transfer", *words.split()]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1


def test_help_names_the_types_of_numbers(capsys):
    with pytest.raises(SystemExit):
        main(["transfer", "--help"])
    assert "<" not in capsys.readouterr().out


def test_without_a_command_the_help_is_printed(capsys):
    assert main([]) == 2
    shown = capsys.readouterr().out
    for command in ("tune", "fit", "spaces", "rules"):
        assert command in shown


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["spces"], "unknown command 'spces'; did you mean 'spaces'?"),
        (["--all"], "--all (autolr --help lists commands and options)"),
        (["spaces", "--all"], "--all (as in autolr spaces default > space.yaml; autolr spaces"),
        (["fit"], "error: config is missing (as in autolr fit "),
        (["tune", "a", "tune.yaml"], "unrecognized arguments: tune.yaml (as in autolr tune"),
        (["tune", "train.py"], "train.py is Python, and a config is YAML"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(capsys, arguments, word):
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("autolr: error: ")
    assert word in shown.err
    assert shown.err.count("\n") == 1


def test_help_loads_neither_torch_lightning_nor_optuna():
    code = """if True:
        import sys
        from autolr.cli import main
        for command in ([], ["worker"]):
            try:
                main([*command, "--help"])
            except SystemExit as end:
                assert end.code == 0
        heavy = {"torch", "lightning", "optuna", "pandas"} & set(sys.modules)
        print("loaded:", *sorted(heavy))
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "loaded:"


@pytest.mark.parametrize("command", _COMMANDS)
def test_each_help_ends_with_an_example_that_can_be_typed(capsys, command):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    *_, head, example = capsys.readouterr().out.rstrip().splitlines()
    assert (end.value.code, head) == (0, "example:")
    program, *words = shlex.split(example.partition(" > ")[0])
    assert (program, words[0]) == ("autolr", command)
    assert read_arguments(words)[0] == command


def test_bash_completes_commands_and_options(capsys, tmp_path):
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "autolr.bash"
    script.write_text(capsys.readouterr().out)
    completed = {}
    for words in (["autolr", "do"], ["autolr", "tune", "--tri"]):
        program = (
            f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
            f"COMP_LINE='{' '.join(words)}'; _shtab_autolr 2>/dev/null; echo \"${{COMPREPLY[@]}}\""
        )
        done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=60)
        completed[words[-1]] = done.stdout.split()
    assert completed == {"do": ["doctor"], "--tri": ["--trials", "--trials-per-gpu"]}


def test_an_unknown_shell_is_refused_with_those_there_are(capsys):
    assert main(["completion", "bush"]) == 2
    assert "shell must be one of bash, zsh, tcsh" in capsys.readouterr().err
