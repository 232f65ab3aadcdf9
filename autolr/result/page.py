"""A result as one HTML page: no network, no script, light and dark."""

from html import escape
from typing import TYPE_CHECKING

from autolr import schedules
from autolr.counted import counted
from autolr.drawing.sheet import document, facts, wide
from autolr.online.records import ProbeScore
from autolr.result.charts import rate_chart, rates_chart, run_chart
from autolr.result.messages import copies_text
from autolr.result.summary import averaged_text, runs_text, size_text
from autolr.rules.fixed import OWN
from autolr.schedules import Schedule

if TYPE_CHECKING:
    from autolr.result.result import Result

_LONG = 300  # characters of a schedule: the snippet of a longer one loads result.json


def result_page(result: "Result") -> str:
    """Return the page of a result: a single file without links."""
    name = escape(result.monitor.name)
    parts = [
        f"<h1>{_title(result)}</h1>",
        f"<p>searched by autolr within a run of {counted(result.total_steps, 'step', ',')}</p>",
        _facts(result),
        f"<h2>Rates compared</h2><p>{name} that each would reach if it were annealed there; "
        "filled: the rate with which the run continued</p>",
        rates_chart(result),
        f"<h2>The run</h2><p>{name} if it were annealed at that step</p>",
        run_chart(result) + rate_chart(result),
        _profiles(result),
        "<h2>Replay it with plain torch</h2>",
        f"<pre>{escape(snippet(result))}</pre>",
        f"<h2>All scores</h2>{_table(result)}",
    ]
    return document(f"autolr: {_title(result)}", parts)


def framed_page(result: "Result") -> str:
    """Return the page in an HTML frame, as tall as a screen; its styles do not leave the frame."""
    frame = 'style="width: 100%; height: 640px; border: 0"'
    return f'<iframe srcdoc="{escape(result_page(result))}" {frame}></iframe>'


def snippet(result: "Result") -> str:
    """Return the lines of Python that replay a result on an ``optimizer`` of the user's."""
    if result.own_peak is not None:
        return _lost(result) + _with_own_scheduler(result)
    if result.own_rates:
        return _with_several_optimizers(result)
    made, schedule = _schedule_lines(result)
    if result.rule == OWN:
        optimizer = f"# the optimizer, made with lr={result.run_peak!r}\n"
    else:
        made = f"import autolr.rules\n{made}"
        settings = "".join(f", {name}={value!r}" for name, value in result.rule_settings)
        build = f"build({result.rule!r}, model.parameters(), peak={result.run_peak!r}{settings})"
        optimizer = f"optimizer = autolr.rules.{build}\n"
    these = counted(result.total_steps, "step")
    cut = f"# the run ended after {result.stopped_at} of these {these}\n"
    return (
        f"from torch.optim.lr_scheduler import LambdaLR\n{made}\n"
        f"{_lost(result)}"
        f"{cut if result.stopped_at is not None else ''}"
        f"{optimizer}"
        f"{schedule}\n"
        f"scheduler = LambdaLR(optimizer, schedule.timed({result.total_steps}))\n"
        "# scheduler.step() after each optimizer.step()"
    )


def _with_own_scheduler(result: "Result") -> str:
    """Return the lines that replay a run whose module has a scheduler of its own."""
    if result.schedule == schedules.constant():
        return (
            "# keep the scheduler of your module, and multiply every rate\n"
            f"# that it and its optimizer are given by {result.factor!r}"
        )
    made, schedule = _schedule_lines(result)
    follows = f"FollowCandidate({result.run_peak!r}, schedule, own_peak={result.own_peak!r})"
    return (
        f"{made}from autolr.callbacks import FollowCandidate\n\n"
        f"# keep the scheduler of your module: each of its rates is multiplied by\n"
        f"# {result.factor!r} and by what the schedule says of the step\n"
        f"{schedule}\n"
        f"trainer = Trainer(callbacks=[{follows}])"
    )


def _with_several_optimizers(result: "Result") -> str:
    """Return the lines that replay a run with several optimizers."""
    made, schedule = _schedule_lines(result)
    assert result.factor is not None
    rates = [f"{name} {rate:.4g} -> {rate * result.factor:.4g}" for name, rate in result.own_rates]
    return (
        f"from torch.optim.lr_scheduler import LambdaLR\n{made}\n"
        f"{_lost(result)}"
        f"# the optimizers, with each of their rates multiplied by {result.factor!r}:\n"
        f"# {', '.join(rates)}\n"
        f"{schedule}\n"
        f"multiplier = schedule.timed({result.total_steps})\n"
        "schedulers = [LambdaLR(optimizer, multiplier) for optimizer in optimizers]\n"
        "# step each of them once after a batch in which any optimizer has stepped"
    )


def _schedule_lines(result: "Result") -> tuple[str, str]:
    """Return the import and the line that make the schedule."""
    text = repr(result.schedule)
    if len(text) > _LONG:
        return "import autolr\n", 'schedule = autolr.load_result("result.json").schedule'
    kinds = ", ".join(sorted(_kinds(result.schedule)))
    return f"from autolr.schedules import {kinds}\n", f"schedule = {text}"


