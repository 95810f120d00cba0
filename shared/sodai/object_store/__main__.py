"""`python -m sodai.object_store`: load, list, copy and prune a volume on an object store."""

import logging
import posixpath
import shutil
import sys
import time
from collections.abc import Callable
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from sodai.data.catalog import RAW
from sodai.errors import InputError, SodaiError
from sodai.object_store.checkout import open_checkout
from sodai.runtime.environment import ENV_CACHE
from sodai.volume.atomic_files import atomic_write, explain_write_errors

log = logging.getLogger("sodai")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

Url = Annotated[str, typer.Argument(metavar="URL", help="Root of the volume, s3://bucket/prefix.")]
_HOUR_SECONDS = 3600


def _one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with expected failures reported in one line, and exit code 1."""

    @wraps(command)
    def run(**options: Any) -> None:
        try:
            command(**options)
        except SodaiError as error:
            log.error(" ".join(str(error).split()))
            raise typer.Exit(1) from None

    return run


@app.command()
@_one_line_errors
def load(
    folder: Annotated[Path, typer.Argument(help="Laid out like raw/.")],
    url: Url,
) -> None:
    """Add the parquet files of a folder to raw/, replacing those of the same name."""
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise InputError(f"{folder}: no parquet files, expected transactions, customers and products")
    with open_checkout(url) as checkout:
        raw = checkout.root / RAW.relative_path(None)
        remedy = f"give {ENV_CACHE} space and this user the right to write"
        checkout.add([_copy(file, raw / file.name, remedy) for file in files])
    log.info("%d files in %s/raw", len(files), url)


@app.command()
@_one_line_errors
def get(
    url: Url,
    paths: Annotated[
        list[str],
        typer.Argument(help="Files or folders of the volume, reports for example; . is all of it."),
    ],
    to: Annotated[Path, typer.Option(help="Folder to copy them to, with their paths.")],
) -> None:
    """Copy published files to a folder, all from the same version of the volume."""
    with open_checkout(url) as checkout:
        wanted = [checkout.root / _below_root(path) for path in paths]
        published = {path: checkout.published.below(path) for path in wanted}
        for path, files in published.items():
            if not files:
                raise InputError(f"{path}: nothing is published there, expected a file or folder")
        checkout.fetch(wanted, ())
        remedy = "give the folder space and this user the right to write"
        for file in chain.from_iterable(published.values()):
            _copy(file, to / file.relative_to(checkout.root), remedy)


def _copy(file: Path, target: Path, remedy: str) -> Path:
    """Copy a file, as a whole or not at all, and return the target."""
    with explain_write_errors(target, remedy):
        target.parent.mkdir(parents=True, exist_ok=True)
        # Not shutil.copyfile, whose errors name the source where the disk of the target is full.
        with file.open("rb") as source, atomic_write(target) as private, private.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    return target


def _below_root(path: str) -> str:
    """Return the path below the root of the volume, `.` for the root itself, however it was typed."""
    return posixpath.normpath(f"/{path}").lstrip("/") or "."


@app.command("list")
@_one_line_errors
def list_published(
    url: Url,
    pattern: Annotated[str, typer.Argument(help="Of paths below the root, predictions/*/* for example.")],
) -> None:
    """Print the paths of the published files that match, one per line."""
    with open_checkout(url) as checkout:
        for path in checkout.published.matching(pattern):
            print(path.relative_to(checkout.root))


@app.command()
@_one_line_errors
def prune(
    url: Url,
    hours: Annotated[
        float, typer.Option(min=0, help="Remove objects unused for so long; longer than any stage runs.")
    ] = 24,
) -> None:
    """Remove objects that are not published any more, and those of killed stages."""
    with open_checkout(url) as checkout:
        n_removed = checkout.prune(time.time() - hours * _HOUR_SECONDS)
    log.info("%d objects removed from %s", n_removed, url)


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    app(prog_name="python -m sodai.object_store")
