"""The whole pipeline through Airflow: weeks in a row, a kill, data from the future, bad input."""
