"""The ledger of the warehouse: the file that holds the purchases of each week."""

from collections.abc import Mapping
from datetime import date
from typing import Any


def partitions_before(ledger: Mapping[str, Any], before: date) -> dict[date, str]:
    """Return the partitions that may hold purchases before a date, by the Monday of their week, in order.

    Args:
        ledger: as LEDGER holds it; files below `warehouse/transactions` that it does not name are left over
            from an interrupted load.
        before: exclusive; the partition of its week may hold later purchases too.
    """
    partitions: Mapping[str, str] = ledger["partitions"]["transactions"]
    by_monday = {date.fromisoformat(week): partitions[week] for week in sorted(partitions)}
    return {monday: name for monday, name in by_monday.items() if monday < before}
