"""Names, numbers and dates as the page writes them."""

from datetime import date, timedelta

BRANCHES = {"retrain_model": "newly trained", "load_existing_model": "champion kept in use"}
CONTENDERS = {
    "challenger": "challenger",
    "champion": "champion",
    "bought_last_week": "bought last week",
    "bought_3_of_8_weeks": "3 of the last 8 weeks",
    "decayed_frequency": "decayed frequency",
}
METRICS = {
    "set_f1": "F1 of the predicted set",
    "recall_at_10": "Recall at 10",
    "ndcg_at_10": "NDCG at 10",
    "precision_at_10": "Precision at 10",
    "hit_rate_at_10": "Hit rate at 10",
    "average_precision": "Average precision",
    "roc_auc": "AUC-ROC",
}


def sentence(text: str) -> str:
    """Return a reason with a capital and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def day(value: date) -> str:
    """Return a date as 6 January 2025."""
    return f"{value.day} {value:%B %Y}"


def days(first: date, n_days: int) -> str:
    """Return first and last day as 6 January 2025 to 12 January 2025."""
    return f"{day(first)} to {day(first + timedelta(days=n_days - 1))}"


def duration(seconds: float) -> str:
    """Return a time as 4 min 24 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def number(value: object, spec: str = ".3f") -> str:
    """Return a float in a format, text unchanged, a dash for None."""
    if value is None:
        return "–"
    return format(value, spec) if isinstance(value, float) else str(value)
