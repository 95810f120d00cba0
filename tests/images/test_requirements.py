"""Requirement files come from one resolution, and each pins every package that its stage imports."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sodai.data.catalog import STAGES

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "images" / "requirements"


def pins(name: str) -> dict[str, str]:
    lines = (REQUIREMENTS / f"{name}.txt").read_text().splitlines()
    matches = (re.match(r"([a-z0-9-]+)==([^ ;\\]+)", line) for line in lines)
    return {match[1]: match[2] for match in matches if match}


def canonical(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=! ;]", requirement)[0]).lower()


def declared(project: Path) -> set[str]:
    dependencies = tomllib.loads(project.read_text())["project"]["dependencies"]
    return {canonical(dependency) for dependency in dependencies}


def walk_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and the nodes below it, without code for type checkers only."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from walk_run_time(child)


def imported(file: Path) -> set[str]:
    """Return every module that a file imports, inside functions too."""
    names: set[str] = set()
    for node in walk_run_time(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def imported_by_stage(stage: str) -> set[str]:
    """Return every module that a stage imports, directly or through shared modules."""
    return imported_by_files(*(ROOT / "stages" / stage).rglob("*.py"))


def imported_by_files(*entries: Path) -> set[str]:
    """Return every module that some files import, directly or through shared modules."""
    names: set[str] = set()
    files = list(entries)
    while files:
        new = imported(files.pop()) - names
        names |= new
        shared = (
            ROOT / "shared" / f"{name.replace('.', '/')}.py" for name in new if name.startswith("sodai.")
        )
        files += [file for file in shared if file.exists()]
    return names


def third_party(modules: set[str]) -> set[str]:
    distributions = importlib.metadata.packages_distributions()
    own = {"sodai", *STAGES} | set(sys.stdlib_module_names)
    tops = {module.split(".")[0] for module in modules} - own
    missing = tops - set(distributions)
    assert not missing, f"imported and not installed here: {sorted(missing)}"
    # Stages get MLflow's client from mlflow-skinny, the environment of the tests from mlflow.
    chosen = (sorted(distributions[top], key=lambda name: name != "mlflow-skinny")[0] for top in tops)
    return {canonical(name) for name in chosen}


@pytest.mark.parametrize("stage", STAGES)
def test_the_image_of_a_stage_has_every_package_that_it_imports(stage: str) -> None:
    assert third_party(imported_by_stage(stage)) <= set(pins(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_only_packages_that_it_declares(stage: str) -> None:
    modules = set().union(*(imported(file) for file in (ROOT / "stages" / stage).rglob("*.py")))
    needs = third_party(modules)
    allowed = declared(ROOT / "stages" / stage / "pyproject.toml") | declared(
        ROOT / "shared" / "pyproject.toml"
    )
    assert needs <= allowed


@pytest.mark.parametrize("name", [*STAGES, "dev", "mlflow"])
def test_all_versions_come_from_one_resolution(name: str) -> None:
    assert pins(name).items() <= pins("all").items()


def test_requirement_files_pin_with_hashes_and_contain_no_address() -> None:
    for file in REQUIREMENTS.glob("*.txt"):
        text = file.read_text()
        assert "://" not in text
        requirements = re.split(r"\n(?=[a-z0-9])", text.strip())
        assert all("==" in pin and "--hash=sha256:" in pin for pin in requirements), file.name


def test_every_stage_has_its_folder_its_requirements_and_its_image() -> None:
    folders = {project.parent.name for project in ROOT.glob("stages/*/pyproject.toml")}
    listed = re.search(r"stage = \[(.*?)\]", (ROOT / "images" / "bake.hcl").read_text(), re.DOTALL)
    assert listed
    assert folders == set(STAGES) == set(re.findall(r'"(\w+)"', listed[1]))
    assert all((REQUIREMENTS / f"{stage}.txt").exists() for stage in STAGES)


def test_airflow_imports_no_stage() -> None:
    modules = set().union(*(imported(file) for file in (ROOT / "dags").rglob("*.py")))
    assert not {module.split(".")[0] for module in modules} & {"sodai", *STAGES}


def test_a_cluster_has_the_spark_of_its_client_and_the_packages_that_score_candidates() -> None:
    cluster = pins("spark")
    assert cluster.pop("pyspark") == pins("all")["pyspark-client"]
    del cluster["py4j"]  # connects Python to Spark's Java; the client has no Java
    assert cluster.items() <= pins("all").items()
    assert third_party(imported_by_files(ROOT / "stages/generate_predictions/score_files.py")) <= set(cluster)
