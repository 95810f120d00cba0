"""The files that the business dropped: found, hashed, opened and held against their contracts."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from extract_and_validate_data.core_columns import (
    RAW_CUSTOMERS,
    RAW_PRODUCTS,
    RAW_TRANSACTIONS,
    Match,
    match_columns,
)
from extract_and_validate_data.core_tables import TableReport, check_table
from sodai.data.contracts import Contract
from sodai.errors import ContractError, InputError, first_line

TRANSACTION_NAMES = ("transacciones", "transactions")
CUSTOMER_NAMES = ("clientes", "customers")
PRODUCT_NAMES = ("productos", "products")


@dataclass(frozen=True)
class Sources:
    """What lies in raw/: transaction files by content hash, the two tables, and what is not read.

    `same_content` names files whose bytes an earlier file has, with that file; `ignored` are names
    that no pattern asks for.
    """

    transactions: Mapping[str, Path]
    customers: Path
    products: Path
    same_content: Mapping[str, str]
    ignored: tuple[str, ...]

    @property
    def names(self) -> set[str]:
        """Names of all transaction files."""
        return {path.name for path in self.transactions.values()} | self.same_content.keys()


@dataclass(frozen=True)
class RawFile:
    """A parquet file of raw/ whose footer was read: its rows and how its columns meet the contract."""

    path: Path
    n_rows: int
    match: Match


def find_sources(raw: Path) -> Sources:
    """Find the files of raw/, under English or Spanish names.

    Raises:
        InputError: a file is missing, is there under both names, or is none.
    """
    files = sorted(path for name in TRANSACTION_NAMES for path in raw.glob(f"{name}*.parquet"))
    if not files:
        raise InputError(
            f"{raw}: found no transaction file, "
            "expected transacciones*.parquet or transactions*.parquet; add one"
        )
    customers, products = _find_one(raw, CUSTOMER_NAMES), _find_one(raw, PRODUCT_NAMES)
    transactions: dict[str, Path] = {}
    same_content = {}
    for path in files:
        first = transactions.setdefault(_hash_of(path), path)
        if first != path:
            same_content[path.name] = first.name
    ignored = {path for path in raw.iterdir() if not path.name.startswith(".")}
    ignored -= {*files, customers, products}
    return Sources(
        transactions, customers, products, same_content, tuple(sorted(path.name for path in ignored))
    )


def open_all(sources: Sources, known: Collection[str]) -> tuple[dict[str, TableReport], dict[str, RawFile]]:
    """Open the two tables and the transaction files that are not `known` by their content hash.

    Returns:
        the checked tables as `customers` and `products`, and the new files by hash.

    Raises:
        InputError: files are not readable as parquet; all of them are named.
        ContractError: columns or keys are wrong; all columns of all files are named.
    """
    new = {sha256: path for sha256, path in sources.transactions.items() if sha256 not in known}
    opened = _open(
        {sources.customers: RAW_CUSTOMERS, sources.products: RAW_PRODUCTS}
        | dict.fromkeys(new.values(), RAW_TRANSACTIONS)
    )
    tables = {
        name: TableReport(
            path.name,
            opened[path].match.extra,
            check_table(_read(opened[path]), opened[path].match, contract),
        )
        for name, path, contract in (
            ("customers", sources.customers, RAW_CUSTOMERS),
            ("products", sources.products, RAW_PRODUCTS),
        )
    }
    _raise_faults((report.file, report.checked.faults) for report in tables.values())
    return tables, {sha256: opened[path] for sha256, path in new.items()}


def _open(contracts: Mapping[Path, Contract]) -> dict[Path, RawFile]:
    opened, unreadable = {}, []
    for path, contract in contracts.items():
        try:
            with pq.ParquetFile(path) as stored:
                match = match_columns(stored.schema_arrow, contract)
                opened[path] = RawFile(path, stored.metadata.num_rows, match)
        except (pa.ArrowException, OSError) as error:
            unreadable.append(f"{path.name} ({first_line(error)})")
    if unreadable:
        raise InputError(
            f"raw: {', '.join(unreadable)}: not readable, expected whole parquet files; send them again"
        )
    _raise_faults((path.name, file.match.faults) for path, file in opened.items())
    return opened


def _raise_faults(faults: Iterable[tuple[str, Sequence[str]]]) -> None:
    told = [f"{name}: {', '.join(found)}" for name, found in faults if found]
    if told:
        raise ContractError(
            f"raw: {'; '.join(told)}; correct the files (a column that the business does not have may be "
            "all null) and run again"
        )


def _read(file: RawFile) -> pa.Table:
    try:
        return pq.read_table(file.path, columns=list(file.match.names.values()), partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"raw: {file.path.name} is damaged ({first_line(error)}), expected a whole parquet file; "
            "send it again"
        ) from None


def _find_one(raw: Path, names: Sequence[str]) -> Path:
    found = [path for name in names if (path := raw / f"{name}.parquet").exists()]
    if len(found) != 1:
        state, what = ("both", "take the older away") if found else ("neither", "put it there")
        raise InputError(
            f"{raw}: found {state} of {names[0]}.parquet and {names[1]}.parquet, expected one of them; {what}"
        )
    return found[0]


def _hash_of(path: Path) -> str:
    try:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except (IsADirectoryError, PermissionError) as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}), expected a parquet file; replace it"
        ) from None
