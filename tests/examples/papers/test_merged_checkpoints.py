"""The benchmark of merged checkpoints: its document has the tables that it prints."""

from pathlib import Path

import pandas as pd

from examples.papers.merged_checkpoints import TASKS, Scored, scored_runs, tables

DOCUMENT = Path(__file__).parents[3] / "examples/papers/merged_checkpoints.md"


def test_the_document_has_the_tables_of_the_stored_runs() -> None:
    text = DOCUMENT.read_text("utf-8")
    for line in tables(scored_runs(TASKS, (3, 4, 5))):
        assert line in text


def test_ranks_and_choices_are_those_of_the_scores() -> None:
    lengths, merged, cooled = (5, 10, 20, 40), (4.0, 3.0, 2.0, 2.5), (4.0, 2.0, 3.0, 1.0)
    rows = [["constant", "none", 0, 5.0]]
    for kind, scores in (("merged every 1 %", merged), ("cooled", cooled)):
        rows += [[kind, "linear", n, score] for n, score in zip(lengths, scores, strict=True)]
    scored = Scored(pd.DataFrame(rows, columns=["kind", "shape", "share", "score"]))
    assert scored.chosen("fine") == ("linear", 20)
    assert scored.excess(("linear", 20)) == 3.0
    assert abs(scored.rank("fine") - 0.4) < 1e-12  # 1 - 6 (0 + 1 + 4 + 1) / (4 * 15)
