"""Draw pages of results and reports as pictures, for the documents; it needs Chromium.

    python -m examples.pages found/result.html autolr_runs/digits/report.html --to docs/assets

writes ``result_page.png`` and ``report_page.png``: what the tutorial leaves, as it looks.
"""

import argparse
import shutil
import subprocess
from pathlib import Path

_SIZE = (900, 1100)  # pixels: the upper half of a page
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def draw(page: Path, picture: Path) -> None:
    """Write a picture of a page's upper half.

    Args:
        page: A file of HTML.
        picture: A file of PNG.

    Raises:
        SystemExit: If there is no browser.
    """
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"no browser: install one of {', '.join(_BROWSERS)}")
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--force-device-scale-factor=1"]
    size = f"--window-size={_SIZE[0]},{_SIZE[1]}"
    command = [browser, *options, size, f"--screenshot={picture}", page.resolve().as_uri()]
    subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    """Draw each page that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    arguments = parser.parse_args()
    for page in arguments.pages:
        picture = arguments.to.resolve() / f"{page.stem}_page.png"
        draw(page, picture)
        print(f"wrote {picture}")


if __name__ == "__main__":
    main()
