"""Writes rules.yaml from the catalogue of rules: ``python -m autolr.search_spaces.of_rules``."""

from collections.abc import Iterable
from pathlib import Path

from autolr import rules

_HEAD = """\
# Every rule, each with the peaks and profiles that suit it: for a long study of rules.
# Rules of other packages need packages of their own (autolr rules NAME). Written from the catalogue
# of rules by: python -m autolr.search_spaces.of_rules
"""
_TAIL = """\
warmup: {low: 0.0, high: 0.1} # share of the run
cooldown: {low: 0.1, high: 0.5, when: {schedule: wsd}} # share of the run
"""
_WIDTH = 100


def rules_yaml() -> str:
    """Return the YAML of the space.

    A rule whose peak is searched has its own ``lr``. Rules with the same choice of profiles share
    a ``schedule``, the largest such set the plain name; one profile alone is no choice.
    """
    lines = [_list("rule: [", rules.names(), "]")]
    for record in map(rules.record, rules.names()):
        if record.peak.searched:
            span = f"low: {record.peak.low:.1e}, high: {record.peak.high:.1e}, log: true"
            lines.append(f"lr.{record.name}: {{{span}, when: {{rule: {record.name}}}}}\n")
    for index, (profiles, takers) in enumerate(_by_profiles()):
        label = f".{'_or_'.join(profiles)}" if index else ""
        lines.append(f"schedule{label}:\n  choices: [{', '.join(profiles)}]\n  when:\n")
        lines.append(_list("    rule: [", takers, "]"))
    return _HEAD + "".join(lines) + _TAIL


def _by_profiles() -> list[tuple[tuple[str, ...], list[str]]]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for record in map(rules.record, rules.names()):
        if len(record.schedules) > 1:
            groups.setdefault(tuple(sorted(record.schedules)), []).append(record.name)
    return sorted(groups.items(), key=lambda item: -len(item[1]))


def _list(start: str, items: Iterable[str], end: str) -> str:
    """Return a YAML list, folded behind its opening bracket."""
    lines = [start]
    for item in items:
        if len(lines[-1]) + len(item) + 2 > _WIDTH:
            lines.append(" " * len(start))
        lines[-1] += f"{item}, "
    return "\n".join(line.rstrip() for line in lines).removesuffix(",") + f"{end}\n"


if __name__ == "__main__":
    (Path(__file__).parent / "rules.yaml").write_text(rules_yaml(), "utf-8")
