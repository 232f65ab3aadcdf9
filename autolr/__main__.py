"""``python -m autolr`` is the command ``autolr``."""

import sys

from autolr.cli import main

sys.exit(main())
