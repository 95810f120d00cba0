"""What a stage is told about its engine is refused in one line before anything is done."""

from pathlib import Path

import pytest

from sodai.engines import EngineName, session
from sodai.engines.choice import EngineChoice
from sodai.errors import InputError

# The port that nobody listens on.
NOBODY = "sc://127.0.0.1:1"


@pytest.mark.parametrize(
    ("address", "found"), [(None, "nothing, nor SODAI_SPARK"), ("spark://host:7077", "spark://host:7077")]
)
def test_spark_needs_the_address_of_a_connect_server(address: str | None, found: str) -> None:
    with pytest.raises(InputError, match=rf"^--spark-remote: found {found}, expected .*leave --engine out$"):
        EngineChoice(EngineName.SPARK, address, 1000)


def test_duckdb_needs_none(tmp_path: Path) -> None:
    with EngineChoice(EngineName.DUCKDB, None, 100).open(tmp_path, tmp_path) as engine:
        assert engine.to_pyarrow("SELECT 1 AS one").to_pylist() == [{"one": 1}]
        assert not engine.distributed


def test_a_cluster_that_does_not_answer_is_one_line_after_the_stated_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.5)
    choice = EngineChoice(EngineName.SPARK, NOBODY, 1000)
    line = rf"^--spark-remote: {NOBODY} did not answer within 0\.5 s, expected .*leave --engine out$"
    with pytest.raises(InputError, match=line), choice.open(tmp_path, tmp_path):
        pass
