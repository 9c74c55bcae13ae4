"""Brings the catalogues up to date with the sentences in the code: what `make messages` runs.

    python -m lora_hub.locale.update          adds what is new, drops what is gone, names what is not translated yet

A sentence is found where it is the first argument of `_`, or with its plural of `_n`. Python's own parser finds them,
since Babel's does not look into f-strings. The titles of the catalogue's tasks are sentences, too, in each language
that their files do not have them in.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import yaml
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from lora_hub.core.languages import folder

PACKAGE = Path(__file__).parents[1]
SENTENCES = {"_": 1, "_n": 2}


def from_python(
    file: BinaryIO, keywords: Any, comment_tags: Any, options: Any
) -> Iterator[tuple[int, str, Any, list[str]]]:
    """An extraction method of Babel's: (line, function, texts, comments) of each sentence in a file of Python."""
    for node in ast.walk(ast.parse(file.read())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in SENTENCES:
            continue
        texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if len(texts) != SENTENCES[node.func.id] or len(texts) != len(node.args):
            raise SyntaxError(f"line {node.lineno}: the sentence of {node.func.id}() is not written out")
        yield node.lineno, node.func.id, texts[0] if len(texts) == 1 else tuple(texts), []


def read_code(package: Path = PACKAGE) -> Catalog:
    """Every sentence of a package, none of them translated."""
    found = Catalog(project="LoRA Hub")
    keywords = {"_": (1,), "_n": (1, 2)}
    method = "lora_hub.locale.update:from_python"
    for _file, _line, said, _comments, _context in extract_from_dir(
        str(package), method_map=[("**.py", method)], keywords=keywords
    ):
        found.add(said)
    return found


def read_titles(language: str, package: Path = PACKAGE) -> list[str]:
    """The English titles of the tasks whose files have none in this language."""
    found = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in package.glob("catalogue/tasks/*.yaml")]
    return sorted(task["title"]["en"] for task in found if language not in task["title"])


def read_all(language: str, package: Path = PACKAGE) -> Catalog:
    """Every sentence that a catalogue of this language has to have."""
    found = read_code(package)
    for title in read_titles(language, package):
        found.add(title)
    return found


def update(file: Path, package: Path = PACKAGE) -> list[str]:
    """Writes one catalogue anew. Returns the sentences that it does not translate."""
    with file.open("rb") as opened:
        catalogue = read_po(opened, locale=file.parts[-3])
    catalogue.update(read_all(file.parts[-3], package), no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    with file.open("wb") as opened:
        write_po(opened, catalogue, width=0, no_location=True, sort_output=True)
    missing = []
    for one in catalogue:
        strings = one.string if isinstance(one.string, tuple | list) else (one.string,)
        if one.id and not all(strings):
            missing.append(one.id if isinstance(one.id, str) else one.id[0])
    return missing


def main() -> int:
    status = 0
    for file in sorted(folder().glob("*/LC_MESSAGES/*.po")):
        missing = update(file)
        status |= bool(missing)
        for sentence in missing:
            print(f"{file.parts[-3]}: not translated: {sentence}")
    return status


if __name__ == "__main__":
    sys.exit(main())
