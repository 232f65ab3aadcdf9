r"""Errors of jsonargparse in one line: the setting, its value, what would work.

Its own messages list every type that was tried, with their modules, on up to thirty lines.

>>> one_line('Parser key "trainer.max_epochs":  Expected a <class \'int\'>. Got value: three')
'trainer.max_epochs must be int, got three'
"""

import difflib
import inspect
import re
import sys

from autolr.errors import unknown_name

_SECTIONS = ("seed_everything", "trainer", "model", "data", "optimizer", "lr_scheduler", "tune")
_TRAINERS = ("lightning.pytorch.Trainer", "pytorch_lightning.Trainer")
_MOST_NAMES = 10  # arguments that a message lists: AutoLR has 9; those of a Trainer fill a screen
_MOVED = {  # arguments that 0.1 had, by class: what to write today
    ("AutoLR", "budget"): "its strategy does; write strategy: {class_path: autolr.online.Annealed, "
    "init_args: {budget: ...}}"
}
_IN_FIT = "Subcommand 'fit' does not accept option"
_NOISE = re.compile(
    r"Does not validate|Subtypes:|Errors:|Given value type|Subclass types|a class path \(str\)"
    r"|a dict with|Expected a path but|Not a valid subclass"
)


def one_line(message: str) -> str:
    """Return one line for a parser's message, with the full path of the setting."""
    path: list[str] = []
    owner = ""  # the class whose arguments the last part of the path is
    expected: list[str] = []
    for line in _lines(message):
        if key := re.fullmatch(r'Parser key "(.+)":', line):
            path.append(key[1])
        elif cls := re.fullmatch(r"Problem with given class_path '(.+)':", line):
            owner = cls[1]
            path.append("init_args")
        elif kind := re.fullmatch(r"Expected an? (.+?)(?:\. Got value: (.*))?", line):
            expected.append(_type(kind[1]))
            if kind[2] is not None:
                return _mismatch(path, expected, kind[2])
        elif given := re.fullmatch(r"Given value: (.*)", line):
            return _mismatch(path, expected, given[1])
        else:
            return _problem(line, path, owner)
    return _mismatch(path, expected, "something else") if expected else " ".join(message.split())


def _lines(message: str) -> list[str]:
    text = re.sub(r'(Parser key "[^"]+":) +', r"\1\n", message)
    text = re.sub(rf"{_IN_FIT} '(.+)\.(\w+)'", r"Group '\1' does not accept option '\2'", text)
    text = re.sub(rf"{_IN_FIT} '(.+)'", r"Option '\1' is not accepted", text)
    lines = (line.strip().removeprefix("- ") for line in text.splitlines())
    return [line for line in lines if line and not _NOISE.match(line)]


def _mismatch(path: list[str], expected: list[str], given: str) -> str:
    kinds = " or ".join(dict.fromkeys(expected))
    if kinds in ("", "null"):
        kinds = "a mapping with class_path and init_args"
    return f"{'.'.join(path)} must be {kinds}, got {given}"


def _type(text: str) -> str:
    if text.startswith("dot import path string"):
        return "a class as module.Class"
    if cls := re.fullmatch(r"<class '(?:.*\.)?(\w+)'>", text):
        return "null" if cls[1] == "NoneType" else cls[1]
    if literal := re.fullmatch(r"typing\.Literal\[(.*)\]", text):
        return f"one of {literal[1]}"
    return text


def _problem(line: str, path: list[str], owner: str) -> str:
    where = ".".join(path)
    if option := re.fullmatch(r"Option '(.+)' is not accepted", line):
        return _unknown_option(option[1], where, owner)
    if group := re.fullmatch(r"Group '(.+)' does not accept option '(.+)'", line):
        taken = _parameters(*_TRAINERS) if group[1] == "trainer" else []
        return f"{group[1]}: unknown key {group[2]!r}{_hint(group[2], taken)}"
    if needed := re.fullmatch(r"the following arguments are required: (.+)", line):
        return f"{where}: {owner} needs {needed[1]}" if owner else f"{needed[1]} is missing"
    wrong = r"Import path (.+) does not (?:correspond to a|implement protocol) (.+)"
    if other := re.fullmatch(wrong, line):
        return f"{where}.class_path must be a {other[2]}, got {other[1]}"
    if value := re.fullmatch(r"argument (?:--)?(\S+): invalid (\w+) value: (.*)", line, re.DOTALL):
        return f"{value[1]} must be {value[2].strip('_').replace('_', ' ')}, got {value[3]}"
    if command := re.match(r"argument COMMAND: invalid choice: '(.+)' \(choose from (.+)\)", line):
        return unknown_name("command", command[1], re.findall(r"\w+", command[2]))
    if owner:
        return f"{where.removesuffix('init_args')}class_path: cannot use {owner}: {line}"
    return f"{where}: {line}" if where else line


def _unknown_option(name: str, where: str, owner: str) -> str:
    if not owner:
        key = name if where else name.partition(".")[0]
        return f"{where}: unknown key {key!r}" if where else unknown_name("key", key, _SECTIONS)
    moved = _MOVED.get((owner.rpartition(".")[2], name))
    hint = _hint(name, _parameters(owner)) if moved is None else f": {moved}"
    return f"{where}: {owner} does not take {name!r}{hint}"


def _hint(name: str, taken: list[str]) -> str:
    near = difflib.get_close_matches(name, taken, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    if not 0 < len(taken) <= _MOST_NAMES:
        return hint
    return f"{hint} It takes {', '.join(taken)}" if hint else f"; it takes {', '.join(taken)}"


def _parameters(*paths: str) -> list[str]:
    """Return the argument names of the first of these classes that is already imported."""
    parts = [path.rpartition(".") for path in paths]
    classes = [getattr(sys.modules.get(module), name, None) for module, _, name in parts]
    cls = next(filter(inspect.isclass, classes), None)
    if cls is None:
        return []
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p.name for p in inspect.signature(cls).parameters.values() if p.kind in named]
