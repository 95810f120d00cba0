"""The engine that the options ask for, and a cluster that does not answer."""

from pathlib import Path

import pytest

from sodai.engines import EngineName, session
from sodai.engines.opening import open_engine
from sodai.errors import InputError

# A port without a server.
NO_SERVER = "sc://127.0.0.1:1"


def test_duckdb_needs_no_address(tmp_path: Path) -> None:
    with open_engine(EngineName.DUCKDB, None, 100, tmp_path, tmp_path) as engine:
        assert engine.to_pyarrow("SELECT 1 AS one").to_pylist() == [{"one": 1}]
        assert not engine.distributed


def test_a_cluster_that_does_not_answer_is_one_line_after_the_documented_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.5)
    line = rf"^--spark-remote: {NO_SERVER} did not answer within 0\.5 s, expected .*leave --engine out$"
    with (
        pytest.raises(InputError, match=line),
        open_engine(EngineName.SPARK, NO_SERVER, 1000, tmp_path, tmp_path),
    ):
        pass
