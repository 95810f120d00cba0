"""`python -m sodai.object_store`: what people do with a volume on an object store, beside running stages."""

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
from sodai.object_store.local_cache import ENV_CACHE
from sodai.volume.volume import explain_write_errors

log = logging.getLogger("sodai")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

Url = Annotated[str, typer.Argument(metavar="URL", help="Root of the volume, s3://bucket/prefix.")]
_HOUR_SECONDS = 3600


def _told(command: Callable[..., None]) -> Callable[..., None]:
    """The command with expected failures as one line and exit code 1."""

    @wraps(command)
    def told(**options: Any) -> None:
        try:
            command(**options)
        except SodaiError as error:
            log.error(" ".join(str(error).split()))
            raise typer.Exit(1) from None

    return told


@app.command()
@_told
def load(
    folder: Annotated[Path, typer.Argument(help="Laid out like raw/.")],
    url: Url,
) -> None:
    """Add the parquet files of a folder to raw/; one of the same name is replaced."""
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise InputError(f"{folder}: no parquet files, expected transactions, customers and products")
    with open_checkout(url) as copy:
        raw = copy.root / RAW.relative_path(None)
        remedy = f"give {ENV_CACHE} space and this user the right to write"
        copy.add([_copy(file, raw / file.name, remedy) for file in files])
    log.info("%d files in %s/raw", len(files), url)


@app.command()
@_told
def get(
    url: Url,
    paths: Annotated[
        list[str], typer.Argument(help="Files or folders of the volume, reports for example; . is all of it.")
    ],
    to: Annotated[Path, typer.Option(help="Folder to put them into, with their paths.")],
) -> None:
    """Copy published files to a folder, all from one moment."""
    with open_checkout(url) as copy:
        places = [copy.root / _below_root(path) for path in paths]
        published = {place: copy.published.below(place) for place in places}
        for place, files in published.items():
            if not files:
                raise InputError(f"{place}: nothing is published there, expected a file or folder")
        copy.fetch(places, ())
        for file in chain.from_iterable(published.values()):
            remedy = "give the folder space and this user the right to write"
            _copy(file, to / file.relative_to(copy.root), remedy)


def _copy(file: Path, target: Path, remedy: str) -> Path:
    """Copy a file as a whole, or not at all; gives the target."""
    part = target.with_name(f"{target.name}.part")
    with file.open("rb") as source, explain_write_errors(target, remedy):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as written:
                shutil.copyfileobj(source, written)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return target


def _below_root(path: str) -> str:
    """The path from the root of the volume on, `.` for the root, however it was typed."""
    return posixpath.normpath(f"/{path}").lstrip("/") or "."


@app.command("list")
@_told
def list_published(
    url: Url,
    pattern: Annotated[str, typer.Argument(help="Of paths below the root, predictions/*/* for example.")],
) -> None:
    """Print the paths of the published files that match, one a line."""
    with open_checkout(url) as copy:
        for path in copy.published.matching(pattern):
            print(path.relative_to(copy.root))


@app.command()
@_told
def prune(
    url: Url,
    hours: Annotated[
        float, typer.Option(min=0, help="What no manifest has named for so long; longer than any stage runs.")
    ] = 24,
) -> None:
    """Remove objects that nothing published names: replaced ones, and those of killed stages."""
    with open_checkout(url) as copy:
        n_removed = copy.prune(time.time() - hours * _HOUR_SECONDS)
    log.info("%d objects removed from %s", n_removed, url)


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    app(prog_name="python -m sodai.object_store")
