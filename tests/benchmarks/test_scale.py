"""The benchmark of sizes: its measurements and the growth computed from them."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks import scale
from benchmarks.scale import BARE, PLAIN, with_growth
from sodai.data.catalog import PREDICT


def test_growth_is_the_power_of_the_lines_and_cost_is_relative_to_the_plain_scan() -> None:
    columns = ["size", "step", "lines", "seconds", "cpu_seconds"]
    rows = [
        *[(100, PLAIN, 100, 2.0, 1.0), (100, "a", 100, 8.0, 4.0), (100, PREDICT, 50, 3.0, 3.0)],
        *[(400, PLAIN, 400, 4.0, 2.0), (400, "a", 400, 32.0, 16.0), (100, BARE, 50, 2.0, 2.0)],
    ]
    measured = pd.DataFrame(rows, columns=columns)
    table = with_growth(measured).set_index(["step", "size"])
    # Four times the lines: twice the time is the power 1/2, four times the time the power 1.
    assert table["exponent"].loc[[(PLAIN, 400), ("a", 400)]].tolist() == pytest.approx([0.5, 1.0])
    assert table["cpu_exponent"].loc[("a", 400)] == pytest.approx(1.0)
    assert table["exponent"].loc[[(PLAIN, 100), ("a", 100)]].isna().all()
    assert table["times_least"].loc[[("a", 100), ("a", 400), (PLAIN, 400)]].tolist() == [4, 8, 1]
    # Scoring is compared with the bare model.
    assert table["times_least"].loc[[(PREDICT, 100), (BARE, 100)]].tolist() == [1.5, 1]
    assert table["lines_per_second"].loc[("a", 400)] == 12.5


def test_a_size_is_loaded_and_a_week_is_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scale.main(["--sizes", "10_000", "--memory-limit", "500", "--out", str(tmp_path)])
    table = pd.read_csv(tmp_path / "scale.csv")
    stages = ("extract_and_validate_data", "create_features")
    steps = {PLAIN, BARE, PREDICT, *(f"{stage}, {name}" for stage in stages for name in ("all", "drop"))}
    assert sorted(table["step"]) == sorted(steps)
    assert set(table["size"]) == {10_000}
    assert (table["seconds"] > 0).all()
    ours = table[~table["step"].isin([PLAIN, BARE])]
    assert ours["peak_memory_mib"].between(50, 1000).all()
    assert ours["mib_read"].between(1, 1000).all()
    assert (tmp_path / "growth.svg").read_text().startswith("<svg")
    assert "lines_per_second" in capsys.readouterr().out