def _lost(result: "Result") -> str:
    lines = []
    if result.rollbacks:
        steps = counted(result.discarded_steps, "step")
        lines += [
            f"# {steps} that rollbacks discarded are not replayed: from scratch the schedule\n",
            "# gives another run\n",
        ]
    if (end := result.averaged) is not None:
        lines += [
            f"# at the end: the average of the weights of the last {end.window} steps,\n",
            f"# in a Trainer callbacks=[autolr.AverageLastSteps({end.window})]\n",
        ]
    return "".join(lines)


def _title(result: "Result") -> str:
    if not result.compared:
        return f"No peak: nothing could be compared, the run kept {result.run_peak:.4g}"
    peak = f"eak rate {result.peak:.4g}"
    return f"P{peak}" if result.rule == OWN else f"Rule {result.rule}, p{peak}"


def _facts(result: "Result") -> str:
    total, beside = result.stopped_at or result.total_steps, result.probe_steps
    rows = [
        (
            "price",
            runs_text(result.price),
            f"{counted(total, 'step', ',')} and {beside:,} beside the run",
        )
    ]
    if result.copy_bytes:
        copied = "at most, of rivals and of the state to go back to"
        rows.append(("copies of the run", size_text(result.copy_bytes), copied))
    if result.stopped_at is not None:
        said = f"of {counted(result.total_steps, 'step', ',')}: it was not annealed"
        rows.append(("the run ended early", f"after {result.stopped_at:,}", said))
    if result.forecast is not None:
        value, _, spread = result.monitor.expected(result.forecast).partition(" ")
        rows.append((f"{result.monitor.name} expected at the end", value, spread.strip("()")))
    if result.highest_rate is not None:
        rows.append(("highest rate applied", f"{result.highest_rate:.4g}", _relation(result)))
    passes, scores = counted(result.validation_passes, "pass"), len(result.scores)
    rows.append(("validation", passes, f"for {counted(scores, 'score')}"))
    rows += [(f"step {one.step:,}", "fewer copies", copies_text(one)) for one in result.copies]
    steps = counted(result.discarded_steps, "step")
    lost = f"they discarded {steps}: from scratch its schedule differs"
    back = lost if result.rollbacks else "it never got worse"
    times = counted(len(result.rollbacks), "time")
    rows.append(("rolled back", times if result.rollbacks else "never", back))
    if said := averaged_text(result):
        rows.append(("weights at the end", "averaged", said))
    return facts(rows)


def _relation(result: "Result") -> str:
    """Return how the highest rate relates to the peak."""
    if result.own_rates:
        return f"of any optimizer; the rates of all are multiplied by {result.factor:.4g}"
    if result.own_peak is None:
        return f"of a peak of {result.run_peak:.4g}"
    own = f"of {result.own_peak:.4g} in the module's scheduler, multiplied by {result.factor:.4g}"
    return own if result.schedule == schedules.constant() else f"{own} and by {result.schedule}"


def _profiles(result: "Result") -> str:
    """Return the table of the compared schedules, if there are any."""
    probes = [probe for probe in result.scores if probe.annealed]
    if not probes:
        return ""
    name = escape(result.monitor.name)
    rows = "".join(
        f'{_open(one)}<td class="text">{escape(str(one.candidate.schedule))}</td>'
        f"<td>{result.monitor.text(one.score)}</td><td>{'yes' if one.kept else ''}</td></tr>"
        for one in probes
    )
    steps = f"steps {probes[0].start} to {probes[0].horizon}"
    head = f'<tr><th class="text">schedule</th><th>{name}</th><th>kept</th></tr>'
    said = f"<p>copies of the run annealed within {steps}</p>"
    return f"<h2>Schedules compared</h2>{said}" + wide(f"<table>{head}{rows}</table>")


def _table(result: "Result") -> str:
    columns = ["rule", "step", "started at", "peak", "rate", result.monitor.name, "kept"]
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    rows = "".join(_row(result, probe) for probe in result.scores)
    return wide(f"<table><tr>{head}</tr>\n{rows}</table>")


def _row(result: "Result", probe: ProbeScore) -> str:
    peak, rate = f"{probe.candidate.peak:.4g}", f"{probe.rate(result.total_steps):.4g}"
    score, kept = result.monitor.text(probe.score), "yes" if probe.kept else ""
    cells = [probe.candidate.rule, str(probe.horizon), str(probe.start), peak, rate, score, kept]
    return f"{_open(probe)}{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>\n"


def _kinds(schedule: Schedule) -> set[str]:
    """Return the functions that the text of a schedule calls."""
    own = {schedule.kind} if hasattr(schedules, schedule.kind) else set()
    return own.union(*map(_kinds, schedule.parts))


def _open(probe: ProbeScore) -> str:
    return "<tr>" if probe.kept else '<tr class="rest">'
