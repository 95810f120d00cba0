"""The closed periods that a model learns from."""

from datetime import date

from sodai.data.periods import Period

# retrain_model needs two, and the newest is held out for evaluate_model.
MIN_PERIODS = 3


def select_training_periods(
    period: Period, first_purchase: date, n_periods: int, min_history_days: int
) -> list[Period]:
    """Return the closed periods before `period` to learn from, newest first.

    Args:
        period: the period to predict.
        first_purchase: date of the oldest purchase.
        n_periods: how many at most.
        min_history_days: days of purchases that each must have before it.
    """
    past = [period.back(steps) for steps in range(1, n_periods + 1)]
    # At least one whole period, from which the demand is forecast.
    history_days = max(min_history_days, period.step_days)
    return [each for each in past if (each.as_of - first_purchase).days >= history_days]
