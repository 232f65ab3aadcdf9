"""A result as plain JSON values and back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from autolr.online.forecast import Forecast
from autolr.online.monitor import Monitor
from autolr.online.prior_peak import MovedPeak
from autolr.online.scan import Scan
from autolr.online.serialization import (
    copies_from_list,
    copies_to_list,
    end_from_dict,
    end_to_dict,
    rollbacks_from_list,
    rollbacks_to_list,
    scores_from_list,
    scores_to_list,
)
from autolr.result.result import Result
from autolr.rules.fixed import OWN
from autolr.schedules import Schedule
from autolr.settings import Positive, check_of, read_number, read_whole


def result_to_dict(result: Result) -> dict[str, Any]:
    """Return plain JSON values; `result_from_dict` takes them back."""
    return {
        "rule": result.rule,
        "rule_settings": dict(result.rule_settings),
        "peak": result.peak,
        "kept_peak": result.kept_peak,
        "schedule": result.schedule.to_dict(),
        "probe_steps": result.probe_steps,
        "total_steps": result.total_steps,
        "validation_passes": result.validation_passes,
        "stopped_at": result.stopped_at,
        "own_peak": result.own_peak,
        "highest_rate": result.highest_rate,
        "own_rates": [list(pair) for pair in result.own_rates],
        "forecast": None if result.forecast is None else asdict(result.forecast),
        "monitor": asdict(result.monitor),
        "scan": None if result.scan is None else result.scan.to_dict(),
        "scores": scores_to_list(result.scores),
        "returns": rollbacks_to_list(result.rollbacks),
        "copy_bytes": result.copy_bytes,
        "copies": copies_to_list(result.copies),
        "optimizer": result.optimizer,
        "prior": None if result.prior is None else asdict(result.prior),
        "averaged": end_to_dict(result.averaged),
    }


def result_from_dict(values: Mapping[str, Any]) -> Result:
    """Return the result that `result_to_dict` described; of an earlier version too.

    Raises:
        ConfigError: If a peak or the length is no number that a run can have.
        LookupError, TypeError: If a key is missing, or a value has another type.
    """
    return Result(
        peak=_rate(values, "peak"),
        kept_peak=_rate(values, "kept_peak"),
        schedule=Schedule.from_dict(values["schedule"]),
        scores=scores_from_list(values["scores"]),
        probe_steps=values["probe_steps"],
        total_steps=read_whole("total_steps", values["total_steps"], 0),
        validation_passes=values["validation_passes"],
        rollbacks=rollbacks_from_list(values["returns"]),
        own_peak=_rate(values, "own_peak"),
        highest_rate=values.get("highest_rate"),
        own_rates=tuple((name, rate) for name, rate in values.get("own_rates", ())),
        forecast=Forecast(**values["forecast"]) if values.get("forecast") else None,
        monitor=Monitor(**values.get("monitor", {})),
        scan=Scan.from_dict(values["scan"]) if values.get("scan") else None,
        rule=values.get("rule", OWN),
        rule_settings=tuple(values.get("rule_settings", {}).items()),
        stopped_at=values.get("stopped_at"),
        copy_bytes=values.get("copy_bytes", 0),
        copies=copies_from_list(values.get("copies", ())),
        optimizer=values.get("optimizer"),
        prior=MovedPeak(**values["prior"]) if values.get("prior") else None,
        averaged=end_from_dict(values.get("averaged")),
    )


def _rate(values: Mapping[str, Any], name: str) -> float | None:
    value = values.get(name)
    return None if value is None else read_number(name, check_of(Positive), value)
