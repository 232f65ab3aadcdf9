"""Learning-rate schedules: profiles, and the algebra that combines them.

A schedule is a value that returns the multiplier of the peak at a step of a run. It holds neither
an optimizer nor the length of the run, which is an argument:

>>> schedule = warmup(0.1) | constant() | cooldown(0.2, "linear")
>>> schedule.values(10).round(3).tolist()
[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5]
>>> schedule.at(950, total_steps=1000)
0.25

With torch: ``LambdaLR(optimizer, schedule.timed(total_steps))``, stepped once per optimizer
step.
"""

from autolr.schedules import operators as operators
from autolr.schedules._clr import clr as clr
from autolr.schedules._constant import constant as constant
from autolr.schedules._cooldown import cooldown as cooldown
from autolr.schedules._cosine import cosine as cosine
from autolr.schedules._exponential import exponential as exponential
from autolr.schedules._inverse_sqrt import inverse_sqrt as inverse_sqrt
from autolr.schedules._linear import linear as linear
from autolr.schedules._onecycle import onecycle as onecycle
from autolr.schedules._piecewise import piecewise as piecewise
from autolr.schedules._polynomial import polynomial as polynomial
from autolr.schedules._power_law import power_law as power_law
from autolr.schedules._rex import rex as rex
from autolr.schedules._sgdr import sgdr as sgdr
from autolr.schedules._step import step as step
from autolr.schedules._tabulated import tabulated as tabulated
from autolr.schedules._uba import uba as uba
from autolr.schedules._untuned_warmup import untuned_warmup as untuned_warmup
from autolr.schedules._warmup import warmup as warmup
from autolr.schedules._wsd import wsd as wsd
from autolr.schedules.averaging import ema_weights as ema_weights
from autolr.schedules.averaging import lawa_weights as lawa_weights
from autolr.schedules.averaging import polynomial_weights as polynomial_weights
from autolr.schedules.catalogue import parse as parse
from autolr.schedules.catalogue import profile as profile
from autolr.schedules.convex_bound import Bound as Bound
from autolr.schedules.convex_bound import bound as bound
from autolr.schedules.exporting import Exported as Exported
from autolr.schedules.exporting import export as export
from autolr.schedules.merging import merge_weights as merge_weights
from autolr.schedules.momentum import Momentum as Momentum
from autolr.schedules.peak_transfer import transfer as transfer
from autolr.schedules.refinement import refine as refine
from autolr.schedules.registry import names as names
from autolr.schedules.registry import settings_of as settings_of
from autolr.schedules.run_extension import Extension as Extension
from autolr.schedules.run_extension import extend as extend
from autolr.schedules.schedule import Schedule as Schedule
from autolr.schedules.size_transfer import Sized as Sized
from autolr.schedules.size_transfer import transfer_size as transfer_size
