"""What `autolr doctor` says of packages, devices and folders."""

from pathlib import Path

import pytest

from autolr.cli import main
from autolr.doctor import Finding, Section, verdict
from autolr.doctor.installation import installation, packages
from autolr.doctor.machine import folder


def test_what_the_tests_run_on_is_supported() -> None:
    findings = list(installation())
    assert [finding for finding in findings if finding.level == "wrong"] == []
    assert {"python", "autolr", "torch", "lightning", "pytorch-lightning", "optuna"} <= {
        finding.topic for finding in findings
    }


def test_packages_that_are_missing_or_too_old_are_wrong_with_what_installs_them() -> None:
    lines = ["numpy>=99", "no-such-package>=1", "numpy>=1", 'ray>=99; extra == "ray"', "?"]
    assert list(packages(lines)) == [
        Finding("numpy", next(packages(["numpy>=99"])).text, "wrong"),
        Finding(
            "no-such-package",
            "is not installed; autolr supports >=1: pip install 'no-such-package>=1'",
            "wrong",
        ),
    ]
    assert next(packages(["numpy>=99"])).text.endswith("pip install 'numpy>=99'")


def test_a_folder_that_cannot_be_made_or_everybody_can_write_to_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (finding,) = folder(tmp_path / "file", "results", ours=True)
    assert finding.level == "wrong"
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    _, finding = folder(tmp_path / "open", "results", ours=True)
    assert (finding.level, "chmod o-w" in finding.text) == ("wrong", True)
    assert [one.level for one in folder(tmp_path / "open", "present", ours=False)] == ["ok"]
    assert [one.level for one in folder(tmp_path / "new/one", "results", ours=True)] == ["ok"]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("levels", "line"),
    [
        ((), "nothing is wrong"),
        (("note",), "nothing is wrong"),
        (("wrong",), "1 thing is wrong"),
        (("wrong", "ok", "wrong"), "2 things are wrong"),
    ],
)
def test_the_last_line_counts_what_is_wrong(levels, line) -> None:
    sections = [Section("a", tuple(Finding("b", "c", level) for level in levels))]
    assert verdict(sections) == line


def test_lines_fit_into_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "nothing is wrong" in lines[-1]
    assert max(map(len, lines)) <= 80 + len("\x1b[1m\x1b[0m") * 3
