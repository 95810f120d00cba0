"""The catalogue of features as a document: `python -m tests.feature_table` prints it."""

from sodai.data.feature_catalog import FEATURES

_HEAD = """# The 72 features

All are taken at the cutoff of a row, from what was bought before it. This table is printed by
`PYTHONPATH=shared .venv/bin/python -m tests.feature_table`; a test holds it against the code.

| feature | group | unit | means | null means |
|---|---|---|---|---|
"""


def feature_table() -> str:
    """The document `stages/create_features/FEATURES.md`."""
    rows = (
        f"| {each.name} | {each.group} | {each.unit or '-'} | {each.meaning} | {each.null_means or '-'} |\n"
        for each in FEATURES
    )
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    print(feature_table(), end="")
