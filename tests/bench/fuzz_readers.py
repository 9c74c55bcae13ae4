"""Damaged files against the readers: each is read or refused in words, and nothing else happens.

    python tests/bench/fuzz_readers.py [--minutes 10] [--files N] [--seed S] [--keep FOLDER]

Files of every format, made here and (where they are) real ones, are mutated: bytes flipped, cut, doubled, spliced,
encodings mixed, members of archives damaged and packed again. Batches are read in a child process with bounds on time
and memory. Prints a table of outcomes; the exit status is 1 where there was a TRACEBACK, a HANG or a CRASH, and the
files that did it are kept.
"""

import argparse
import collections
import io
import json
import os
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "difficult"
BATCH = 150
SECONDS = 15  # for one file, on a busy machine
MEMORY = 8 << 30
TOKENS = [*b"\",;\t|\n\r'\\{}[]:=<>#~^", 0, 255]
PIECES = [
    b"\r\n",
    b'""',
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    "می‌روم".encode(),
    b"null",
    b"NaN",
    b"1e999",
    b"\xe2\x80\xa8",
    b"[" * 50,
    b"<table>",
    b"__label__x ",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"--- | ---",
    b"9" * 400,
    b'{"a":' * 30,
    b"\\ud800",
    b"A" * 5000,
]

CHILD = """
import resource, sys, traceback
sys.path.insert(0, {root!r})
resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
from pathlib import Path
from lora_hub.data.read.read import read_table
from lora_hub.core.errors import LoraHubError
for line in sys.stdin:
    path, skip = line.rstrip("\\n").rsplit("\\t", 1)
    try:
        table = read_table(Path(path), skip_broken=skip == "1")
        names = set(table.columns)
        assert table.rows > 0 and len(names) == table.frame.width > 0, "no rows, or two columns of one name"
        for problem in table.problems:
            assert problem.message and problem.said.fa, problem.code + " has no Persian"
        result = "read"
    except LoraHubError as error:
        length = len(error.message)
        result = "refused" if 0 < length < 3_000 else "TRACEBACK a message of " + str(length) + " characters"
    except BaseException as error:
        result = "TRACEBACK " + repr(error)[:300] + " " + repr(traceback.format_exc()[-600:])
    print("\\x01" + result.replace("\\n", " "), flush=True)
"""


