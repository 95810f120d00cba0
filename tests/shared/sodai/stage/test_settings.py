"""Combinations of options that are refused before a stage reads anything."""

from pathlib import Path

import pytest

from sodai.engines import EngineName
from sodai.errors import InputError
from sodai.stage.settings import check_settings


@pytest.mark.parametrize(
    ("address", "found"), [(None, "nothing, nor SODAI_SPARK"), ("spark://host:7077", "spark://host:7077")]
)
def test_spark_needs_the_address_of_a_connect_server(address: str | None, found: str) -> None:
    options = {"data": Path("volume"), "engine": EngineName.SPARK, "spark_remote": address}
    with pytest.raises(InputError, match=rf"^--spark-remote: found {found}, expected .*leave --engine out$"):
        check_settings(options)
