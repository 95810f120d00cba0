"""When the pipeline starts by itself."""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable

from sodai_settings import TIMEZONE, schedule_from


def weekly() -> CronTriggerTimetable | None:
    """The schedule of the environment, from the next time on; None where nothing starts by itself.

    A DAG with a start date would run at once for the week that has begun, before anybody loads data.
    """
    cron = schedule_from()
    return CronTriggerTimetable(cron, timezone=TIMEZONE, run_immediately=timedelta()) if cron else None
