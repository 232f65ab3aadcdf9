"""Draw the rates that AutoLR compared on the GPT, and whole runs at each peak of its race.

    python -m examples.gpt.figure examples/gpt/figure.png     # needs the extra bench

Takes about three minutes: one run with AutoLR, then one at each peak with the same schedule.
"""

import sys

import matplotlib.pyplot as plt

from autolr.callbacks import AutoLR, FollowCandidate
from examples.gpt.train import fit

STEPS = 1000


def main() -> None:
    """Train, draw, save."""
    autolr = AutoLR()
    loss = fit(autolr, STEPS)
    result = autolr.result
    probes = result.probes
    first = result.scores[0].candidate.schedule
    peaks = sorted(set(probes[probes["start"] == 0]["peak"]))
    finals = [fit(FollowCandidate(peak, first), STEPS) for peak in peaks]

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    compared = probes.groupby("horizon").filter(lambda scored: len(scored) > 1)
    for horizon, scored in compared.groupby("horizon"):
        scored = scored.sort_values("rate")
        (line,) = left.plot(scored["rate"], scored["score"], "o-", label=f"at step {horizon}")
        kept = scored[scored["kept"]]
        left.plot(kept["rate"], kept["score"], "o", markersize=11, mfc="none", c=line.get_color())
    left.set(
        title=f"beside the run: {result.probe_steps} steps in all", ylabel="val_loss, averaged"
    )
    left.legend(frameon=False)
    right.plot(peaks, finals, "o-", color="0.5", label=f"fixed peaks: {len(peaks)} runs")
    label = f"AutoLR: {result.price:.2f} runs"
    right.plot(result.peak, loss, "*", markersize=15, color="C3", label=label)
    right.set(title=f"after the run of {STEPS} steps", ylabel="val_loss")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.set(xscale="log", xlabel="peak rate")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(sys.argv[1], dpi=120)
    rows = ", ".join(f"{p:.3g}: {v:.3f}" for p, v in zip(peaks, finals, strict=True))
    print(f"AutoLR: peak {result.peak:.3g}, val_loss {loss:.3f}, price {result.price:.3f} runs")
    print(f"whole runs by peak: {rows}")


if __name__ == "__main__":
    main()
