"""Training rows of closed periods are restored from the cache where nothing changed, and only there."""

import os
import shutil
import time
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from create_features import training_cache
from sodai.data.catalog import EXTRACT, FEATURES_STAGE, FORECASTS, SCORING, TRAINING, TRAINING_CACHE
from sodai.volume.volume import Volume
from support.sales_data import (
    FIRST_CUSTOMER,
    FIRST_PRODUCT,
    disguise_units,
    make_raw,
    synthetic_customers,
    write_transactions,
)
from support.week import run_stage

N_CUSTOMERS, N_PRODUCTS, N_WEEKS, N_DROPS, N_PERIODS = 12, 10, 16, 3, 4
OPTIONS = ("--min-history-days", "28", "--training-periods", str(N_PERIODS))
FIRST_DAY = date(2024, 1, 1)
AS_OF = FIRST_DAY + timedelta(weeks=N_WEEKS)
WEEK = timedelta(weeks=1)
NEW_CUSTOMER, NEW_PRODUCT = 888_888, 777_777


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write raw files: a history, and the three newest weeks as a file each."""
    folder = tmp_path_factory.mktemp("source") / "raw"
    return make_raw(folder, N_CUSTOMERS, N_PRODUCTS, N_WEEKS, N_DROPS).folder


@pytest.fixture(scope="module")
def before(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Volume:
    """Return a volume after the run of the week before; read-only for tests."""
    volume = _empty(tmp_path_factory.mktemp("before") / "volume", source)
    for back in range(N_DROPS, 1, -1):
        _drop(volume, source, AS_OF - back * WEEK)
    _make(volume, AS_OF - WEEK)
    _drop(volume, source, AS_OF - WEEK)
    return volume


@pytest.fixture
def volume(before: Volume, tmp_path: Path) -> Volume:
    return Volume(shutil.copytree(before.root, tmp_path / "volume"))


def _empty(root: Path, source: Path) -> Volume:
    raw = root / "raw"
    raw.mkdir(parents=True)
    for name in ("clientes", "productos", "transacciones"):
        shutil.copy(source / f"{name}.parquet", raw)
    return Volume(root)


def _drop(volume: Volume, source: Path, monday: date) -> None:
    shutil.copy(source / f"transacciones_{monday}.parquet", volume.root / "raw")


def _add_line(volume: Volume, day: date, order_id: int = 999_999, **values: int) -> None:
    """Add a line in a file of its own."""
    lines = pd.read_parquet(volume.root / "raw" / "transacciones.parquet").head(1)
    late = lines.assign(purchase_date=pd.Timestamp(day), order_id=order_id, **values)
    write_transactions(volume.root / "raw" / f"transacciones_late_{order_id}.parquet", late)


def _make(volume: Volume, as_of: date, *options: str) -> int:
    """Run both stages; return how many training periods were restored from the cache."""
    assert run_stage(EXTRACT, volume.root, str(as_of)).code == 0
    outcome = run_stage(FEATURES_STAGE, volume.root, str(as_of), *OPTIONS, *options)
    assert outcome.code == 0, outcome.log
    return int(outcome.result["training_periods_reused"])


def _bytes(volume: Volume, as_of: date) -> dict[str, bytes]:
    files = [*volume.path(TRAINING, as_of).iterdir()]
    files += [volume.path(dataset, as_of) for dataset in (SCORING, FORECASTS)]
    return {file.name: file.read_bytes() for file in files}


def _from_nothing(volume: Volume, as_of: date, root: Path) -> dict[str, bytes]:
    """Return the tables of a new volume with the same raw files."""
    shutil.copytree(volume.root / "raw", root / "raw")
    assert _make(Volume(root), as_of) == 0
    return _bytes(Volume(root), as_of)


def _cached_files(volume: Volume) -> list[Path]:
    return sorted(volume.path(TRAINING_CACHE).rglob("*.parquet"))


def test_the_run_of_the_next_week_computes_the_newest_period_alone(volume: Volume, tmp_path: Path) -> None:
    assert _make(volume, AS_OF) == N_PERIODS - 1
    assert _bytes(volume, AS_OF) == _from_nothing(volume, AS_OF, tmp_path / "fresh")


def test_files_that_the_newest_run_did_not_use_are_removed(volume: Volume) -> None:
    oldest = _cached_files(volume)[0]
    _make(volume, AS_OF)
    assert len(_cached_files(volume)) == N_PERIODS
    assert not oldest.parent.exists()


@pytest.mark.parametrize(
    ("day", "reused"),
    [
        # The training periods start 1 to 4 weeks before the run. The line is in the target of its own
        # period, a purchase for later ones, and unknown to earlier ones.
        pytest.param(AS_OF - timedelta(days=1), 3, id="in the newest period"),
        pytest.param(AS_OF - timedelta(days=15), 1, id="in the third"),
        pytest.param(AS_OF - timedelta(days=22), 0, id="in the oldest"),
        pytest.param(FIRST_DAY, 0, id="before all periods"),
        pytest.param(AS_OF, 3, id="on the first day to predict"),
    ],
)
def test_a_late_line_recomputes_the_periods_that_see_it(
    volume: Volume, tmp_path: Path, day: date, reused: int
) -> None:
    _add_line(volume, day)
    assert _make(volume, AS_OF) == reused
    assert _bytes(volume, AS_OF) == _from_nothing(volume, AS_OF, tmp_path / "fresh")


def test_a_line_later_in_the_week_in_which_a_period_ends_changes_nothing(volume: Volume) -> None:
    thursday = AS_OF - timedelta(days=4)
    _make(volume, thursday)
    # The newest period ends on Wednesday; its partition has the whole week.
    _add_line(volume, AS_OF - timedelta(days=3))
    assert _make(volume, thursday) == N_PERIODS
    _add_line(volume, AS_OF - timedelta(days=5), order_id=999_998)
    assert _make(volume, thursday) == N_PERIODS - 1


def _change(volume: Volume, name: str, number: int, **attributes: object) -> None:
    """Change attributes of a customer or product, or add it if it is new."""
    file = volume.root / "raw" / f"{name}.parquet"
    rows = pd.read_parquet(file)
    key = rows.columns[rows.columns.isin(["customer_id", "product_id"])][0]
    own = rows[rows[key] == number] if (rows[key] == number).any() else rows.tail(1).assign(**{key: number})
    pd.concat([rows[rows[key] != number], own.assign(**attributes)]).to_parquet(file, index=False)


def test_a_new_shop_and_a_new_product_recompute_the_periods_after_their_first_sale(
    volume: Volume, tmp_path: Path
) -> None:
    _change(volume, "clientes", NEW_CUSTOMER, customer_type="KIOSCO")
    _change(volume, "productos", NEW_PRODUCT, brand="New")
    assert _make(volume, AS_OF) == N_PERIODS - 1
    # In the third period before the run: its target, known to the two after it.
    _add_line(volume, AS_OF - timedelta(days=15), customer_id=NEW_CUSTOMER, product_id=NEW_PRODUCT)
    assert _make(volume, AS_OF) == 1
    _change(volume, "clientes", NEW_CUSTOMER, customer_type="RESTAURANT")
    assert _make(volume, AS_OF) == N_PERIODS - 2
    _change(volume, "productos", NEW_PRODUCT, brand="Newer")
    assert _make(volume, AS_OF) == N_PERIODS - 2
    assert _bytes(volume, AS_OF) == _from_nothing(volume, AS_OF, tmp_path / "fresh")


def test_a_changed_attribute_of_a_customer_or_product_known_to_all_periods_recomputes_all(
    volume: Volume,
) -> None:
    assert _make(volume, AS_OF) == N_PERIODS - 1
    _change(volume, "clientes", FIRST_CUSTOMER, customer_type="BAR")
    assert _make(volume, AS_OF) == 0
    _change(volume, "productos", FIRST_PRODUCT, brand="One")
    assert _make(volume, AS_OF) == 0
    assert _make(volume, AS_OF) == N_PERIODS


def test_a_closed_period_has_the_customers_who_bought_before_it(volume: Volume) -> None:
    _change(volume, "clientes", NEW_CUSTOMER)
    _add_line(volume, AS_OF - timedelta(days=15), customer_id=NEW_CUSTOMER)
    _make(volume, AS_OF)
    rows = volume.read(TRAINING, AS_OF, columns=["cutoff", "customer_id"]).to_pandas()
    own = rows[rows["customer_id"] == NEW_CUSTOMER]
    assert set(own["cutoff"]) == {AS_OF - 2 * WEEK, AS_OF - WEEK}
    scored = set(volume.read(SCORING, AS_OF, columns=["customer_id"])["customer_id"].to_pylist())
    # The last customer never bought: in no training period, but recommended to.
    never = FIRST_CUSTOMER + N_CUSTOMERS - 1
    assert never in scored
    assert never not in set(rows["customer_id"])


def test_a_customer_missing_from_the_table_counts_as_unknown(volume: Volume, tmp_path: Path) -> None:
    assert _make(volume, AS_OF) == N_PERIODS - 1
    with_all = _bytes(volume, AS_OF)
    file = volume.root / "raw" / "clientes.parquet"
    customers = pd.read_parquet(file)
    customers[customers["customer_id"] != FIRST_CUSTOMER + 1].to_parquet(file, index=False)
    assert _make(volume, AS_OF) == 0
    without_one = _bytes(volume, AS_OF)
    # In the new volume its lines are not even loaded.
    assert without_one == _from_nothing(volume, AS_OF, tmp_path / "fresh")
    assert without_one["forecasts.parquet"] != with_all["forecasts.parquet"]


def test_other_bounds_recompute_all_periods(volume: Volume) -> None:
    assert _make(volume, AS_OF, "--max-bought", "5") == 0
    assert _make(volume, AS_OF, "--max-bought", "5", "--n-popular", "5") == 0
    assert _make(volume, AS_OF, "--max-bought", "5", "--n-popular", "5") == N_PERIODS


def test_other_code_recomputes_all_periods(
    volume: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = Path(shutil.copytree(Path(training_cache.__file__).parent, tmp_path / "create_features"))
    monkeypatch.setattr(training_cache.create_features, "__path__", [str(copied)])
    assert _make(volume, AS_OF - WEEK) == N_PERIODS
    (copied / "core_pairs.py").write_text("# Another definition.")
    assert _make(volume, AS_OF - WEEK) == 0


def test_periods_of_another_length_have_their_own_cache(volume: Volume) -> None:
    assert _make(volume, AS_OF, "--horizon-days", "5") == 0
    assert _make(volume, AS_OF) == N_PERIODS - 1


def test_a_damaged_file_is_not_used(volume: Volume, tmp_path: Path) -> None:
    damaged = _cached_files(volume)[-1]
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    assert _make(volume, AS_OF) == N_PERIODS - 2
    assert _bytes(volume, AS_OF) == _from_nothing(volume, AS_OF, tmp_path / "fresh")
    assert damaged not in [path for path in _cached_files(volume) if path.read_bytes()[-1:] == b"?"]


# Lines that arrive with a week: kind of change, number of the earlier line, and units.
late_line = st.tuples(
    st.sampled_from(["late", "restated", "cancelled", "doubled"]), st.integers(0, 10**6), st.integers(1, 4)
)
week = st.tuples(st.lists(late_line, max_size=3), st.integers(0, 1))


def _arriving_line(known: pd.DataFrame, kind: str, place: int, units: int) -> pd.DataFrame:
    line = known.iloc[[place % len(known)]]
    if kind == "late":
        other = known["product_id"].iloc[place // 7 % len(known)]
        return line.assign(product_id=other, order_id=line["order_id"] + 10**7, items=disguise_units(units))
    if kind == "restated":
        return line.assign(items=disguise_units(units))
    if kind == "cancelled":
        return line.assign(items=disguise_units(-(3 * line["items"] - 1) / 2))
    return line


@settings(
    max_examples=5,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(weeks=st.lists(week, min_size=N_DROPS, max_size=N_DROPS))
def test_week_after_week_with_late_lines_and_new_customers_equals_a_run_from_nothing(
    source: Path, tmp_path: Path, weeks: list[tuple[list[tuple[str, int, int]], int]]
) -> None:
    shutil.rmtree(tmp_path)
    volume = _empty(tmp_path / "volume", source)
    raw, n_customers = volume.root / "raw", N_CUSTOMERS
    known = pd.read_parquet(source / "transacciones.parquet")
    for number, (arriving, n_new) in enumerate(weeks):
        monday = AS_OF - (N_DROPS - number) * WEEK
        drop = pd.read_parquet(source / f"transacciones_{monday}.parquet")
        drop = pd.concat([drop, *(_arriving_line(known, *line) for line in arriving)])
        if n_new:
            newcomer = known.iloc[[number]].assign(customer_id=FIRST_CUSTOMER + n_customers)
            newcomer = newcomer.assign(order_id=10**8 + number, purchase_date=pd.Timestamp(monday))
            drop = pd.concat([drop, newcomer])
        write_transactions(raw / f"transacciones_{monday}.parquet", drop)
        known = pd.concat([known, drop])
        n_customers += n_new
        synthetic_customers(n_customers).to_parquet(raw / "clientes.parquet", index=False)
        _make(volume, monday + WEEK)
    assert _bytes(volume, AS_OF) == _from_nothing(volume, AS_OF, tmp_path / "fresh")


def test_files_of_a_concurrent_run_stay_and_those_of_a_killed_run_are_removed_after_a_day(
    tmp_path: Path,
) -> None:
    cache = training_cache.TrainingCache(Volume(tmp_path), horizon_days=7)
    source = tmp_path / "source"
    source.write_text("rows")
    cache.store(AS_OF, "key", source)
    (cached,) = cache._folder.glob("*/*")
    others = {name: cached.with_name(name) for name in (".written", ".left", "replaced.parquet")}
    for other in others.values():
        other.touch()
    yesterday = time.time() - 90_000
    os.utime(others[".left"], (yesterday, yesterday))

    cache.prune()

    assert set(cached.parent.iterdir()) == {cached, others[".written"]}
