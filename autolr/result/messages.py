"""What a run prints about its search, in few lines."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from autolr import schedules
from autolr.candidate import Candidate
from autolr.counted import counted
from autolr.online.monitor import Monitor
from autolr.online.records import CopyRecord, ProbeScore, RollbackRecord
from autolr.online.run_forecast import expected_at, forecast_origin, run_scores
from autolr.result.summary import averaged_text, multiplied, too_few
from autolr.rules.fixed import OWN

if TYPE_CHECKING:
    from autolr.online.progress import Progress
    from autolr.result.result import Result


def opening(
    search: "Progress", live: Candidate, total_steps: int, *, scheduled: bool = False
) -> Iterator[str]:
    """Yield a line for what happened before the first step: a scan, a prior, or no search.

    Args:
        search: Before its first score.
        live: What the run begins with.
        total_steps: Of the run.
        scheduled: Whether the module has a scheduler of its own.
    """
    if not search.searching:
        around = "" if search.prior is None else ", also around the prior"
        yield (
            f"AutoLR: {too_few(total_steps)} to search{around}: the run keeps "
            f"{_kept(live, scheduled=scheduled)}"
        )
        return
    if scan := search.scan:
        own = [candidate.peak for candidate in search.candidates if candidate.rule == live.rule]
        low, high = own[0], own[-1]
        edge = (
            f"no rate up to {scan.last:.3g} diverges"
            if scan.edge is None
            else (f"a rate of {scan.edge:.3g} diverges")
        )
        made = f"{counted(scan.steps, 'step')} of a copy"
        yield f"AutoLR: {edge} ({made}): peaks from {low:.3g} to {high:.3g}"
    if moved := search.prior:
        known = f"the prior, a peak of {moved.before:.3g} in {counted(moved.steps, 'step')},"
        yield (
            f"AutoLR: {known} is moved to {moved.peak:.3g}"
            if moved.raced
            else f"AutoLR: {known} would be {moved.peak:.3g} here, too far from the rates of such "
            "runs: this one is searched as without it"
        )


def unsearched(
    obstacles: Sequence[str], live: Candidate, *, scheduled: bool = False
) -> Iterator[str]:
    """Yield the lines for a run beside which no rivals are trained.

    Args:
        obstacles: Why not.
        live: What it keeps.
        scheduled: Whether the module has a scheduler of its own.
    """
    for obstacle in obstacles[:-1]:
        yield f"AutoLR: {obstacle}"
    yield (
        f"AutoLR: {obstacles[-1]}: no rivals are trained beside the run, it keeps "
        f"{_kept(live, scheduled=scheduled)}"
    )


def _kept(live: Candidate, *, scheduled: bool) -> str:
    """Return what a run keeps that is not searched."""
    if scheduled:
        shape = "the scheduler of its module"
    else:
        shape = "no schedule" if live.schedule == schedules.constant() else str(live.schedule)
    return f"{_named(live.rule)}a peak of {live.peak:.3g} and {shape}"


def progress_lines(
    before: "Progress", after: "Progress", total_steps: int, monitor: Monitor
) -> Iterator[str]:
    """Yield a line for each thing that happened between two states of a search.

    They are: copies of the run ended, a race that shows nothing continues, the rate that was set
    trains on beside the run, the peak is settled, the rate was changed later, the run was put back,
    the end of the run can be forecast. The end of a search has a line of its own, `closing`.

    Args:
        before: The search before the last scores.
        after: The search with them.
        total_steps: Of the run.
        monitor: The metric, which knows how its scores are written.
    """
    for record in _worth_saying(before.copies, after.copies):
        yield f"AutoLR: step {record.step}: {copies_text(record)}"
    yield from _waiting(before, after)
    if not before.searching or (before.scores, before.rollbacks) == (after.scores, after.rollbacks):
        return
    yield from _longer_race(before, after)
    yield from _own_rate(before, after)
    if _settled(after) and not _settled(before):
        step = after.scores[-1].horizon
        run = after.action.run
        yield f"AutoLR: {_named(run.rule)}peak {run.peak:.3g} at step {step} of {total_steps}"
    elif _settled(before) and before.rollbacks == after.rollbacks:
        yield from _change(after.scores[len(before.scores) :], total_steps)
    for rollback in after.rollbacks[len(before.rollbacks) :]:
        yield _rolled_back(rollback, before, after, monitor)
    yield from _forecast(before, after, total_steps, monitor)


def _waiting(before: "Progress", after: "Progress") -> Iterator[str]:
    """Yield a line where the race waits for the end of a warm-up."""
    last, probe = before.probe, after.probe
    if last and probe and last.waits and not probe.waits and before.scores == after.scores:
        yield (
            "AutoLR: other code writes a rate that rises: the race begins behind that, at step "
            f"{probe.start}"
        )


def _longer_race(before: "Progress", after: "Progress") -> Iterator[str]:
    """Yield a line each time a race has shown nothing: it continues."""
    last, probe = before.probe, after.probe
    if last is None or probe is None or not probe.continues:
        return
    looks = len({score.horizon for score in before.scores})
    if looks and not (looks == 1 and last.continues):  # a check is looked at twice
        return
    peaks = ", ".join(f"{candidate.peak:.3g}" for candidate in probe.candidates)
    yield (
        f"AutoLR: step {probe.start}: no rate has gained enough yet; {peaks} race on to step "
        f"{probe.horizon}"
    )


def _own_rate(before: "Progress", after: "Progress") -> Iterator[str]:
    """Yield a line where the rate that the user has set trains on, or is taken again."""
    last, probe = before.probe, after.probe
    if last is not None and last.own is not None and after.action.run == last.own:
        yield f"AutoLR: step {last.horizon}: the rate that was set, {last.own.peak:.3g}, is better"
    elif probe is not None and probe.own is not None and (last is None or last.own is None):
        yield (
            f"AutoLR: step {probe.start}: {probe.own.peak:.3g}, the rate that was set, trains on "
            "beside the run"
        )


def closing(result: "Result") -> str:
    """Return the line for the end of a search, with its price."""
    probes = counted(len(result.scores), "probe")
    price = f"{counted(result.probe_steps, 'step')} beside the run's {result.total_steps}"
    if (last := result.broken_off) is not None:
        return (
            f"AutoLR: step {last.step}: the search ends: {last.reason}; {_named(result.rule)}the "
            f"run {'continues with' if result.compared else 'keeps'} a peak of "
            f"{result.run_peak:.3g}"
        )
    if not result.compared:
        return (
            f"AutoLR: nothing could be compared: {result.monitor.name} was not finite in any of "
            f"{probes} ({price}); {_named(result.rule)}the run keeps a peak of "
            f"{result.run_peak:.3g}"
        )
    return (
        f"AutoLR: {_named(result.rule)}peak {result.peak:.3g}{multiplied(result)} after "
        f"{probes}, {price}{_discarded(result)}"
    )


def ended(result: "Result") -> Iterator[str]:
    """Yield a line where the run has ended with an average of its last weights."""
    if said := averaged_text(result):
        yield f"AutoLR: the run ends with {said}"


def excluded(rules: Sequence[str]) -> Iterator[str]:
    """Yield a line for the rules of a space that do not race, if there are any."""
    if rules:
        names = ", ".join(rules)
        yield f"AutoLR: the race leaves out {names}: at most 5 rules, fewer in a short run"


def _discarded(result: "Result") -> str:
    if not result.rollbacks:
        return ""
    steps = counted(result.discarded_steps, "step")
    return f"; rollbacks discarded {steps}: trained from scratch, its schedule gives another run"


def _named(rule: str) -> str:
    return "" if rule == OWN else f"{rule}, "


def _settled(search: "Progress") -> bool:
    """Return whether the peak is known, and the run is still compared with others."""
    return search.probe is not None and search.probe.settled


def _change(scores: tuple[ProbeScore, ...], total_steps: int) -> Iterator[str]:
    """Yield a line for a rival that has taken the run's place; the run was scored first."""
    for rival in (one for one in scores[1:] if one.kept):
        if rival.annealed:
            yield f"AutoLR: step {rival.horizon}: continues with {rival.candidate.schedule}"
            continue
        factor = rival.rate(total_steps) / scores[0].rate(total_steps)
        yield f"AutoLR: step {rival.horizon}: rate x{factor:.3g}"


