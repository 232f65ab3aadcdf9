"""Lightning callbacks.

`AutoLR` searches the peak within a run. `FollowCandidate` trains with a known peak and schedule,
and `AverageLastSteps` ends a run as such a search may: both replay it. `ApplyRule` has a rule for
the size of each step, `CycleMomentum` a momentum that moves against the rate. `MergeCheckpoints`
has a weighted sum of the last checkpoints validated and saved.
`PruneTrial` scores a trial at rungs and stops it where it is not worth finishing. `RangeTest` tests
rates beside a run, `MeasureNoiseScale` estimates the critical batch size, and `RecordNorms` keeps
what ``autolr refine`` needs.
"""

from autolr.callbacks.averaged_end import AverageLastSteps as AverageLastSteps
from autolr.callbacks.candidate import FollowCandidate as FollowCandidate
from autolr.callbacks.merging import MergeCheckpoints as MergeCheckpoints
from autolr.callbacks.momentum import CycleMomentum as CycleMomentum
from autolr.callbacks.noise_scale import MeasureNoiseScale as MeasureNoiseScale
from autolr.callbacks.online import AutoLR as AutoLR
from autolr.callbacks.prune import PruneTrial as PruneTrial
from autolr.callbacks.range_test import RangeTest as RangeTest
from autolr.callbacks.record_norms import RecordNorms as RecordNorms
from autolr.callbacks.rule import ApplyRule as ApplyRule
