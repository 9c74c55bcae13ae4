"""Recognizes files that must be refused with an explanation: pictures, programs, databases, documents. By content,
never by name."""

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.data.read.formats import FORMATS
from lora_hub.data.read.source import Source

PICKLE = _("a Python pickle, which could run code")
# First bytes, and the format they identify.
BINARY = {
    b"%PDF": _("a PDF document"),
    b"\x89PNG": _("an image"),
    b"\xff\xd8\xff": _("an image"),
    b"II*\0": _("an image"),
    b"MM\0*": _("an image"),
    b"\0\0\x01\0": _("an image"),
    b"8BPS": _("an image"),
    b"fLaC": _("an audio file"),
    b"OggS": _("an audio file"),
    b"SQLite format 3\0": _("a database"),
    b"7z\xbc\xaf": _("a 7z archive"),
    b"Rar!\x1a": _("a RAR archive"),
    b"\x7fELF": _("a program"),
    b"\xca\xfe\xba\xbe": _("a program"),
    b"\0asm": _("a program"),
    b"\x80\x02": PICKLE,
    b"\x80\x03": PICKLE,
    b"\x80\x04": PICKLE,
    b"\x80\x05": PICKLE,
    b"{\\rtf": _("a rich text document"),
    b"\x89HDF": _("an HDF5 file"),
    b"\x93NUMPY": _("a numpy array"),
    b"Obj\x01": _("an Avro file"),
    b"FEA1": _("a Feather file of version 1"),
    b"<stata_dta>": _("a Stata file"),
    b"$FL2": _("an SPSS file"),
    b"$FL3": _("an SPSS file"),
    b"RDX3\n": _("an R data file"),
    b"RDX2\n": _("an R data file"),
    b"X\n\0\0\0": _("an R data file"),
    b"GGUF": _("a model's weights"),
    b"\x09\x08\x08\0\0\x05": _("an Excel file from before 1997"),
    b"\x09\x08\x06\0\0\x05": _("an Excel file from before 1997"),
    b"\x09\x04\x06\0": _("an Excel file from before 1997"),
    b"\x09\x02\x06\0": _("an Excel file from before 1997"),
    b"\x09\0\x04\0": _("an Excel file from before 1997"),
    b"\x1aE\xdf\xa3": _("a video"),
    b"bplist": _("a property list"),
    b"\x1f\x9d": _("a compress (.Z) archive"),
    b"!<arch>": _("a program library"),
    b"wOFF": _("a font"),
    b"OTTO": _("a font"),
}
# The same for beginnings that a text may also have.
MAYBE = {
    b"GIF8": _("an image"),
    b"RIFF": _("a media file"),
    b"BM": _("an image"),
    b"ID3": _("an audio file"),
    b"MZ": _("a program"),
    b"ORC": _("an ORC file"),
    b"CDF": _("a NetCDF file"),
    b"MAT": _("a Matlab file"),
    b"%!PS": _("a PostScript document"),
}
OTHER_FEATHER = _("Save it as Parquet, or as Feather of version 2.")


def refuse_binary(source: Source, head: bytes) -> None:
    """Raises DataError if the first bytes identify a file that is neither a table nor text."""
    bare = head.lstrip(b" \t\r\n\xef\xbb\xbf")
    for start, what in BINARY.items():
        if head.startswith(start) or (start in (b"%PDF", b"{\\rtf") and bare.startswith(start)):
            raise DataError(
                _("{name} is {what}, not a table."),
                OTHER_FEATHER if start == b"FEA1" else FORMATS,
                name=source.name,
                what=what,
            )
    if not _is_text(head):
        for start, what in MAYBE.items():
            if head.startswith(start):
                raise DataError(_("{name} is {what}, not a table."), FORMATS, name=source.name, what=what)
        if head[4:8] == b"ftyp":
            raise DataError(_("{name} is a video, not a table."), FORMATS, name=source.name)
        if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 100 << 20:
            raise DataError(
                _("{name} holds a model's weights (safetensors), not a table."),
                FORMATS,
                name=source.name,
            )


def refuse_noise(source: Source) -> None:
    """Raises DataError if a non-Unicode file is full of control characters, which no text is."""
    head = source.head(64 << 10)
    controls = [byte for byte in head if byte < 32 and byte not in (9, 10, 13, 0) or byte == 127]
    if len(set(controls)) >= 3 and len(controls) > 0.01 * len(head):
        raise DataError(
            _("{name} is not a text or a table, but bytes of an unknown kind."),
            FORMATS,
            name=source.name,
        )


def _is_text(head: bytes) -> bool:
    return not any(byte < 9 or 13 < byte < 32 for byte in head)


def refuse_zip(source: Source, names: set[str]) -> None:
    """Raises DataError if the names inside a zip are those of a document or a program."""
    from lora_hub.data.read import archives

    word, slides = any(name.startswith("word/") for name in names), any(name.startswith("ppt/") for name in names)
    what = _("a Word document") if word else _("a presentation") if slides else None
    if "mimetype" in names and not what:
        try:
            with archives.open_members(source, 1 << 40) as members:
                kind = next(member for member in members if member.name == "mimetype").read(1 << 16)
        except StopIteration:
            kind = b""
        if b"opendocument.text" in kind:
            what = _("a text document")
        elif b"opendocument.presentation" in kind or b"opendocument.graphics" in kind:
            what = _("a presentation")
        elif b"epub" in kind:
            what = _("an e-book")
    if not what and any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        what = _("a PyTorch file, which could run code")
    if not what and names and all(name.endswith(".npy") for name in names):
        what = _("an archive of numpy arrays")
    if not what and ("META-INF/MANIFEST.MF" in names or "AndroidManifest.xml" in names):
        what = _("a program")
    if what:
        raise DataError(
            _("{name} is {what}, not a table."), _("Save its table as CSV or Excel."), name=source.name, what=what
        )
