"""Replay periods through the stages of the pipeline, like the DAG, each with only the data before it."""

import json
import os
import re
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import pandas as pd

from sodai.data.catalog import DECISION, EVALUATION, HISTORY, PREDICTION_SUMMARY, RETRAIN
from sodai.data.periods import DAYS_PER_WEEK, Period, parse_date
from sodai.stage.fingerprint import code_digest
from sodai.volume.file_hashes import sha256_of
from sodai.volume.volume import Volume
from sodai_dag.settings import PROCESS, ROOT, settings_from
from sodai_dag.settings import Settings as RunnerSettings
from support.staged_run import run_one, run_stages

SIGNALS = (
    "drift_share",
    "prediction_drift",
    "demand_deviation",
    "returned_ratio",
    "realised_set_lead",
    "realised_list_lead",
    "age_weeks",
)


class ReplayError(Exception):
    """A replay cannot continue; the message is one line for the user."""


@dataclass(frozen=True)
class Settings:
    """Everything that the results of a replay depend on; only a replay with equal settings is resumed."""

    data_sha256: str
    code_sha256: str
    trials: int

    @classmethod
    def of(cls, data: Path, trials: int) -> "Settings":
        """Return the settings of a replay of the files in a folder.

        Raises:
            ReplayError: the folder has no parquet file.
        """
        files = sorted(data.glob("*.parquet"))
        if not files:
            raise ReplayError(f"{data}: no parquet files, expected transactions, customers and products")
        data = "-".join(sha256_of(file)[:12] for file in files)
        return cls(data, code_digest(ROOT / "shared" / "sodai", ROOT / "stages"), trials)


def periods_of(text: str) -> list[Period]:
    """Return the periods of `WEEKS`: first days in order, with `:days` for a period that is not a week.

    `first..last` means every seventh day from the first to the last, both included.

    Raises:
        ReplayError: a word is not a date, or the periods overlap or are not in order.
    """
    periods = []
    for word in text.split():
        match = re.fullmatch(r"(\d{4}-\d{2}-\d{2})(?::(\d{1,2})|\.\.(\d{4}-\d{2}-\d{2}))?", word)
        if not match:
            raise ReplayError(
                f"WEEKS: found {word!r}, expected first days such as 2025-01-01:5 or 2025-01-06, or "
                "2024-09-02..2024-12-30 for every week in this range"
            )
        first = parse_date(match[1], "WEEKS")
        last = parse_date(match[3], "WEEKS") if match[3] else first
        if (last - first).days % DAYS_PER_WEEK or last < first:
            raise ReplayError(f"WEEKS: found {word!r}, expected whole weeks from the first day to the last")
        for step in range((last - first).days // DAYS_PER_WEEK + 1):
            first_day = first + timedelta(weeks=step)
            periods.append(Period(first_day, int(match[2] or DAYS_PER_WEEK)))
    for earlier, later in pairwise(periods):
        if later.as_of < earlier.end:
            raise ReplayError(
                f"WEEKS: {later.as_of} is not after the period of {earlier.as_of}; put them in order"
            )
    if not periods:
        raise ReplayError("WEEKS: found no period, expected first days such as 2025-01-01:5 2025-01-06")
    return periods


def replay(volume: Volume, periods: list[Period], settings: Settings) -> None:
    """Run the pipeline for each period that an earlier call did not finish.

    Raises:
        ReplayError: a stage failed, or the volume contains a replay with other settings.
    """
    state = volume.root / "replay.json"
    record = json.loads(state.read_text()) if state.exists() else {"settings": asdict(settings), "done": []}
    if record["settings"] != asdict(settings):
        raise ReplayError(
            f"{volume.root}: found a replay of other data, code or trials; remove it or give another OUT"
        )
    requested = [[str(period.as_of), period.horizon_days] for period in periods]
    done = record["done"]
    if done != requested[: len(done)]:
        raise ReplayError(f"{volume.root}: found a replay of other periods; remove it or give another OUT")
    runner = settings_from({"SODAI_RUNNER": PROCESS, "SODAI_VOLUME": str(volume.root)})
    for number, period in enumerate(periods[len(done) :], start=len(done) + 1):
        started = time.perf_counter()
        _run(volume, period, settings, runner)
        done.append([str(period.as_of), period.horizon_days])
        part = state.with_suffix(".part")
        part.write_text(json.dumps(record))
        os.replace(part, state)
        seconds = time.perf_counter() - started
        decision = volume.read_json(DECISION, period.as_of)
        done_now = f"{period.as_of}, {number} of {len(periods)}"
        how = f"{decision['branch']} ({decision['rule']})"
        print(f"backtest: {done_now}: {how}, {seconds:.0f} s", flush=True)


def decisions(volume: Volume, periods: list[Period]) -> pd.DataFrame:
    """Return the retraining and promotion decisions, one row per period, with the value of every signal.

    Returns:
        as_of, rule, retrained, promoted, reason, one column per signal, challenger_lead (NDCG@10 of the
        challenger minus the champion's in this period), expected_f1, expected_pairs.
    """
    rows = []
    history = volume.read(HISTORY, columns=["as_of", "challenger_lead"]).to_pylist()
    leads = {row["as_of"]: row["challenger_lead"] for row in history}
    for period in periods:
        decision = volume.read_json(DECISION, period.as_of)
        evaluation = volume.read_json(EVALUATION, period.as_of)
        summary = volume.read_json(PREDICTION_SUMMARY, period.as_of)
        signals = {signal["name"]: signal["value"] for signal in decision["signals"]}
        rows.append(
            {
                "as_of": period.as_of,
                "rule": decision["rule"],
                "retrained": decision["branch"] == RETRAIN,
                "promoted": evaluation["promoted"],
                "reason": decision["reason"],
                **{name: signals.get(name) for name in SIGNALS},
                "challenger_lead": leads.get(period.as_of),
                "expected_f1": summary["expected_f1"],
                "expected_pairs": summary["expected_pairs"],
            }
        )
    return pd.DataFrame(rows)


def _run(volume: Volume, period: Period, settings: Settings, runner: RunnerSettings) -> None:
    params = {
        "horizon_days": period.horizon_days,
        "trials": settings.trials,
        "k": 10,
        "force_retrain": False,
        "force": False,
    }
    for end in run_stages(partial(run_one, runner), str(period.as_of), params):
        log = volume.root / "logs" / f"{period.as_of}-{end.stage}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(end.log, encoding="utf-8")
        if end.code:
            why = end.result.get("error", f"failed, see {log}")
            raise ReplayError(f"{end.stage} for {period.as_of}: {why}")
