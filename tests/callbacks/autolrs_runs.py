"""Runs by AutoLRS in eight epochs."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from autolr.callbacks import AutoLR
from autolr.online import AutoLRS

RATES = (2.0**-14, 2.0**-6)
EPOCHS = 8  # of 7 steps: stages that end at 7, 21, 49 and 56


def searcher(**settings):
    return AutoLR(**{"strategy": AutoLRS(probes=3), "rates": RATES, **settings})
