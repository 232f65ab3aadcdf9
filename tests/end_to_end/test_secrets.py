"""A password in the URL of a storage is neither printed nor written by any command."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.conftest import Project
from tests.postgresql import Server, running_server

pytestmark = pytest.mark.slow

SECRET = "Pa55-w0rd"


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.mark.parametrize("by_option", [False, True])
def test_no_command_prints_or_writes_the_password_of_a_database(
    project: Project, database: Server, by_option: bool
) -> None:
    plain = database.new_database()  # it trusts any password
    hidden = f"tester:{SECRET}@"
    url = f"{plain}?password={SECRET}" if by_option else plain.replace("tester@", hidden)
    stored = ("--storage", url)
    in_config = {"tune/storage": url, "tune/workers": 2}
    project.configure(in_config)
    for number in (0, 1):  # in the second the model fails
        words = ("--study", f"s{number}", "--trials", 2)
        finished = project.run("tune", "tune.yaml", *words)
        assert finished.status == number, finished
        project.change_model(("time.sleep", "raise KeyError\n        time.sleep"))
    again = project.run(
        "tune", "tune.yaml", "--study", "s0", "--out", "autolr_runs/s1", "--trials", 3
    )
    assert again.status == 4  # the folder of another study
    commands = [again, finished, project.run("show", *stored), project.run("show", "s0", *stored)]
    commands += [project.run("report", "s0", *stored), project.run("export", "s0", *stored)]
    commands += [
        project.run("report", "none", *stored),
        project.run("show", "s0", "--json", *stored),
    ]
    more = "&" if by_option else "?"
    for wrong in (
        f"{url}{more}sslmode={SECRET}",
        f"{url}{more}options=-c{SECRET}",
        f"postgres://{url}",
        url[:40],
    ):
        commands += [project.run(word, "s0", "--storage", wrong) for word in ("show", "export")]
        commands.append(project.run("tune", "tune.yaml", "--storage", wrong))
    commands.append(project.run("show", "--storge", url))
    (project.folder / "tune.yaml").unlink()
    printed = "".join(command.out + command.err for command in commands)
    assert SECRET not in printed
    assert "Traceback" not in printed
    written = [file for file in project.folder.rglob("*") if file.is_file()]
    assert len(written) > 10
    assert [file for file in written if SECRET.encode() in file.read_bytes()] == []
