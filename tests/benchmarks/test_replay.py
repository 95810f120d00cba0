"""The replay of periods: its arguments, resuming, and the figures of the periods."""

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import backtest
from benchmarks.replay import ReplayError, Settings, periods_of
from sodai.data.periods import Period
from support.sales_data import make_raw


def test_periods_are_weeks_unless_days_are_given() -> None:
    assert periods_of("2025-01-01:5 2025-01-06") == [
        Period(date(2025, 1, 1), 5),
        Period(date(2025, 1, 6), 7),
    ]


def test_two_days_with_dots_between_mean_every_week_of_the_range() -> None:
    assert periods_of("2024-12-16..2024-12-30 2025-01-06") == [
        Period(date(2024, 12, 16) + timedelta(weeks=step), 7) for step in range(4)
    ]
    assert periods_of("2025-01-06..2025-01-06") == periods_of("2025-01-06")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "found no period"),
        ("2025-01-32", "expected a date"),
        ("6.1.2025", "expected first days"),
        ("2025-01-01 2025-01-06", "put them in order"),
        ("2025-01-06 2024-12-30", "put them in order"),
        ("2025-01-06..2025-01-14", "expected whole weeks"),
        ("2025-01-13..2025-01-06", "expected whole weeks"),
        ("2024-12-30..2025-01-06 2025-01-06", "put them in order"),
    ],
)
def test_invalid_periods_are_refused(text: str, reason: str) -> None:
    with pytest.raises(Exception, match=reason):
        periods_of(text)


def test_other_data_are_another_replay(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="no parquet files"):
        Settings.of(tmp_path, 3)
    (tmp_path / "transacciones.parquet").write_bytes(b"1")
    before = Settings.of(tmp_path, 3)
    assert Settings.of(tmp_path, 3) == before
    (tmp_path / "transacciones.parquet").write_bytes(b"2")
    assert Settings.of(tmp_path, 3) != before


def test_a_backtest_resumes_and_gives_the_same_figures(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = make_raw(tmp_path / "raw", 24, 14, 13)
    monday = made.as_of - timedelta(weeks=1)
    given = ["--data", str(tmp_path / "raw"), "--out", str(tmp_path / "out"), "--trials", "2"]
    assert backtest.main([*given, "--weeks", str(monday)]) == 0
    assert f"{monday}, 1 of 1: retrain_model (no_champion)" in capfd.readouterr().out
    folder = tmp_path / "out" / "backtest"
    predictions = pd.read_parquet(folder / "predictions.parquet")
    metrics = pd.read_parquet(folder / "metrics.parquet")
    f1 = metrics[metrics["metric"] == "set_f1"].set_index("model")["value"]
    chosen = predictions[predictions["selected"]]
    due = made.due(monday)
    hits = sum(pair in due for pair in zip(chosen["customer_id"], chosen["product_id"], strict=True))
    # The habits that are due are nine tenths of what was bought.
    assert f1["pipeline"] == pytest.approx(2 * hits / (len(chosen) + len(due)), abs=0.15)
    assert "NDCG@10 by period" in (folder / "index.html").read_text()

    assert backtest.main([*given, "--weeks", str(monday)]) == 0
    assert "1 of 1" not in capfd.readouterr().out
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "metrics.parquet"), metrics)


def test_figures_may_start_during_the_replay_but_not_after_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "transacciones.parquet").write_bytes(b"1")
    given = ["--data", str(tmp_path), "--weeks", "2025-01-06", "--out", str(tmp_path / "out")]
    assert backtest.main([*given, "--since", "2025-01-07"]) == 1
    assert capsys.readouterr().err == ("backtest: SINCE: found 2025-01-07, expected a day up to 2025-01-06\n")


def test_a_backtest_without_input_fails_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--data", str(tmp_path), "--weeks", "2025-01-06", "--out", str(tmp_path / "out")]
    assert backtest.main(given) == 1
    assert capsys.readouterr().err == (
        f"backtest: {tmp_path}: no parquet files, expected transactions, customers and products\n"
    )
