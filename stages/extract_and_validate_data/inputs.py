"""The files in raw/: find, hash and open them, and compare them with their contracts."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from extract_and_validate_data.core_columns import RAW_TRANSACTIONS, ColumnMatch, match_columns
from extract_and_validate_data.core_tables import TableReport, check_table
from sodai.data.catalog import CUSTOMERS, PRODUCTS
from sodai.data.contracts import Contract
from sodai.errors import ContractError, InputError, first_line

TRANSACTION_NAMES = ("transacciones", "transactions")
CUSTOMER_NAMES = ("clientes", "customers")
PRODUCT_NAMES = ("productos", "products")


@dataclass(frozen=True)
class RawSources:
    """The files in raw/.

    Args:
        transactions: content hash -> file, one for each content.
        customers, products: the two tables.
        same_content: name of a transaction file -> name of an earlier one with the same bytes.
        ignored: names that match no expected pattern.
    """

    transactions: Mapping[str, Path]
    customers: Path
    products: Path
    same_content: Mapping[str, str]
    ignored: tuple[str, ...]

    @property
    def names(self) -> set[str]:
        """Return the names of all transaction files."""
        return {path.name for path in self.transactions.values()} | self.same_content.keys()


@dataclass(frozen=True)
class RawFile:
    """A parquet file in raw/ whose footer was read: its rows, and its columns compared with the contract."""

    path: Path
    n_rows: int
    match: ColumnMatch


def find_sources(raw: Path) -> RawSources:
    """Find the files in raw/, under English or Spanish names.

    Raises:
        InputError: a file is missing, exists under both names, or is a folder.
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
        first = transactions.setdefault(_hash_file(path), path)
        if first != path:
            same_content[path.name] = first.name
    ignored = {path for path in raw.iterdir() if not path.name.startswith(".")}
    ignored -= {*files, customers, products}
    return RawSources(
        transactions, customers, products, same_content, tuple(sorted(path.name for path in ignored))
    )


def open_sources(
    sources: RawSources, loaded: Collection[str]
) -> tuple[dict[str, TableReport], dict[str, RawFile]]:
    """Check the two tables, and open the transaction files whose content hash is not in `loaded`.

    Returns:
        the checked tables as `customers` and `products`, and the new files by hash.

    Raises:
        InputError: files are not readable as parquet; the message names all of them.
        ContractError: columns or keys are wrong; the message names every broken column of every file.
    """
    new = {sha256: path for sha256, path in sources.transactions.items() if sha256 not in loaded}
    files = _open(
        {sources.customers: CUSTOMERS.contract, sources.products: PRODUCTS.contract}
        | dict.fromkeys(new.values(), RAW_TRANSACTIONS)
    )
    tables = {}
    for name, path, contract in (
        ("customers", sources.customers, CUSTOMERS.contract),
        ("products", sources.products, PRODUCTS.contract),
    ):
        match = files[path].match
        tables[name] = TableReport(path.name, match.extra, check_table(_read(files[path]), match, contract))
    _raise_faults((report.file, report.checked.faults) for report in tables.values())
    return tables, {sha256: files[path] for sha256, path in new.items()}


def _open(contracts: Mapping[Path, Contract]) -> dict[Path, RawFile]:
    files, unreadable = {}, []
    for path, contract in contracts.items():
        try:
            with pq.ParquetFile(path) as parquet:
                match = match_columns(parquet.schema_arrow, contract)
                files[path] = RawFile(path, parquet.metadata.num_rows, match)
        except (pa.ArrowException, OSError) as error:
            unreadable.append(f"{path.name} ({first_line(error)})")
    if unreadable:
        raise InputError(
            f"raw: {', '.join(unreadable)}: not readable, expected whole parquet files; send them again"
        )
    _raise_faults((path.name, file.match.faults) for path, file in files.items())
    return files


def _raise_faults(faults_by_file: Iterable[tuple[str, Sequence[str]]]) -> None:
    messages = [f"{name}: {', '.join(faults)}" for name, faults in faults_by_file if faults]
    if messages:
        raise ContractError(
            f"raw: {'; '.join(messages)}; correct the files (a column that the business does not have may be "
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
    files = [path for name in names if (path := raw / f"{name}.parquet").exists()]
    if len(files) != 1:
        state, remedy = ("both", "remove the older") if files else ("neither", "add it")
        raise InputError(
            f"{raw}: found {state} of {names[0]}.parquet and {names[1]}.parquet, "
            f"expected one of them; {remedy}"
        )
    return files[0]


def _hash_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (IsADirectoryError, PermissionError) as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}), expected a parquet file; replace it"
        ) from None
