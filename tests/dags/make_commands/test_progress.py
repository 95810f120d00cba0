"""The lines that a run prints as its tasks end, and the results and errors that it keeps."""

import io

from make_commands.progress import Progress, TaskEnd

DONE = {"stage": "create_features", "status": "done", "as_of": "2018-01-01"}


def progress_of(*ends: TaskEnd) -> tuple[Progress, list[str]]:
    """Return the progress of a run and the lines that it printed."""
    output = io.StringIO()
    progress = Progress(output)
    for end in ends:
        progress.add(end)
    return progress, output.getvalue().splitlines()


def test_a_line_has_the_task_its_seconds_and_what_happened() -> None:
    _, lines = progress_of(
        TaskEnd("start_pipeline", 0.04),
        TaskEnd("create_features", 13.91, DONE),
        TaskEnd("evaluate_model", 1.0, {**DONE, "skipped": True}),
        TaskEnd("score_candidates 2", 123.4, None, "generate_predictions: no model"),
    )
    assert lines == [
        "  start_pipeline                  0.0 s",
        "  create_features                13.9 s",
        "  evaluate_model                  1.0 s  skipped, nothing changed",
        "  score_candidates 2            123.4 s  failed",
    ]


def test_a_task_that_was_lost_and_succeeded_in_the_next_try_is_no_error() -> None:
    lost = "create_features: killed before writing a result; see the log above"
    progress, lines = progress_of(
        TaskEnd("create_features", 1.0, None, lost), TaskEnd("create_features", 2.0, DONE)
    )
    assert progress.error is None
    assert progress.results == {"create_features": DONE}
    assert [line.endswith("failed") for line in lines] == [True, False]


def test_the_error_is_that_of_the_task_whose_last_try_failed() -> None:
    progress, _ = progress_of(
        TaskEnd("score_candidates 0", 1.0, None, "generate_predictions: killed"),
        TaskEnd("score_candidates 1", 1.0, None, "generate_predictions: no model"),
        TaskEnd("score_candidates 0", 1.0, DONE),
    )
    assert progress.error == "generate_predictions: no model"


def test_an_error_replaces_that_of_the_try_before() -> None:
    progress, _ = progress_of(
        TaskEnd("retrain_model", 1.0, None, "retrain_model: out of memory"),
        TaskEnd(
            "retrain_model", 1.0, None, "retrain_model: out of memory; it had 16 GiB, its max_memory_gib"
        ),
    )
    assert progress.error == "retrain_model: out of memory; it had 16 GiB, its max_memory_gib"
