"""Reads Excel files of 1997 to 2003 (.xls) in a separate process. A damaged file can make fastexcel's parser request
terabytes, which kills its process; that must not be the page's server."""

import io
import json
import subprocess
import sys

import polars

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.data.read.merged_cells import Merge, counted_from
from lora_hub.data.read.source import Source

MEMORY = 6 << 30
SECONDS = 300
CHILD = """
import json, resource, sys
import fastexcel, io, pyarrow, python_calamine
from pyarrow import ipc
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
out = sys.stdout.buffer
def say(head, body=b""):
    head = json.dumps({**head, "size": len(body)}).encode()
    out.write(len(head).to_bytes(4, "little") + head + body)
try:
    data = sys.stdin.buffer.read()
    book = fastexcel.read_excel(data)
    cells = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    for name in book.sheet_names:
        sheet = book.load_sheet(name, header_row=None, dtypes="string")
        batch, held = sheet.to_arrow(), pyarrow.BufferOutputStream()
        with ipc.new_stream(held, batch.schema) as writer:
            writer.write_batch(batch)
        place = cells.get_sheet_by_name(name)
        merged, visible = place.merged_cell_ranges or [], sheet.visible == "visible"
        told = {"name": name, "visible": visible, "merged": merged, "start": place.start}
        say(told, held.getvalue().to_pybytes())
except fastexcel.FastExcelError as error:
    say({"error": str(error)})
"""


def read_sheets(source: Source) -> tuple[dict[str, polars.DataFrame], set[str], dict[str, list[Merge]], str]:
    """The cells of every sheet, the names of hidden sheets, the merged cells, and the parser's error (empty: none).
    Raises DataError if the process died, which only a damaged file causes."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", CHILD, str(MEMORY)], input=source.read(), capture_output=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise _damaged(source) from None
    frames, hidden, merges, stream = {}, set(), {}, io.BytesIO(done.stdout)
    while size := stream.read(4):
        told = json.loads(stream.read(int.from_bytes(size, "little")))
        if "error" in told:
            return {}, set(), {}, told["error"]
        frames[told["name"]] = polars.read_ipc_stream(io.BytesIO(stream.read(told["size"])))
        merges[told["name"]] = counted_from(told["merged"], told["start"])
        if not told["visible"]:
            hidden.add(told["name"])
    if done.returncode or not frames:
        raise _damaged(source)
    return frames, hidden, merges, ""


def _damaged(source: Source) -> DataError:
    return DataError(
        _("The workbook {name} is damaged."),
        _("Open it, save it again as .xlsx, and drop it again."),
        name=source.name,
    )
