"""What was found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: What it is, in a word.
        text: How it is; what would work, if it is wrong.
        level: "ok"; "note": the user may want to know; "wrong": something will fail.
    """

    topic: str
    text: str
    level: Level = "ok"


@dataclass(frozen=True, slots=True)
class Section:
    """Findings about one thing."""

    title: str
    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> int:
        """How many of them are wrong."""
        return sum(finding.level == "wrong" for finding in self.findings)


def verdict(sections: Sequence[Section]) -> str:
    """Return the line that ends a diagnosis.

    >>> verdict([Section("config", (Finding("model", "no such class", "wrong"),))])
    '1 thing is wrong'
    """
    wrong = sum(section.wrong for section in sections)
    if wrong == 0:
        return "nothing is wrong"
    return "1 thing is wrong" if wrong == 1 else f"{wrong} things are wrong"
