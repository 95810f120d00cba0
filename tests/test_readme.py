"""What the README says is what the code does: commands, tables, settings, links."""

import re
import shlex
import subprocess
from datetime import date
from pathlib import Path

import pytest

from dags.commands import parse_arguments
from sodai.data import catalog as datasets
from sodai.data.catalog import STAGES, Dataset
from support.feature_table import feature_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
AS_OF = date(2018, 1, 1)


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, a text a cell."""
    _, _, below = README.partition(f"## {heading}\n")
    rows = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert rows, heading
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in rows[0].splitlines()[2:]]


def in_code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


STAGE_ROWS = {row[0]: row for row in table("The pipeline")}


def test_the_table_of_stages_names_every_stage_in_order() -> None:
    assert tuple(STAGE_ROWS) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_writes_what_its_row_says(stage: str) -> None:
    places = {
        str(value.relative_path(None)).replace("None", "<as_of>").replace("weeks/<as_of>/", "")
        for value in vars(datasets).values()
        if isinstance(value, Dataset) and value.producer == stage
    }
    told = {place.rstrip("/") for place in in_code(STAGE_ROWS[stage][2]) if "/" in place}
    assert told
    assert all(any(f"{place}/".startswith(f"{one}/") for place in places) for one in told)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_only_what_is_in_the_volume(stage: str) -> None:
    places = {
        str(value.relative_path(None)).replace("weeks/None/", "").replace("None", "<as_of>")
        for value in vars(datasets).values()
        if isinstance(value, Dataset)
    }
    told = {place.rstrip("/") for place in in_code(STAGE_ROWS[stage][1])}
    assert all(one == "raw" or any(f"{place}/".startswith(f"{one}/") for place in places) for one in told)


@pytest.mark.parametrize("stage", STAGES)
def test_the_line_that_runs_a_stage_alone_names_its_image_and_options_that_exist(stage: str) -> None:
    image, line = in_code(STAGE_ROWS[stage][3]), in_code(STAGE_ROWS[stage][4])
    assert image == [f"sodai/{stage}"]
    before, _, arguments = line[0].partition(f" sodai/{stage} ")
    assert before == "docker run --rm -v $PWD/data:/data -u $(id -u):$(id -g)"
    assert parse_arguments(stage, shlex.split(arguments))["as_of"] == AS_OF.isoformat()


def test_every_make_target_is_in_the_readme_and_the_other_way_round() -> None:
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"make ([a-z-]+)", helped))
    assert set(re.findall(r"`?make ([a-z-]+)", README)) - {"PYTHON"} == targets


def test_every_setting_of_the_code_is_in_the_readme_and_the_other_way_round() -> None:
    files = [
        *ROOT.glob("dags/*/*.py"),
        *ROOT.glob("shared/sodai/*.py"),
        *ROOT.glob("images/*.sh"),
        ROOT / "Makefile",
        ROOT / "docker-compose.yml",
    ]
    pattern = r"\b(?:SODAI_[A-Z_]+|MLFLOW_TRACKING_URI|DOCKER_CERT_PATH|(?:AIRFLOW|MLFLOW)_PORT)\b"
    used = set().union(*(re.findall(pattern, file.read_text()) for file in files))
    assert {name for row in table("Settings") for name in in_code(row[0])} == used


def test_the_columns_of_the_published_predictions_are_those_of_the_contract() -> None:
    told = re.search(r"`predictions.parquet` holds (.*?)\. `recom", README, re.DOTALL)
    assert told
    names = in_code(told[1])
    assert names == datasets.PREDICTIONS.contract.names


def test_every_link_and_picture_is_there() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    missing = [target for target in targets if not (ROOT / target).exists()]
    assert not missing
    assert all((ROOT / target).stat().st_size < 1_000_000 for target in targets)


def test_the_edges_of_the_picture_are_those_of_the_dag() -> None:
    (picture,) = re.findall(r"```mermaid\n(.*?)```", README, re.DOTALL)
    names = set(re.findall(r"[a-z_]{5,}", picture)) - {"graph"}
    assert names == {*STAGES, "start_pipeline", "join_model_paths", "pipeline_complete"}


def test_the_document_of_the_features_is_that_of_the_catalogue() -> None:
    found = (ROOT / "stages/create_features/FEATURES.md").read_text(encoding="utf-8")
    assert found == feature_table(), "run: PYTHONPATH=shared .venv/bin/python -m tests.feature_table"
