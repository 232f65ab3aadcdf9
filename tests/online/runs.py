"""Searches of runs that are only described."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from autolr.online import Annealed, RaceEntry, RunInfo, SearchSettings


def run_of(peaks, schedule=None, total_steps=1000, budget=250, profiles=()):
    """Return the description of a run by the user's own optimizer."""
    rise = None if schedule is None else int(schedule.values(total_steps).argmax())
    entries = (RaceEntry(peaks),)
    return RunInfo(total_steps, budget, total_steps, peaks.prior, entries, schedule, rise, profiles)


def search_of(strategy, *args):
    """Return the comparisons with which `Annealed` begins the run that `run_of` describes."""
    return strategy.begin(run_of(*args)).search


def begun(prior, total_steps, scan=None, budget=0.25, **settings):
    """Return the comparisons with which a search with these settings begins."""
    return progress_of(prior, total_steps, scan, budget, **settings).state.search


def progress_of(prior, total_steps, scan=None, budget=0.25, **settings):
    """Return the progress with which a search with these settings begins."""
    chosen = SearchSettings(Annealed(budget=budget), **settings)
    return chosen.begin(chosen.run_info(prior, total_steps, scan=scan), scan)