def _rolled_back(
    rollback: RollbackRecord, before: "Progress", after: "Progress", monitor: Monitor
) -> str:
    """Return the line for a rollback, with the step at which it was decided.

    A copy of the best state that has been trained beside the run is recorded with the step at which
    that began: its rates are those of the schedule from there on.
    """
    best = math.inf if before.best is None else before.best[1]
    decided = max(rollback.step, *(scored.horizon for scored in after.scores[-1:]))
    cut, to = f"rate x{rollback.factor:.3g}", f"step {rollback.to}"
    value = monitor.text(rollback.score)
    if not math.isfinite(rollback.score):
        said = f"the loss diverged: back to {to}, {cut}"
    elif decided == rollback.step:
        was = f", was {monitor.text(best)} there" if math.isfinite(best) else ""
        said = f"{monitor.name} {value}: back to {to}{was}, {cut}"
    else:
        was = f", {monitor.text(best)} at {to}" if math.isfinite(best) else ""
        said = (
            f"{monitor.name} was {value} at step {rollback.step}{was}: a copy of {to}, trained "
            f"beside the run since then at {cut}, replaces it"
        )
    return f"AutoLR: step {decided}: {said}"


def _worth_saying(
    before: Sequence[CopyRecord], after: Sequence[CopyRecord]
) -> Iterator[CopyRecord]:
    """Yield new records in which rivals ended, and the first of what cannot be returned to.

    That there is no room is said once: it is so for every round to come.
    """
    known = any(record.renewed for record in before)
    crowded = any(record.unmade for record in before)
    for record in after[len(before) :]:
        told = crowded if record.unmade else known and not record.ended
        if not (told or record.ends_search):
            yield record
        known |= record.renewed
        crowded |= record.unmade


def copies_text(record: CopyRecord) -> str:
    """Return why copies of the run ended or were not made, and what followed from it."""
    ended = ", ".join(f"{peak:.3g}" for peak in record.ended)
    rivals = f"; no rivals at {ended}" if ended else ""
    renewed = "; the run never returns to a state from before" if record.renewed else ""
    return f"{record.reason}{rivals}{renewed}"


def _forecast(
    before: "Progress", after: "Progress", total_steps: int, monitor: Monitor
) -> Iterator[str]:
    """Yield a line for the expected end, once: when no later score will count."""
    curve = run_scores(after.scores, after.rollbacks)
    upcoming = [] if after.probe is None else [(after.probe.horizon, 0.0)]
    last = forecast_origin([*curve, *upcoming], total_steps)
    if len(after.scores) == len(before.scores) or last != after.scores[-1].horizon:
        return
    if (forecast := expected_at(curve, total_steps, total_steps)) is not None:
        text = f"expected {monitor.name} {monitor.expected(forecast)}"
        yield f"AutoLR: step {last}: {text} after {counted(total_steps, 'step')}"
