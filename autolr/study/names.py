"""Names of attributes that a study or a trial stores about how it began, and what it found."""

SEARCHES = "searches"  # of a study: whether its first trial searches; of that trial: what
SEARCHED = "searched"  # of that trial: whether its search has found a peak
DISCARDED = "discarded_steps"  # likewise: from which it went back, which cannot be repeated
AVERAGED = (
    "averaged_steps"  # likewise: the last ones, over which the weights at its end are averaged
)
START = "start"  # of a trial: the one of the user's points to try first that it was given
OWN_PEAK = "own_peak"  # likewise, of the module's own scheduler, which its schedule multiplies
