"""What the README and the documents say of themselves, of the benchmark and of the commands."""
# mypy: allow-untyped-calls

import importlib.util
import re
from typing import Any

from autolr.arguments import parser as _parser
from autolr.cli import _COMMANDS
from tests.end_to_end.blocks import BLOCKS, FILES, NOTEBOOK, ROOT, inline

USAGE = [block for block in BLOCKS if block.language == ""]


def test_every_block_is_in_a_language_that_is_run_here() -> None:
    assert {block.language for block in BLOCKS} == {"python", "yaml", "bash", ""}
    assert {block.file for block in USAGE} == {"docs/command_line.md", NOTEBOOK}


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of the tables in a text, their heads too."""
    lines = (line for line in text.splitlines() if line.startswith("| "))
    return [[cell.strip(" *`") for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_the_readme_has_the_figures_of_the_benchmark() -> None:
    _, _, text = (ROOT / "README.md").read_text().partition("<!-- table: time_to_target -->\n")
    found = rows_of(text.partition("\n\n")[0])[1:]
    names = ["default", "lr_find", "schedulefree", "prodigy"]
    names += ["tpe_hyperband_5", "tpe_hyperband_10", "autolr"]
    results = (ROOT / "examples/time_to_target/README.md").read_text()
    measured = {row[0]: row for row in rows_of(results) if len(row) > 7}
    for (method, *figures), name in zip(found, names, strict=True):
        assert figures == [measured[name][1], measured[name][7]], method


def test_links_within_the_project_lead_somewhere() -> None:
    for file in FILES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", file.read_text("utf-8")):
            if "://" not in target:
                assert (file.parent / target).exists(), (file, target)


def usage() -> dict[str, tuple[list[str], set[str]]]:
    """Return the positional arguments and the options of each command, as the text has them."""
    (block,) = (block for block in USAGE if block.file != NOTEBOOK)
    actual = {}
    for command, rest in re.findall(r"^autolr (\w+) (.*)$", re.sub(r"\n +", " ", block.text), re.M):
        written = rest.partition("    ")[0]  # what it does stands behind
        places = re.sub(r"\[--.*?\]|--\S+ \S+", "", written).split()
        options = set(re.findall(r"--[a-z-]+", written))
        actual[command] = ([place.lower() for place in places], options)
    return actual


def test_the_usage_in_the_text_is_that_of_the_parser() -> None:
    commands: Any = _parser()._subcommands_action
    real = {}
    for name, parser in commands.choices.items():
        actions = [action for action in parser._actions if action.dest != "help"]
        places = [
            f"[{action.dest}]" if action.nargs == "?" else action.dest
            for action in actions
            if not action.option_strings
        ]
        options = {option for action in actions for option in action.option_strings}
        real[name] = (places, options - {"--config", "--print_config"})
    assert usage() == real


def test_commands_in_the_text_are_parsed() -> None:
    commands = inline("autolr ")
    assert len(commands) >= 10
    for file, command in commands:
        name, *arguments = command.split()[1:]
        assert name in _COMMANDS, (file, command)
        if arguments:  # else the name alone stands for the command
            parsed = _parser().parse_args([name, *arguments])
            assert parsed.subcommand == name, (file, command)


def test_modules_in_the_text_exist() -> None:
    commands = inline("python -m ")
    assert len(commands) >= 10
    for file, command in commands:
        assert importlib.util.find_spec(command.split()[2]) is not None, (file, command)
