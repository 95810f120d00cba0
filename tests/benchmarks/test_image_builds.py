"""The benchmark of images: changed line, tag and sizes."""

import subprocess
from pathlib import Path

import pytest

from benchmarks import image_builds
from support.path_commands import put_command


def test_a_changed_line_keeps_the_code_of_the_program(tmp_path: Path) -> None:
    program = tmp_path / "cli.py"
    program.write_text("answer = 42\n")
    image_builds.change_a_line(program)
    assert program.read_text() == "answer = 42\n# A new line.\n"


def test_images_are_built_under_a_tag_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    put_command(tmp_path / "images", "build.sh", 'echo "$SODAI_IMAGE_TAG $*" >"$(dirname "$0")/call"')
    assert image_builds.build_seconds(tmp_path, "--no-cache") > 0
    assert (tmp_path / "images/call").read_text() == "bench --no-cache\n"


@pytest.mark.docker
def test_sizes_are_those_of_the_images_of_the_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_builds, "TAG", "bench-test")
    assert image_builds.sizes() == {}
    image = "sodai/create_features"
    subprocess.run(["docker", "tag", f"{image}:latest", f"{image}:bench-test"], check=True)
    try:
        sizes = image_builds.sizes()
    finally:
        subprocess.run(["docker", "image", "rm", f"{image}:bench-test"], check=True, capture_output=True)
    assert list(sizes) == [image]
    assert 100 < sizes[image] < 2000
