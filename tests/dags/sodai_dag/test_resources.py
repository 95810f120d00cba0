"""The limits of the tasks."""

import pytest

from sodai_dag.resources import RESOURCES, Resources, resources_of
from sodai_dag.stages import SCORE, STAGES


def test_limits_are_set_for_stages_only_and_every_stage_has_some() -> None:
    assert set(RESOURCES) <= {*STAGES, SCORE}
    for stage in (*STAGES, SCORE):
        limits = resources_of(stage)
        assert limits.memory_gib >= 2
        assert limits.max_memory_gib >= 1.5 * limits.memory_gib
        assert limits.cpus > 0
        assert limits.processes > 0


def test_every_try_after_one_out_of_memory_gets_one_and_a_half_times_the_memory_up_to_the_maximum() -> None:
    limits = Resources(memory_gib=4.0, max_memory_gib=8.0)
    assert limits.after_out_of_memory(4.0) == 6.0
    assert limits.after_out_of_memory(6.0) == 8.0
    assert limits.after_out_of_memory(8.0) == 8.0


def test_the_maximum_memory_cannot_be_less_than_that_of_the_first_try() -> None:
    with pytest.raises(ValueError, match=r"max_memory_gib: found 8, expected 9 \(memory_gib\) or more"):
        Resources(memory_gib=9.0, max_memory_gib=8.0)
