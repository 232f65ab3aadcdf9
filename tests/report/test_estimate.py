"""What a study will take, as a dry run prints it."""

from dataclasses import replace
from itertools import product

import pytest

from autolr.memory import RunBytes
from autolr.report import estimate_lines
from autolr.report.estimate import bytes_text
from autolr.study import Estimate
from autolr.study.simulation import SimulatedPrice

_MIB = 2**20
_HELD = RunBytes(100 * _MIB, 40 * _MIB, 40 * _MIB, 80 * _MIB, average=40 * _MIB, rivals=4)
_WHOLE = Estimate(
    30,
    1000,
    SimulatedPrice(15_800, 21),
    rival_steps=7500,
    workers=4,
    sharing=2,
    averages=True,
    memory=_HELD,
)


def test_all_parts_are_said_with_their_units() -> None:
    assert list(estimate_lines(_WHOLE)) == [
        "expected for the whole study, 30 trials:",
        "  steps   15,800 optimizer steps, as many as in 15.8 whole runs (30 without",
        "          pruning); rivals beside the trials make at most 7,500 more",
        "  copies  at most 4 of a trial at a time, for the rivals that find its peak:",
        "          840 MiB",
        "  memory  1.07 GiB a trial: weights 100 MiB, gradients 40 MiB, optimizer state",
        "          80 MiB, averaged weights 40 MiB, copies 840 MiB; 2.15 GiB for 2 trials",
        "          on a GPU; 4.3 GiB for 4 trials at a time; activations and batches come",
        "          on top",
        "  disk    6.97 GiB for at most 21 checkpoints of 340 MiB at a time",
    ]


def test_what_is_not_there_or_not_known_is_said() -> None:
    alone = Estimate(1, 1000, SimulatedPrice(1000, 0))
    assert list(estimate_lines(alone)) == [
        "expected for the whole study, 1 trial:",
        "  steps   1,000 optimizer steps",
        "  copies  not known before the first step",
        "  memory  not known before the first step",
        "  disk    no checkpoints: no trial is paused",
    ]
    lines = " ".join(estimate_lines(replace(_WHOLE, memory=replace(_HELD, optimizer=None))))
    said = " ".join(lines.split())
    assert "optimizer state not known before the first step, averaged weights 40 MiB;" in said
    assert "disk at most 21 checkpoints at a time, of a size not known before the first" in said


@pytest.mark.parametrize("factor", [1, 10**6])
def test_no_line_is_wider_than_80_columns(factor: int) -> None:
    held = RunBytes(123_456 * factor, 1 * factor, 999 * factor, 7 * factor, 9 * factor, 4)
    for devices, sharing, workers in product((1, 8), (1, 16), (None, 1, 4096)):
        estimate = Estimate(
            4 * factor,
            10**9,
            SimulatedPrice(factor * 10**9, 123 * factor),
            rival_steps=10**9 * factor,
            workers=workers,
            sharing=sharing,
            devices=devices,
            averages=True,
            memory=held,
            varied=("data.init_args.batch_size", "model.init_args." + "x" * 40),
        )
        assert max(map(len, estimate_lines(estimate))) <= 80


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.977 KiB"),
        (3 * _MIB, "3 MiB"),
        (1023 * _MIB, "0.999 GiB"),
        (123 * 2**30, "123 GiB"),
        (5 * 2**50, "5 PiB"),
        (5000 * 2**50, "5e+03 PiB"),
    ],
)
def test_bytes_have_three_digits(count: int, text: str) -> None:
    assert bytes_text(count) == text
