"""Documentation matches the code: commands, tables, settings, data sets, links and size."""

import re
import shlex
import subprocess
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import typer

from dags.commands import parse_arguments
from sodai.data import catalog
from sodai.data.catalog import STAGES, Dataset
from sodai.object_store.__main__ import app as object_store
from support.feature_table import feature_table

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    file
    for pattern in ("*.md", "*/*.md", "*/*/*.md", "*/*/*/*.md")
    for file in ROOT.glob(pattern)
    if not file.relative_to(ROOT).parts[0].startswith(".")
)
FIRST_PAGES = [ROOT / "README.md", ROOT / "README.es.md"]
AS_OF = date(2018, 1, 1)
DATASETS = [value for value in vars(catalog).values() if isinstance(value, Dataset)]
# The first folders of paths on the volume.
VOLUME_FOLDERS = {dataset.path_template.split("/")[0] for dataset in DATASETS} | {*STAGES, "weeks"}


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


def table(document: Path, heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading, one text per cell."""
    _, _, section = text_of(document).partition(f"## {heading}\n")
    rows = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert rows, heading
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in rows[0].splitlines()[2:]]


def in_code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def commands(document: Path) -> list[str]:
    """Return the lines of all shell blocks, the commands of tables and of sentences."""
    blocks = re.findall(r"```sh\n(.*?)```", text_of(document), re.DOTALL)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    prose = re.sub(r"```.*?```", "", text_of(document), flags=re.DOTALL)
    return [line for line in [*lines, *in_code(prose)] if line]


@cache
def make_targets() -> set[str]:
    listing = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"make ([a-z-]+)", listing))


def stage_paths(stage: str) -> set[str]:
    """Return the paths that a stage writes, those of a week without their first folders."""
    paths = {dataset.path_template for dataset in DATASETS if dataset.producer == stage}
    return {path.replace("{as_of}", "<as_of>").replace("weeks/<as_of>/", "") for path in paths}


def volume_paths() -> set[str]:
    """Return all paths of the volume, those of a week also without their first folders."""
    templates = {each.path_template for each in (*DATASETS, catalog.run_record("<stage>"))}
    paths = {template.replace("{as_of}", "<as_of>") for template in templates}
    return paths | set().union(*(stage_paths(stage) for stage in STAGES))


def is_within(path: str, paths: set[str]) -> bool:
    """Return whether a path is one of some paths or a folder above one of them."""
    return any(f"{each}/".startswith(f"{path.rstrip('/')}/") for each in paths)


@pytest.mark.parametrize("page", FIRST_PAGES, ids=name_of)
def test_a_first_page_fits_150_lines_and_1500_words(page: Path) -> None:
    assert len(text_of(page).splitlines()) <= 150
    assert len(text_of(page).split()) <= 1_500


HEADINGS = {ROOT / "README.md": "Stages", ROOT / "README.es.md": "Etapas"}
STAGE_ROWS = {page: {row[0]: row for row in table(page, HEADINGS[page])} for page in FIRST_PAGES}


@pytest.mark.parametrize("page", FIRST_PAGES, ids=name_of)
def test_the_table_of_stages_names_every_stage_in_order(page: Path) -> None:
    assert tuple(STAGE_ROWS[page]) == STAGES


@pytest.mark.parametrize("page", FIRST_PAGES, ids=name_of)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_writes_the_paths_of_its_row(page: Path, stage: str) -> None:
    listed = [path for path in in_code(STAGE_ROWS[page][stage][2]) if "/" in path]
    assert listed
    assert all(is_within(path, stage_paths(stage)) for path in listed)


@pytest.mark.parametrize("page", FIRST_PAGES, ids=name_of)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_only_paths_of_the_volume(page: Path, stage: str) -> None:
    assert all(is_within(path, volume_paths()) for path in in_code(STAGE_ROWS[page][stage][1]))


COMMAND_ROWS = {row[0]: row for row in table(ROOT / "stages" / "README.md", "One stage alone")}


def test_the_table_of_commands_names_every_stage_in_order() -> None:
    assert tuple(COMMAND_ROWS) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_the_line_that_runs_a_stage_alone_names_its_image_and_options_that_exist(stage: str) -> None:
    image, line = in_code(COMMAND_ROWS[stage][1]), in_code(COMMAND_ROWS[stage][2])
    assert image == [f"sodai/{stage}"]
    before, _, arguments = line[0].partition(f" sodai/{stage} ")
    assert before == "docker run --rm -v $PWD/data:/data -u $(id -u):$(id -g)"
    assert parse_arguments(stage, shlex.split(arguments))["as_of"] == AS_OF.isoformat()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_a_command_of_a_stage_has_options_that_exist(document: Path) -> None:
    for line in commands(document):
        match = re.search(rf"(?:-m |sodai/)({'|'.join(STAGES)}) (--.*)", line)
        if match:
            assert parse_arguments(match[1], shlex.split(match[2]))["as_of"] == AS_OF.isoformat(), line


@cache
def options() -> set[str]:
    """Return the options of all stages and of the commands for object stores."""
    stages = typer.Typer()
    for stage in STAGES:
        stages.command(name=stage)(getattr(import_module(f"{stage}.cli"), stage))
    groups = [typer.main.get_group(app) for app in (stages, object_store)]
    params = [param for group in groups for command in group.commands.values() for param in command.params]
    return {option for param in params for option in param.opts} | {"--help"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_option_in_code_exists(document: Path) -> None:
    lines = [line for line in commands(document) if not line.startswith(("docker ", "make "))]
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", "\n".join(lines)))
    assert named <= options()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_programs_and_variables_of_commands_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for line in commands(document):
        target = re.match(r"make ([a-z-]+)", line)
        if target:
            assert target[1] in make_targets(), line
            assert all(
                f"$({name})" in makefile or f"$({name}," in makefile
                for name in re.findall(r"\b([A-Z_]+)=", line)
            )
        module = re.search(r"python -m ([\w.]+)", line)
        if module and module[1] not in (*STAGES, "pytest"):
            path = module[1].replace(".", "/")
            assert any(
                (ROOT / folder / file).exists()
                for folder in ("", "shared", "tests", "dags")
                for file in (f"{path}.py", f"{path}/__main__.py")
            ), line


def test_every_make_target_is_documented_and_the_other_way_round() -> None:
    lines = "\n".join(line for document in DOCUMENTS for line in commands(document))
    assert set(re.findall(r"\bmake ([a-z-]+)", lines)) == make_targets()


def test_every_setting_of_the_code_is_documented_and_the_other_way_round() -> None:
    files = [
        *ROOT.glob("dags/**/*.py"),
        *ROOT.glob("shared/sodai/**/*.py"),
        *ROOT.glob("images/*.sh"),
        ROOT / "Makefile",
        ROOT / "docker-compose.yml",
    ]
    pattern = r"\b(?:SODAI_[A-Z_]+|MLFLOW_TRACKING_URI|DOCKER_CERT_PATH|(?:AIRFLOW|MLFLOW)_PORT)\b"
    used = set().union(*(re.findall(pattern, file.read_text()) for file in files))
    settings = {name for row in table(ROOT / "dags" / "README.md", "Settings") for name in in_code(row[0])}
    assert settings == used
    everything = "\n".join(text_of(document) for document in DOCUMENTS)
    assert set(re.findall(pattern, everything)) <= used


@pytest.mark.parametrize("page", FIRST_PAGES, ids=name_of)
def test_the_columns_of_the_published_predictions_are_those_of_the_contract(page: Path) -> None:
    sentence = re.search(r"`predictions.parquet` (?:has|tiene) (.*?)\.\n\n", text_of(page), re.DOTALL)
    assert sentence
    assert in_code(sentence[1]) == catalog.PREDICTIONS.contract.names


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_and_picture_exists(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text_of(document))
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert not missing
    assert all((document.parent / target).stat().st_size < 1_000_000 for target in targets)


def test_every_picture_is_shown() -> None:
    everything = "\n".join(text_of(document) for document in DOCUMENTS)
    assert all(f".pictures/{picture.name})" in everything for picture in (ROOT / ".pictures").iterdir())


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_path_in_code_is_in_the_catalog_or_in_the_project(document: Path) -> None:
    # Volumes, logs of a run, names of images and folders that git ignores.
    elsewhere = ("data/", "logs/", "mine/", "sodai/", ".cache/", ".venv/", "/")
    for path in in_code(re.sub(r"```.*?```", "", text_of(document), flags=re.DOTALL)):
        if not re.fullmatch(r"[\w.<>=*-]+(/[\w.<>=*-]*)+", path):
            continue
        in_project = any(
            (folder / path.replace("<stage>", STAGES[0])).exists() for folder in (ROOT, document.parent)
        )
        on_volume = path.split("/")[0] in VOLUME_FOLDERS and (
            is_within(path, volume_paths()) or any(fnmatchcase(each, path) for each in volume_paths())
        )
        assert in_project or on_volume or path.startswith(elsewhere), path


@pytest.mark.parametrize("page", FIRST_PAGES, ids=name_of)
def test_the_edges_of_the_picture_are_those_of_the_dag(page: Path) -> None:
    (picture,) = re.findall(r"```mermaid\n(.*?)```", text_of(page), re.DOTALL)
    tasks = "\n".join(line for line in picture.splitlines() if "-->" in line)
    names = set(re.findall(r"[a-z_]{5,}", re.sub(r"\|.*?\|", "", tasks)))
    assert names == {*STAGES, "start_pipeline", "join_model_paths", "pipeline_complete"}


def test_the_document_of_the_features_is_that_of_the_catalog() -> None:
    written = text_of(ROOT / "stages/create_features/FEATURES.md")
    assert written == feature_table(), (
        "run: PYTHONPATH=shared .venv/bin/python -m tests.support.feature_table"
    )
