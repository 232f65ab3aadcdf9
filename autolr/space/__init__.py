"""Search spaces: named domains, parsed from mappings.

A space is a flat mapping from names to domains:

>>> space = parse_space({
...     "lr": {"low": "1e-4", "high": 0.1, "log": True},
...     "cooldown": {"low": 0.1, "high": 0.5, "when": {"schedule": "wsd"}},
...     "schedule": ["linear", "wsd"],
... })
>>> space.names
('lr', 'schedule', 'cooldown')
>>> space.active({"lr": 0.01, "schedule": "linear"})
('lr', 'schedule')

A list is a choice, a scalar a fixed value (a choice of one), a mapping with ``low`` and ``high`` a
range, of whole numbers with ``type: int``. ``{choices: [...]}`` is the long form of a list. The
members of a list may be lists or mappings themselves: ``[[64, 64], [128]]``. A mapping may
have ``when: {parent: value or list of values}``: the parameter exists only then.
YAML 1.1 reads ``1e-4`` as a string; such strings are numbers in ``low``, ``high`` and under ``lr``.
"""

from autolr.space.domains import Choice as Choice
from autolr.space.domains import Domain as Domain
from autolr.space.domains import Range as Range
from autolr.space.domains import Scalar as Scalar
from autolr.space.domains import Value as Value
from autolr.space.domains import check_no_pairs as check_no_pairs
from autolr.space.domains import label as label
from autolr.space.points import Point as Point
from autolr.space.points import nearest as nearest
from autolr.space.points import parse_points as parse_points
from autolr.space.points import within as within
from autolr.space.space import Space as Space
from autolr.space.space import Trial as Trial
from autolr.space.space import parse_space as parse_space
