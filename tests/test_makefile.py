"""The commands of the Makefile: what they need of a machine, and what they pass on."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from make_commands.run import _parse
from sodai_dag.parameters import RUN_PARAMETERS
from support.path_commands import put_command, put_own

ROOT = Path(__file__).parents[1]
# Both environments exist.
ENV_EXISTS = ("-o", "env")
NO_BUILDX = '[ "$1" != buildx ] || exit 1'
NO_COMPOSE = '[ "$1" != compose ] || exit 1'
# A Python whose environments contain a copy of it, and which prints what it installs.
PYTHON = """
case "$*" in
*version_info*|*libgomp*) ;;
"-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
*"pip install"*) for package; do :; done; echo "$package"; touch "${0%python}uv" ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder with the few commands of a machine."""
    (tmp_path / "machine").mkdir()
    put_own(tmp_path / "machine", "sed", "mkdir", "cp", "touch")
    return tmp_path / "machine"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The Makefile, with environments whose Python prints its arguments."""
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
    program = shutil.which("make")
    assert program
    return subprocess.run(
        [program, *arguments], cwd=project, env={"PATH": str(machine)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def last_arguments(done: "subprocess.CompletedProcess[str]") -> str:
    """Return the arguments of the last command of a successful make."""
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


DEFAULTS = {"as_of": None, "force_retrain": False, "force": False, "k": 10, "horizon_days": 7, "trials": 50}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ([], {"out": "data", "data": None}),
        (["RETRAIN=1", "K=5"], {"force_retrain": True, "k": 5}),
        (["FORCE=1", "HORIZON=28", "TRIALS=3"], {"force": True, "horizon_days": 28, "trials": 3}),
        (
            ["AS_OF=2025-01-06", "DATA=folder", "OUT=s3://bucket/prefix"],
            {"as_of": "2025-01-06", "data": Path("folder"), "out": "s3://bucket/prefix"},
        ),
    ],
)
def test_a_run_gets_the_variables_of_make(
    project: Path, machine: Path, variables: list[str], expected: dict[str, object]
) -> None:
    done = make(project, machine, *ENV_EXISTS, "run", "RUNNER=process", *variables)
    *program, name, runner = shlex.split(last_arguments(done))[:5]
    assert [*program, name, runner] == ["-P", "-m", "make_commands.run", "--runner", "process"]
    options = vars(_parse(shlex.split(last_arguments(done))[3:]))
    assert options == {"runner": "process", "out": "data", "data": None, **DEFAULTS, **expected}


def test_help_lists_every_parameter_of_a_run_with_its_default() -> None:
    (line,) = re.findall(r"^run: .*", (ROOT / "Makefile").read_text(), re.MULTILINE)
    documented = dict(re.findall(r"\[(\w+)=([^]]+)\]", line))
    defaults = {None: "date", False: "1"}
    assert documented == {
        "DATA": "folder",
        "OUT": "data",
        "RUNNER": "docker|process",
        **{each.variable: defaults.get(each.default, str(each.default)) for each in RUN_PARAMETERS},
    }


@pytest.mark.parametrize(("docker", "runner"), [(None, "process"), (NO_BUILDX, "process"), ("", "docker")])
def test_stages_are_containers_where_an_engine_runs_and_buildx_builds_images(
    project: Path, machine: Path, docker: str | None, runner: str
) -> None:
    put_command(project / "images", "build.sh")
    if docker is not None:
        put_command(machine, "docker", docker)
    assert f"--runner {runner} " in last_arguments(make(project, machine, *ENV_EXISTS, "run"))


@pytest.mark.parametrize("target", ["up", "down"])
def test_without_compose_the_stack_is_refused_in_one_line(project: Path, machine: Path, target: str) -> None:
    put_command(machine, "docker", NO_COMPOSE)
    done = make(project, machine, *ENV_EXISTS, target)
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
    done = make(project, machine, *ENV_EXISTS, "up")
    assert last_arguments(done) == "-P -m make_commands.up"
    assert done.stdout.splitlines()[0] == f"tag: {tag}"


def test_a_missing_library_of_lightgbm_is_reported_before_anything_is_installed(
    project: Path, machine: Path
) -> None:
    put_command(machine, "python3", 'case "$*" in *libgomp.so.1*) exit 1 ;; esac')
    done = make(project, machine, "env")
    assert (done.returncode, done.stdout) == (2, "")
    first, _ = done.stderr.splitlines()
    assert first == ("env: libgomp.so.1 is missing, LightGBM needs it; on Debian: apt-get install libgomp1")


def test_a_uv_of_another_version_is_installed_once(project: Path, machine: Path) -> None:
    put_command(machine, "python3", PYTHON)
    runs = [make(project, machine, "env", f"UV_VERSION={version}") for version in ("1.0", "2.0", "2.0")]
    assert [(done.returncode, done.stdout) for done in runs] == [
        (0, "uv==1.0\n"),
        (0, "uv==2.0\n"),
        (0, "make: Nothing to be done for 'env'.\n"),
    ]


def test_tests_run_without_the_browser_that_cannot_be_installed(project: Path, machine: Path) -> None:
    put_command(machine, "id", "echo 0")
    put_command(machine, "apt-get", "exit 100")
    done = make(project, machine, *ENV_EXISTS, "test", "TESTS=tests/dags")
    assert last_arguments(done).startswith("tests/run_tests.py --without docker,compose,browser ")
    assert last_arguments(done).endswith(" tests/dags")
    assert "test: no chromium or no chromedriver, tests that need them are skipped" in done.stdout


def test_make_browser_fails_where_the_browser_cannot_be_installed(project: Path, machine: Path) -> None:
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
