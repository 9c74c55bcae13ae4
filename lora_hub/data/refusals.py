"""What is recognised in order to be refused in words: pictures, programs, databases, documents. By content, never by name."""

from lora_hub.core.errors import DataError
from lora_hub.data import error_words
from lora_hub.data.formats import FORMATS, FORMATS_FA
from lora_hub.data.source import Source

PICKLE = "a Python pickle, which could run code"
# First bytes, and what they are.
BINARY = {
    b"%PDF": "a PDF document", b"\x89PNG": "an image", b"\xff\xd8\xff": "an image", b"II*\0": "an image", b"MM\0*": "an image",
    b"\0\0\x01\0": "an image", b"8BPS": "an image", b"fLaC": "an audio file", b"OggS": "an audio file", b"SQLite format 3\0": "a database",
    b"7z\xbc\xaf": "a 7z archive", b"Rar!\x1a": "a RAR archive", b"\x7fELF": "a program", b"\xca\xfe\xba\xbe": "a program",
    b"\0asm": "a program", b"\x80\x02": PICKLE, b"\x80\x03": PICKLE, b"\x80\x04": PICKLE, b"\x80\x05": PICKLE, b"{\\rtf": "a rich text document",
    b"\x89HDF": "an HDF5 file", b"\x93NUMPY": "a numpy array", b"Obj\x01": "an Avro file", b"FEA1": "a Feather file of version 1",
    b"<stata_dta>": "a Stata file", b"$FL2": "an SPSS file", b"$FL3": "an SPSS file", b"RDX3\n": "an R data file", b"RDX2\n": "an R data file",
    b"X\n\0\0\0": "an R data file", b"GGUF": "a model's weights", b"\x09\x08\x08\0\0\x05": "an Excel file from before 1997",
    b"\x09\x08\x06\0\0\x05": "an Excel file from before 1997", b"\x09\x04\x06\0": "an Excel file from before 1997",
    b"\x09\x02\x06\0": "an Excel file from before 1997", b"\x09\0\x04\0": "an Excel file from before 1997",
    b"\x1aE\xdf\xa3": "a video", b"bplist": "a property list", b"\x1f\x9d": "a compress (.Z) archive", b"!<arch>": "a program library",
    b"wOFF": "a font", b"OTTO": "a font",
}  # fmt: skip
# The same for beginnings that a text may have, too.
MAYBE = {
    b"GIF8": "an image", b"RIFF": "a media file", b"BM": "an image", b"ID3": "an audio file", b"MZ": "a program", b"ORC": "an ORC file",
    b"CDF": "a NetCDF file", b"MAT": "a Matlab file", b"%!PS": "a PostScript document",
}  # fmt: skip
OTHER_FEATHER = "Save it as Parquet, or as Feather of version 2."
OTHER_FEATHER_FA = "آن را با قالب Parquet یا نسخهٔ 2 Feather ذخیره کنید."


def refuse_binary(source: Source, head: bytes) -> None:
    """Raises DataError where the first bytes are those of a known kind of file that is no table, or of no text at all."""
    bare = head.lstrip(b" \t\r\n\xef\xbb\xbf")
    for start, what in BINARY.items():
        if head.startswith(start) or (start in (b"%PDF", b"{\\rtf") and bare.startswith(start)):
            raise DataError(
                f"{source.name} is {what}, not a table.", OTHER_FEATHER if start == b"FEA1" else FORMATS,
                message_fa=f"پروندهٔ «{source.name}» {error_words.KINDS_FA[what]} است، نه جدول.",
                hint_fa=OTHER_FEATHER_FA if start == b"FEA1" else FORMATS_FA,
            )  # fmt: skip
    if not _is_text(head):
        for start, what in MAYBE.items():
            if head.startswith(start):
                raise DataError(
                    f"{source.name} is {what}, not a table.", FORMATS,
                    message_fa=f"پروندهٔ «{source.name}» {error_words.KINDS_FA[what]} است، نه جدول.", hint_fa=FORMATS_FA,
                )  # fmt: skip
        if head[4:8] == b"ftyp":
            raise DataError(
                f"{source.name} is a video, not a table.", FORMATS,
                message_fa=f"پروندهٔ «{source.name}» ویدئو است، نه جدول.", hint_fa=FORMATS_FA,
            )  # fmt: skip
        if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 100 << 20:
            raise DataError(
                f"{source.name} holds a model's weights (safetensors), not a table.", FORMATS,
                message_fa=f"پروندهٔ «{source.name}» وزن‌های یک مدل (safetensors) است، نه جدول.", hint_fa=FORMATS_FA,
            )  # fmt: skip


def refuse_noise(source: Source) -> None:
    """Raises DataError where a file that is not Unicode is full of control characters: no text is."""
    head = source.head(64 << 10)
    controls = [byte for byte in head if byte < 32 and byte not in (9, 10, 13, 0) or byte == 127]
    if len(set(controls)) >= 3 and len(controls) > 0.01 * len(head):
        raise DataError(
            f"{source.name} is not a text or a table, but bytes of an unknown kind.", FORMATS,
            message_fa=f"پروندهٔ «{source.name}» متن یا جدول نیست، بایت‌هایی از نوعی ناشناخته است.", hint_fa=FORMATS_FA,
        )  # fmt: skip


def _is_text(head: bytes) -> bool:
    return not any(byte < 9 or 13 < byte < 32 for byte in head)


def refuse_zip(source: Source, names: set[str]) -> None:
    """Raises DataError where the names inside a zip are those of a document or of a program."""
    from lora_hub.data import archives

    word, slides = any(name.startswith("word/") for name in names), any(name.startswith("ppt/") for name in names)
    what = "a Word document" if word else "a presentation" if slides else ""
    if "mimetype" in names and not what:
        try:
            with archives.open_members(source, 1 << 40) as members:
                kind = next(member for member in members if member.name == "mimetype").read(1 << 16)
        except StopIteration:
            kind = b""
        if b"opendocument.text" in kind:
            what = "a text document"
        elif b"opendocument.presentation" in kind or b"opendocument.graphics" in kind:
            what = "a presentation"
        elif b"epub" in kind:
            what = "an e-book"
    if not what and any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        what = "a PyTorch file, which could run code"
    if not what and names and all(name.endswith(".npy") for name in names):
        what = "an archive of numpy arrays"
    if not what and ("META-INF/MANIFEST.MF" in names or "AndroidManifest.xml" in names):
        what = "a program"
    if what:
        raise DataError(
            f"{source.name} is {what}, not a table.", "Save its table as CSV or Excel.",
            message_fa=f"پروندهٔ «{source.name}» {error_words.KINDS_FA[what]} است، نه جدول.", hint_fa="جدولش را با قالب CSV یا اکسل ذخیره کنید.",
        )  # fmt: skip
