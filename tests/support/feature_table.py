"""The feature catalog as a document: `python -m tests.support.feature_table` prints it."""

from sodai.data.feature_catalog import FEATURES

_HEAD = """# The 72 features

All are computed at the cutoff of a row from earlier purchases. This table is printed by
`PYTHONPATH=shared .venv/bin/python -m tests.support.feature_table`; a test compares it with the code.

| feature | group | unit | means | null means |
|---|---|---|---|---|
"""


def feature_table() -> str:
    """Return the text of `stages/create_features/FEATURES.md`."""
    rows = (
        f"| {each.name} | {each.group} | {each.unit or '-'} | {each.meaning} | {each.null_means or '-'} |\n"
        for each in FEATURES
    )
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    print(feature_table(), end="")
