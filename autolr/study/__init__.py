"""Studies: storage, locks, sampling and Hyperband.

A driver holds the lock while it works; commands that only read call `peek`:

    with study.locked(url, name) as session:
        handle = study.open_study(url, name, sampler="tpe", seed=7, session=session)
        handle.check_fingerprint(parts)
        handle.recover()
        while True:
            match study.next_action(handle.statuses(), trials, hyperband):
                case study.Start():
                    trial = handle.ask()
                case study.Resume(number, promoted):
                    trial = handle.resume(number, promoted=promoted)
                case _:
                    break
            ...
            handle.complete(trial, value, {"candidate": candidate_id})
        handle.end_waiting("not among the best at its rung")
"""

from autolr.study.address import locate as locate
from autolr.study.earlier import moved_peak as moved_peak
from autolr.study.earlier import peak_of_search as peak_of_search
from autolr.study.earlier import peak_of_trial as peak_of_trial
from autolr.study.estimate import Estimate as Estimate
from autolr.study.fingerprint import Growth as Growth
from autolr.study.fingerprint import check_fingerprint as check_fingerprint
from autolr.study.handle import Study as Study
from autolr.study.health import Health as Health
from autolr.study.health import health as health
from autolr.study.heartbeat import Heartbeat as Heartbeat
from autolr.study.heartbeat import Lease as Lease
from autolr.study.heartbeat import check_unheld as check_unheld
from autolr.study.heartbeat import holder as holder
from autolr.study.hyperband import Bracket as Bracket
from autolr.study.hyperband import Hyperband as Hyperband
from autolr.study.importance import importances as importances
from autolr.study.lock import locked as locked
from autolr.study.names import AVERAGED as AVERAGED
from autolr.study.names import DISCARDED as DISCARDED
from autolr.study.names import OWN_PEAK as OWN_PEAK
from autolr.study.names import SEARCHED as SEARCHED
from autolr.study.names import SEARCHES as SEARCHES
from autolr.study.opening import announced as announced
from autolr.study.opening import open_study as open_study
from autolr.study.prior import SHARE as SHARE
from autolr.study.prior import middle_of as middle_of
from autolr.study.prior import share_of as share_of
from autolr.study.promotion import Action as Action
from autolr.study.promotion import Finish as Finish
from autolr.study.promotion import Resume as Resume
from autolr.study.promotion import Start as Start
from autolr.study.promotion import TrialStatus as TrialStatus
from autolr.study.promotion import Wait as Wait
from autolr.study.promotion import next_action as next_action
from autolr.study.proposal import Proposer as Proposer
from autolr.study.proposal import has_point as has_point
from autolr.study.proposal import key_of as key_of
from autolr.study.proposal import twin_of as twin_of
from autolr.study.ranking import keepers as keepers
from autolr.study.ranking import leader as leader
from autolr.study.ranking import repeatable as repeatable
from autolr.study.ranking import sign_of as sign_of
from autolr.study.reading import existing as existing
from autolr.study.reading import look as look
from autolr.study.reading import look_around as look_around
from autolr.study.reading import peek as peek
from autolr.study.reading import study_names as study_names
from autolr.study.records import BRACKETS as BRACKETS
from autolr.study.records import CANDIDATE as CANDIDATE
from autolr.study.records import DIVERGED as DIVERGED
from autolr.study.records import FOLDER as FOLDER
from autolr.study.records import ID as ID
from autolr.study.records import OFF_RUNG as OFF_RUNG
from autolr.study.records import OPTIMIZER as OPTIMIZER
from autolr.study.records import PRIOR as PRIOR
from autolr.study.records import RUNS as RUNS
from autolr.study.records import SAME_AS as SAME_AS
from autolr.study.records import SPREAD as SPREAD
from autolr.study.records import STOPPED_AT as STOPPED_AT
from autolr.study.records import STOPPED_VALUE as STOPPED_VALUE
from autolr.study.records import TrialRecord as TrialRecord
from autolr.study.regret import regret_bound as regret_bound
from autolr.study.repeating import repeat as repeat
from autolr.study.sampling import LOCAL as LOCAL
from autolr.study.sampling import sampler as sampler
from autolr.study.session import Session as Session
from autolr.study.stalling import has_stalled as has_stalled
from autolr.study.storage import storage_errors as storage_errors
from autolr.study.summary import Summary as Summary
from autolr.study.transitions import fix as fix
from autolr.study.users_sampler import rehearse as rehearse
