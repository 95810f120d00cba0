"""Tests of the commands behind make run, make up and make down."""
