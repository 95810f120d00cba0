"""What make asks of a machine, what it does without, and what it hands on."""

import shutil
import subprocess
from pathlib import Path

import pytest

from run_pipeline import _parse
from support.path_commands import put_command, put_own

ROOT = Path(__file__).parents[1]
# Both environments, as they are made.
MADE = ("-o", "env")
NO_BUILDX = '[ "$1" != buildx ] || exit 1'
NO_COMPOSE = '[ "$1" != compose ] || exit 1'
# A Python whose environments hold a Python like it, and which says what it installs.
PYTHON = """
case "$*" in
*version_info*|*libgomp*) ;;
"-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
*"pip install"*) for wanted; do :; done; echo "$wanted"; touch "${0%python}uv" ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of the few commands that a machine has."""
    (tmp_path / "machine").mkdir()
    put_own(tmp_path / "machine", "sed", "mkdir", "cp", "touch")
    return tmp_path / "machine"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The Makefile, with environments whose Python says what it is told."""
    project = tmp_path / "project"
    (project / "images/requirements").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", project)
    for name in ("dev", "airflow"):
        (project / f"images/requirements/{name}.txt").touch()
    for environment in (".venv", ".venv-airflow"):
        (project / environment / "bin").mkdir(parents=True)
        put_command(project / environment / "bin", "python", 'echo "$@"')
        (project / environment / ".made").touch()
    return project


def make(project: Path, machine: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    found = shutil.which("make")
    assert found
    return subprocess.run(
        [found, *arguments], cwd=project, env={"PATH": str(machine)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def told(done: "subprocess.CompletedProcess[str]") -> str:
    """What the last command was told, of a make that ended well."""
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([], {"force_retrain": False, "force": False, "k": 10, "horizon": 7, "trials": 50}),
        (["RETRAIN=1", "K=5"], {"force_retrain": True, "force": False, "k": 5}),
        (["FORCE=1", "HORIZON=28", "TRIALS=3"], {"force": True, "horizon": 28, "trials": 3}),
    ],
)
def test_a_run_gets_what_it_is_made_with(
    project: Path, machine: Path, settings: list[str], expected: dict[str, object]
) -> None:
    script, *arguments = told(make(project, machine, *MADE, "run", "RUNNER=process", *settings)).split()
    assert script == "dags/run_pipeline.py"
    options = vars(_parse([argument.strip('"') for argument in arguments]))
    assert {name: options[name] for name in expected} == expected


@pytest.mark.parametrize(("docker", "runner"), [(None, "process"), (NO_BUILDX, "process"), ("", "docker")])
def test_stages_are_containers_where_an_engine_runs_and_buildx_makes_images(
    project: Path, machine: Path, docker: str | None, runner: str
) -> None:
    put_command(project / "images", "build.sh")
    if docker is not None:
        put_command(machine, "docker", docker)
    assert f"--runner {runner} " in told(make(project, machine, *MADE, "run"))


@pytest.mark.parametrize("target", ["up", "down"])
def test_without_compose_the_stack_is_refused_in_one_line(project: Path, machine: Path, target: str) -> None:
    put_command(machine, "docker", NO_COMPOSE)
    done = make(project, machine, *MADE, target)
    assert (done.returncode, done.stdout) == (2, "")
    first, _ = done.stderr.splitlines()
    assert first.startswith("compose: Docker's Compose 2 is missing; on Debian: apt-get install ")


@pytest.mark.parametrize(
    ("env", "tag"),
    [("", ""), ("SODAI_IMAGE_TAG=two\n", "two"), ('A=1\nSODAI_IMAGE_TAG="v1.2-a"\n', "v1.2-a")],
)
def test_the_images_that_are_built_for_the_stack_are_those_that_compose_starts(
    project: Path, machine: Path, env: str, tag: str
) -> None:
    (project / ".env").write_text(env)
    put_command(machine, "docker")
    put_command(project / "images", "build.sh", 'echo "tag: $SODAI_IMAGE_TAG"')
    done = make(project, machine, *MADE, "up")
    assert told(done) == "dags/run_stack.py"
    assert done.stdout.splitlines()[0] == f"tag: {tag}"


def test_what_lightgbm_needs_of_a_machine_is_told_before_anything_is_installed(
    project: Path, machine: Path
) -> None:
    put_command(machine, "python3", 'case "$*" in *libgomp.so.1*) exit 1 ;; esac')
    done = make(project, machine, "env")
    assert (done.returncode, done.stdout) == (2, "")
    first, _ = done.stderr.splitlines()
    assert first == ("env: libgomp.so.1 is missing, LightGBM needs it; on Debian: apt-get install libgomp1")


def test_a_uv_of_another_version_is_installed_once(project: Path, machine: Path) -> None:
    put_command(machine, "python3", PYTHON)
    made = [make(project, machine, "env", f"UV_VERSION={version}") for version in ("1.0", "2.0", "2.0")]
    assert [(done.returncode, done.stdout) for done in made] == [
        (0, "uv==1.0\n"),
        (0, "uv==2.0\n"),
        (0, "make: Nothing to be done for 'env'.\n"),
    ]


def test_tests_run_without_the_browser_that_cannot_be_installed(project: Path, machine: Path) -> None:
    put_command(machine, "id", "echo 0")
    put_command(machine, "apt-get", "exit 100")
    done = make(project, machine, *MADE, "test", "TESTS=tests/dags")
    assert told(done).startswith("tests/run_tests.py --without docker,compose,browser ")
    assert told(done).endswith(" tests/dags")
    assert "test: no chromium or no chromedriver, tests that need them are left out" in done.stdout


def test_the_browser_is_asked_for_strictly(project: Path, machine: Path) -> None:
    put_command(machine, "id", "echo 0")
    put_command(machine, "apt-get", "exit 100")
    assert make(project, machine, "browser").returncode == 2


@pytest.mark.parametrize(
    ("found", "installs"),
    [(["chromium", "chromedriver"], False), (["chromium"], True), (["chromedriver"], True), ([], True)],
)
def test_the_browser_is_installed_where_it_or_its_driver_is_missing(
    project: Path, machine: Path, found: list[str], installs: bool
) -> None:
    for name in found:
        put_command(machine, name)
    put_command(machine, "id", "echo 0")
    put_command(machine, "apt-get", "echo asked >>installed")
    assert make(project, machine, "browser").returncode == 0
    assert (project / "installed").exists() == installs
