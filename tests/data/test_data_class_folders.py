"""An archive with a folder per class and a text per file: the folder is the label; train/ and test/ are the parts."""

import zipfile
from pathlib import Path

import pytest

from lora_hub.core.errors import DataError
from lora_hub.data.read.read import read_table
from lora_hub.data.tables.table import Table


def packed(folder: Path, names: list[str]) -> Path:
    file = folder / "texts.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, f"The words of {name}")
    return file


def rows(table: Table | None) -> set[tuple[str, str]]:
    return set() if table is None else set(table.frame.select("text", "label").rows())


def expected(names: list[str], label_at: int) -> set[tuple[str, str]]:
    return {(f"The words of {name}", name.split("/")[label_at]) for name in names}


def texts(split: str, labels: tuple[str, ...] = ("pos", "neg"), count: int = 4, suffix: str = ".txt") -> list[str]:
    return [f"{split}{label}/{n}{suffix}" for label in labels for n in range(count)]


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize(
    ("root", "train", "test"), [("", "train", "test"), ("data/", "training", "val"), ("", "آموزش", "آزمون")]
)
def test_folders_in_train_and_test(tmp_path: Path, root: str, train: str, test: str, count: int) -> None:
    trained, tested = texts(f"{root}{train}/", count=count), texts(f"{root}{test}/", count=count)
    table = read_table(packed(tmp_path, [*trained, *tested]))
    assert rows(table) == expected(trained, -2) and rows(table.test) == expected(tested, -2)
    told = next(problem.message for problem in table.problems if problem.code == "archive")
    assert "Each file is a text and its folder its label: neg, pos." in told and f"{root}{test}/pos to test on" in told


def test_train_and_test_in_each_class(tmp_path: Path) -> None:
    trained, tested = (
        [f"{label}/{split}/{n}.txt" for label in ("pos", "neg") for n in range(4)] for split in ("train", "test")
    )
    table = read_table(packed(tmp_path, [*trained, *tested]))
    assert rows(table) == expected(trained, 0) and rows(table.test) == expected(tested, 0)


def test_what_has_no_class_is_left_and_told(tmp_path: Path) -> None:
    """As IMDB's archive is: texts without a class, lists beside the folders."""
    trained, tested = texts("aclImdb/train/"), texts("aclImdb/test/")
    others = [
        *texts("aclImdb/train/", ("unsup",)),
        "aclImdb/imdb.vocab",
        "aclImdb/train/urls_pos.txt",
        "aclImdb/README",
    ]
    table = read_table(packed(tmp_path, [*others, *trained, *tested]))
    assert rows(table) == expected(trained, -2) and rows(table.test) == expected(tested, -2)
    assert "Left out: aclImdb/train/unsup/0.txt" in next(
        problem.message for problem in table.problems if problem.code == "archive"
    )


def test_test_texts_without_a_class_are_left_out_and_classes_of_test_alone_stay(tmp_path: Path) -> None:
    table = read_table(packed(tmp_path, [*texts("train/"), "test/1.txt", "test/2.txt"]))
    assert rows(table) == expected(texts("train/"), -2) and table.test is None
    assert "Left out: test/1.txt, test/2.txt." in table.problems[-1].message
    table = read_table(packed(tmp_path, [*texts("train/"), *texts("test/", ("pos", "neg", "mid"))]))
    assert rows(table.test) == expected(texts("test/", ("pos", "neg", "mid")), -2)


@pytest.mark.parametrize("suffix", ["", ".txt", ".text"])
def test_folders_without_a_split(tmp_path: Path, suffix: str) -> None:
    names = texts("news/", ("sci.space", "rec.autos", "train"), suffix=suffix)
    assert rows(read_table(packed(tmp_path, names))) == expected(names, -2)


def test_folders_that_come_again_under_each_class_are_no_classes(tmp_path: Path) -> None:
    names = [f"reviews/{label}/{of}/{n}.txt" for label in ("pos", "neg") for of in ("books", "lamps") for n in range(3)]
    assert rows(read_table(packed(tmp_path, names))) == expected(names, 1)
    names = [
        f"{top}/{label}/{n}.txt"
        for top, label in (("comp", "graphics"), ("comp", "windows"), ("rec", "autos"))
        for n in range(3)
    ]
    assert rows(read_table(packed(tmp_path, names))) == expected(names, 1)


def test_one_folder_is_no_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read_table(packed(tmp_path, texts("all/", ("pos",))))
