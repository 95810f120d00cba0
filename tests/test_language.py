"""The retired words of CONTRIBUTING.md are in no code, template, script or document."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = (".ci", "dags", "images", "shared", "stages", "tests")
SUFFIXES = {".conf", ".css", ".hcl", ".html", ".jinja", ".js", ".md", ".py", ".sh", ".toml", ".yml"}
NAMES = {"Dockerfile", "Makefile", "run", ".airflowignore", ".dockerignore", ".gitignore"}
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
TABLE = re.compile(r"<!-- retired words: begin -->(.*?)<!-- retired words: end -->", re.DOTALL)
# A sentence that opens with a free relative, unless it is a question.
FREE_RELATIVE = re.compile(r"(?:\A|(?<=[.:;] )|(?<=\n\n))(Who|Whom|What|Whether) [^.?]*(?:[.]|\Z)")


def retired_words() -> list[str]:
    """Return the words and phrases of the first column of the table."""
    table = TABLE.search(CONTRIBUTING.read_text(encoding="utf-8"))
    assert table
    cells = re.findall(r"^\| ([a-z ,]+) \|", table[1], re.MULTILINE)[1:]
    return [word for cell in cells if not cell.startswith("a sentence ") for word in cell.split(", ")]


def pattern_of(words: list[str]) -> re.Pattern[str]:
    """Return a pattern of whole words, which may be parts of identifiers and cross line breaks."""
    # Letters alone bound a word, so that the words of a snake_case identifier count.
    phrases = "|".join(r"[\s_#*]+".join(word.split()) for word in words)
    return re.compile(rf"(?<![a-z])(?:{phrases})(?![a-z])", re.IGNORECASE)


def files() -> Iterator[Path]:
    inside = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*"))
    for file in sorted([*inside, *ROOT.iterdir()]):
        if file.is_file() and (file.suffix in SUFFIXES or file.name in NAMES):
            yield file


def text_of(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    if file == CONTRIBUTING:
        # Keep the line breaks, so that later lines keep their numbers.
        return TABLE.sub(lambda table: "\n" * table[0].count("\n"), text)
    return text


def split_camel_case(text: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)


def docstrings(text: str) -> Iterator[tuple[int, str]]:
    """Yield the first line and the text of every docstring of a module."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield node.body[0].lineno, docstring


def hits(pattern: re.Pattern[str], text: str, first_line: int = 1) -> Iterator[str]:
    """Yield the line number and the text of every match."""
    for match in pattern.finditer(text):
        line = first_line + text.count("\n", 0, match.start())
        yield f"{line}: {' '.join(match[0].split())[:60]}"


def test_retired_words_are_nowhere() -> None:
    pattern = pattern_of(retired_words())
    found = [
        f"{file.relative_to(ROOT)}:{hit}"
        for file in files()
        for hit in hits(pattern, split_camel_case(text_of(file)))
    ]
    assert not found, "\n".join(["retired words, see CONTRIBUTING.md:", *found])


def test_no_docstring_opens_a_sentence_with_a_free_relative() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{hit}"
        for file in files()
        if file.suffix == ".py"
        for line, docstring in docstrings(text_of(file))
        for hit in hits(FREE_RELATIVE, docstring, line)
    ]
    assert not found, "\n".join(["free relatives, see CONTRIBUTING.md:", *found])


@pytest.mark.parametrize("text", ["one word", "one\n    # word", "in_one_word", "OneWord", "One word."])
def test_a_phrase_is_found_across_lines_and_in_identifiers(text: str) -> None:
    assert pattern_of(["one word"]).search(split_camel_case(text))


@pytest.mark.parametrize("text", ["one words", "none word", "oneword", "one of the words"])
def test_other_words_are_not_found(text: str) -> None:
    assert not pattern_of(["one word"]).search(split_camel_case(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("What it does.", True),
        ("Return it. Whether it is new", True),
        ("Return it.\n\nWho asks first\ngets it.", True),
        ("What is it?", False),
        ("Return customers who bought, and what they bought.", False),
    ],
)
def test_a_free_relative_opens_a_sentence_that_is_no_question(text: str, found: bool) -> None:
    assert bool(FREE_RELATIVE.search(text)) is found
