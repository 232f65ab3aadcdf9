"""The catalogue of rules as text: a table, and a page for each rule."""

import inspect
from typing import TYPE_CHECKING

from autolr.extras import install_command
from autolr.rules.base import LineSearch, Rule
from autolr.rules.catalogue import Record, names, record

if TYPE_CHECKING:
    from rich.table import Table

_HEADERS = ("family", "rule", "what it does", "peak", "schedules", "needs")


def table() -> "Table":
    """Return a table with a row for each rule, by family."""
    from rich.box import SIMPLE  # here: rules are read in places that print nothing
    from rich.table import Table

    made, before = Table(*_HEADERS, box=SIMPLE), ""
    for one in map(record, names()):
        if before and one.family != before:
            made.add_section()
        made.add_row("" if one.family == before else one.family, *cells(one))
        before = one.family
    return made


def cells(one: Record) -> tuple[str, ...]:
    """Return the cells of a rule in the table, after its family."""
    needs = ", ".join(need for need in _needs(one) if need in ("loss", "closure"))
    return one.name, one.summary, _peak(one), ", ".join(one.schedules), needs


def _needs(one: Record) -> list[str]:
    searches = one.rule is not None and issubclass(one.rule, LineSearch)
    horizon = ["the length of the run"] if one.horizon else []
    return [*one.needs, *(["closure"] if searches else []), *horizon]


def page(name: str) -> str:
    """Return the metadata, settings and docstring of a rule.

    Raises:
        ConfigError: If no rule has that name.
    """
    one = record(name)
    facts = {
        "family": one.family,
        "peak": _peak(one),
        "schedules": ", ".join(one.schedules),
        "needs": ", ".join(_needs(one)),
        "evaluates": "averaged weights" if one.averages else "",
        "settings": _settings(one),
        "optimizer": one.optimizer.replace(":", "."),
        "install": install_command(one.package) if one.package else "",
        "warning": one.warning,
        "source": one.source,
    }
    lines = [f"{one.name}: {one.summary}", *(f"{k:10} {v}" for k, v in facts.items() if v)]
    if one.rule is not None:
        lines += ["", _text(one.rule)]
    return "\n".join(lines)


def _peak(one: Record) -> str:
    span = f"{one.peak.low:g} to {one.peak.high:g}" if one.peak.searched else "not searched"
    return f"{one.peak.default:g}, {span}"


def _settings(one: Record) -> str:
    if one.rule is not None:
        own = {**one.rule().settings(), "weight_decay": 0.0}
        return ", ".join(f"{name} {value!r}" for name, value in own.items())
    given = ", ".join(f"{name} {value!r}" for name, value in one.settings.items())
    return "those of the optimizer" + (f", with {given}" if given else "")


def _text(rule: type[Rule]) -> str:
    """Return a rule's docstring without its first line, which is the summary."""
    return inspect.cleandoc(rule.__doc__ or "").partition("\n")[2].strip("\n")
