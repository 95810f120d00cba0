"""Tests of dags/: plain modules in this process, Airflow in a process of its own environment."""
