"""What the benchmark of sizes measures, and what it makes of it."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks import scale
from benchmarks.scale import PLAIN, with_growth


def test_growth_is_the_power_of_the_lines_and_is_told_beside_the_plain_scan() -> None:
    columns = ["size", "step", "lines", "seconds"]
    measured = pd.DataFrame(
        [(100, PLAIN, 100, 2.0), (100, "a", 100, 8.0), (400, PLAIN, 400, 4.0), (400, "a", 400, 32.0)],
        columns=columns,
    )
    table = with_growth(measured).set_index(["step", "size"])
    # Four times the lines: twice the time is the power 1/2, four times the time the power 1.
    assert table["exponent"].loc[[(PLAIN, 400), ("a", 400)]].tolist() == pytest.approx([0.5, 1.0])
    assert table["exponent"].loc[[(PLAIN, 100), ("a", 100)]].isna().all()
    assert table["times_plain"].loc[[("a", 100), ("a", 400), (PLAIN, 400)]].tolist() == [4, 8, 1]
    assert table["lines_per_second"].loc[("a", 400)] == 12.5


@pytest.mark.slow
def test_a_size_is_loaded_and_gets_a_week_on_top(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scale.main(["--sizes", "10_000", "--memory-limit", "500", "--out", str(tmp_path)])
    table = pd.read_csv(tmp_path / "scale.csv")
    stages = ("extract_and_validate_data", "create_features")
    steps = {PLAIN, *(f"{stage}, {name}" for stage in stages for name in ("all", "drop"))}
    assert sorted(table["step"]) == sorted(steps)
    assert set(table["size"]) == {10_000}
    assert (table["seconds"] > 0).all()
    assert table.loc[table["step"] != PLAIN, "peak_memory_mib"].between(50, 1000).all()
    assert "lines_per_second" in capsys.readouterr().out
