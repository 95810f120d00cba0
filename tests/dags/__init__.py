"""Tests of dags/: plain modules here, what needs Airflow in a process of Airflow's environment."""
