"""The commands behind `make run`, `make up` and `make down`; Airflow never loads them."""