def made_files() -> dict[str, bytes]:
    """Small sound files of every format, by a name that says the kind."""
    import bz2
    import gzip
    import lzma
    import tarfile

    import openpyxl
    import polars
    import pyarrow
    from pyarrow import ipc

    rows = [
        (f'متن شماره {n}, with "quotes"\nand lines' if n % 3 else f"plain text {n}", ("spam", "ham")[n % 2])
        for n in range(30)
    ]
    cell = lambda text: '"' + text.replace('"', '""') + '"'  # noqa: E731
    table = "\n".join(f"{cell(a)},{b}" for a, b in [("text", "label"), *rows]) + "\n"
    objects = [{"text": a, "label": b, "n": n, "m": None} for n, (a, b) in enumerate(rows)]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in objects)
    chats = "".join(
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": a},
                    {"role": "assistant", "content": [{"type": "text", "text": b}]},
                ]
            }
        )
        + "\n"
        for a, b in rows
    )
    frame = polars.DataFrame(
        {
            "text": [a for a, _ in rows],
            "label": [n % 2 for n in range(30)],
            "tags": [["a", "b"]] * 30,
            "when": [1.5] * 30,
        }
    )
    page = "<html><table>" + "".join(f"<tr><td colspan=1>{a}<td>{b}</tr>" for a, b in rows) + "</table></html>"
    book = openpyxl.Workbook()
    for row in [("text", "label"), *rows, ("=1+1", True)]:
        book.active.append(row)
    book.create_sheet("test").append(("text", "label"))
    sheet, parquet, arrow, stream, packed, tar = (io.BytesIO() for _ in range(6))
    book.save(sheet)
    frame.write_parquet(parquet)
    frame.write_ipc(arrow)
    batches = frame.to_arrow()
    with ipc.new_stream(stream, batches.schema) as writer:
        writer.write_table(batches)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.csv", table)
        archive.writestr("test.jsonl", lines)
    with tarfile.open(fileobj=tar, mode="w:gz") as archive:
        for name in ("train.en", "train.fa"):
            info = tarfile.TarInfo(name)
            info.size = 40
            archive.addfile(info, io.BytesIO(b"abc def\n" * 5))
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    flat = (
        f"<office:document-content {names}><office:body><office:spreadsheet><table:table table:name='S'>"
        + "".join(
            "<table:table-row>"
            + "".join(
                f'<table:table-cell office:value-type="string"><text:p>{x}</text:p></table:table-cell>' for x in row
            )
            + "</table:table-row>"
            for row in [("text", "label"), ("a b", "c"), ("d e", "f")]
        )
        + "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    sheets = io.BytesIO()
    with zipfile.ZipFile(sheets, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr(
            "META-INF/manifest.xml",
            (
                f"<manifest:manifest "
                f'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><manifest:file-entry '
                f'manifest:full-path="/" '
                f'manifest:media-type="{kind}"/></manifest:manifest>'
            ),
        )
        archive.writestr("content.xml", flat)
    excel = (
        '<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
        'xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">'
        '<Worksheet ss:Name="S"><Table><Row><Cell '
        'ss:Index="2"><Data>text</Data></Cell></Row><Row><Cell><Data>x</Data></Cell></Row></Table></Worksheet>'
        "</Workbook>"
    )
    squad = {
        "data": [
            {
                "title": "t",
                "paragraphs": [{"context": "c", "qas": [{"id": 1, "question": "q", "answers": [{"text": "a"}]}]}],
            }
        ]
    }
    return {
        "csv": table.encode(),
        "semicolon": table.replace(",", ";").encode("utf-8-sig"),
        "utf16": table.encode("utf-16"),
        "cp1256": "متن,برچسب\nخوب بود,يك\nبد بود,دو\n".encode("cp1256") * 5,
        "tsv": "\n".join(f"{a}\t{b}" for a, b in rows).encode(),
        "ragged": (table + "a,b,c\nd\n").encode(),
        "rare": b"a::b\nc d::e\nf g::h\n" * 5,
        "json": json.dumps(objects).encode(),
        "pretty": json.dumps({"data": {"rows": objects}}, indent=1).encode(),
        "squad": json.dumps(squad).encode(),
        "jsonl": lines.encode(),
        "chats": chats.encode(),
        "python": repr(objects).encode(),
        "columns": json.dumps({"text": ["a", "b"], "label": ["c", "d"]}).encode(),
        "xlsx": sheet.getvalue(),
        "ods": sheets.getvalue(),
        "parquet": parquet.getvalue(),
        "arrow": arrow.getvalue(),
        "stream": stream.getvalue(),
        "html": page.encode(),
        "excel-xml": excel.encode(),
        "flat-ods": flat.encode(),
        "zip": packed.getvalue(),
        "tar.gz": tar.getvalue(),
        "gz": gzip.compress(table.encode()),
        "bz2": bz2.compress(table.encode()),
        "xz": lzma.compress(table.encode()),
        "zst": pyarrow.compress(table.encode(), codec="zstd", asbytes=True),
        "markdown": b"| text | label |\n|---|---|\n" + b"| a | b |\n" * 9,
        "fasttext": b"__label__a some words\n" * 9,
        "aligned": b"name    age\nali     31\nreza    29\n",
    }


def real_files() -> dict[str, bytes]:
    if not REAL.is_dir():
        return {}
    return {
        f"real {file.name}": file.read_bytes() for file in sorted(REAL.iterdir()) if 0 < file.stat().st_size < 100_000
    }


def mutate(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """`data` with one to six kinds of damage. A zip's members are damaged and packed again half the time."""
    if data[:2] == b"PK" and chance.random() < 0.6:
        return _repack(data, chance, others)
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        size = len(changed)
        if not size:
            break
        kind, place = chance.randrange(9), chance.randrange(size)
        end = min(size, place + chance.choice((1, 4, 60, 2_000)))
        if kind == 0:
            for _ in range(chance.choice((1, 5, 50))):
                changed[chance.randrange(size)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del changed[place:end]
        elif kind == 2:
            del changed[place if chance.random() < 0.7 else size // 2 :]
        elif kind == 3:
            changed[place:place] = changed[place:end] * chance.choice((1, 2, 30))
        elif kind == 4:
            other = chance.choice(others)
            start = chance.randrange(max(1, len(other)))
            changed[place:end] = other[start : start + chance.choice((4, 100, 5_000))]
        elif kind == 5:
            changed[place:place] = chance.choice(PIECES)
        elif kind == 6:
            changed[place] = chance.choice(TOKENS)
        elif kind == 7:
            changed[place:end] = bytes(end - place)
        else:
            wrong, right = chance.choice(
                (
                    ("utf-8", "utf-16"),
                    ("utf-8", "cp1256"),
                    ("latin-1", "utf-8"),
                    ("utf-8", "utf-16-be"),
                    ("utf-8", "utf-32"),
                )
            )
            part = bytes(changed[place:]) if chance.random() < 0.5 else bytes(changed)
            changed[size - len(part) :] = part.decode(wrong, errors="replace").encode(right, errors="replace")
    return bytes(changed)[: 4 << 20]


def _repack(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        names = source.namelist()
        chosen = chance.choice(names)
        for name in names:
            content = source.read(name)
            if name == chosen and chance.random() < 0.1:
                continue
            target.writestr(name, mutate(content, chance, others) if name == chosen else content)
    return out.getvalue()


def run(seed: int, *, minutes: float = 0.0, files: int = 0, keep: Path) -> tuple[collections.Counter, list[str]]:
    """Outcomes as (kind of file, outcome) -> count, and one line for each failure."""
    chance, counts, failures = random.Random(seed), collections.Counter(), []
    seeds = made_files() | real_files()
    names, others = list(seeds), list(seeds.values())
    deadline, done = time.monotonic() + 60 * minutes, 0
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"}
    with tempfile.TemporaryDirectory() as folder:
        while (files and done < files) or (minutes and time.monotonic() < deadline):
            size = min(BATCH, files - done) if files else BATCH
            batch = [names[(done + place) % len(names)] for place in range(size)]
            paths = []
            for place, name in enumerate(batch):
                path = Path(folder) / f"{place}.bin"
                path.write_bytes(mutate(seeds[name], chance, others))
                paths.append(path)
            outcomes = _read_batch(paths, [chance.randrange(2) for _ in paths], environment)
            for name, path, outcome in zip(batch, paths, outcomes, strict=True):
                word = outcome.split()[0]
                counts[(name.split(".")[0] if name.startswith("real") else name, word)] += 1
                if word.isupper():
                    keep.mkdir(parents=True, exist_ok=True)
                    kept = keep / f"{seed}-{done}-{path.stem}-{word}"
                    kept.write_bytes(path.read_bytes())
                    failures.append(f"{kept} ({name}): {outcome}")
                    print(failures[-1], flush=True)
            done += size
    return counts, failures


def _read_batch(paths: list[Path], skips: list[int], environment: dict[str, str]) -> list[str]:
    """One outcome for each file; a child that dies or hangs is followed by another for the files after it."""
    outcomes: list[str] = []
    while len(outcomes) < len(paths):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD.format(root=str(ROOT), memory=MEMORY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
        )
        said: queue.Queue[str | None] = queue.Queue()
        errors: list[str] = []
        threading.Thread(target=_listen, args=(child.stdout, said), daemon=True).start()
        threading.Thread(
            target=lambda child=child, errors=errors: errors.append(child.stderr.read()), daemon=True
        ).start()
        before = len(outcomes)
        for path, skip in list(zip(paths, skips, strict=True))[before:]:
            try:
                child.stdin.write(f"{path}\t{skip}\n")
                child.stdin.flush()
                told = said.get(timeout=SECONDS + (20 if len(outcomes) == before else 0))
            except (queue.Empty, BrokenPipeError) as error:
                told = "HANG" if isinstance(error, queue.Empty) else None
            if told == "HANG" or told is None:
                child.kill()
                outcomes.append(told or f"CRASH status {child.wait()} {''.join(errors)[-300:]!r}")
                break
            outcomes.append(told)
        else:
            child.stdin.close()
            try:
                status = child.wait(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                status = "HANG"
            if status:
                outcomes[-1] = f"CRASH at exit: status {status} {''.join(errors)[-300:]!r}"
    return outcomes


def _listen(stream, said: queue.Queue) -> None:
    for line in stream:
        if line.startswith("\x01"):
            said.put(line[1:].rstrip("\n"))
    said.put(None)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--files", type=int, default=0, help="so many files instead of a time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "fuzz_readers")
    options = parser.parse_args(arguments)
    minutes = 0.0 if options.files else options.minutes or 1.0
    counts, failures = run(options.seed, minutes=minutes, files=options.files, keep=options.keep)
    words = ["read", "refused", "TRACEBACK", "HANG", "CRASH"]
    print(f"{'kind':24}" + "".join(f"{word:>11}" for word in words))
    for name in dict.fromkeys(name for name, _ in counts):
        print(f"{name:24}" + "".join(f"{counts[(name, word)]:11,}" for word in words))
    print(
        f"{'all':24}"
        + "".join(f"{sum(count for (_, one), count in counts.items() if one == word):11,}" for word in words)
    )
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
