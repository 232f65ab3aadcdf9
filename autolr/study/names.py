"""Names of attributes that a study or a trial stores about the search in its first trial."""

SEARCHES = "searches"  # of a study: whether its first trial searches; of that trial: what
SEARCHED = "searched"  # of that trial: whether its search has found a peak
DISCARDED = "discarded_steps"  # likewise: from which it went back, which cannot be repeated
