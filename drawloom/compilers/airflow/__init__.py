"""The compiler for Airflow."""
