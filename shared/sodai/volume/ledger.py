"""The ledger of the warehouse: which partition files hold the purchases of which week."""

from collections.abc import Mapping
from datetime import date
from typing import Any


def partitions_before(ledger: Mapping[str, Any], before: date) -> dict[date, str]:
    """Return the partition files of TRANSACTIONS that may hold purchases before a date, by Monday, in order.

    Args:
        ledger: maps the Monday of each week to a file below `warehouse/transactions`; a file that it does
            not name is left over from an interrupted load.
        before: exclusive; the file of its week may hold later purchases too.
    """
    partitions: Mapping[str, str] = ledger["partitions"]["transactions"]
    dated = {date.fromisoformat(week): partitions[week] for week in sorted(partitions)}
    return {week: name for week, name in dated.items() if week < before}
