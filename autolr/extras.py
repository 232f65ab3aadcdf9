"""The packages that autolr can use and does not need."""

import re
from importlib.metadata import PackageNotFoundError, requires


def install_command(package: str) -> str:
    """Return the command that installs a package, in the versions that autolr supports.

    It names the package itself, not an extra of autolr: that works wherever autolr came from.

    >>> install_command("pyarrow")
    "pip install 'pyarrow>=15'"
    """
    try:
        required = requires("lightning-autolr") or []
    except PackageNotFoundError:  # a checkout on the path that pip does not know
        required = []
    for line in required:
        requirement = line.partition(";")[0].strip()
        if re.split(r"[^\w.-]", requirement)[0] == package:
            return f"pip install '{requirement}'"
    return f"pip install {package}"
