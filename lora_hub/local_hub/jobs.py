"""Jobs: a command that really runs, as a process of this machine, in a folder of its own: `jobs/ID/{log,work}`.

Off without `--jobs`; then for whoever writes to a namespace, on loopback only. The image is not looked at: `python` is
the one that runs this server. A guard process stands between: it ends the job's whole process group once the command
has ended, or its time, or this server let go of the guard's standard input: to cancel, or because the server died.
Secrets go into the child's environment and nowhere else.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

from starlette.responses import StreamingResponse

from .app import Call, HubFault, refuse, route
from .store import Store, iso, new_id

J = "/api/jobs/{ns:(?!hardware$)[^/]+}"  # there is no list of hardware here
NOWHERE = 0
DEFAULT_SECONDS, MAX_SECONDS, POLL_SECONDS = 30 * 60, 7 * 24 * 3600, 0.2
MAX_LINE, STAMP = 64 * 1024, len("2026-01-01T00:00:00.000Z ")
GUARD = """
import contextlib, os, subprocess, sys, threading
def end():
    with contextlib.suppress(ProcessLookupError): os.killpg(job.pid, 9)
try: job = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, start_new_session=True)
except (OSError, LookupError) as error: sys.exit(f"The command cannot be started: {error}")
threading.Thread(target=lambda: (os.read(0, 1), end()), daemon=True).start()
try: code = job.wait(int(sys.argv[1]))
except subprocess.TimeoutExpired: code = 124
end()
os._exit(code if code >= 0 else 128 - code)
"""


def _enter(call: Call, ns: str) -> str:
    """The namespace as it is written, for those who may run jobs in it."""
    refuse(call.hub.jobs is None, 501, "Jobs are off on this embedded Hub; start it with --jobs", "NotImplemented")
    may = "jobs" in (call.need_user().scopes or {"jobs"})  # an app that someone signed in to needs that scope, too
    refuse(not may or call.accounts.role(call.user, ns) not in ("admin", "write"), 403, f"You don't have the rights to run jobs in {ns}")
    return call.accounts.find_namespace(ns) or ns


@route("GET", J + "/{id}", "any")
def inspect(call: Call, ns: str, id: str) -> dict:
    owner, record = _enter(call, ns), call.store.document(NOWHERE, "job", id)
    refuse(not record or record["owner"]["name"] != owner, 404, f"There is no job {id} in {ns}")
    return record


def _finish(store: Store, id: str, stage: str, message: str | None = None) -> None:
    """Writes how a job ended, unless that is known already."""
    with store.edit(NOWHERE, "job", id) as record:
        if record["status"]["stage"] == "RUNNING":
            record |= {"status": {"stage": stage, "message": message}, "finishedAt": iso()}


def mark_lost(store: Store) -> None:
    """For a server that starts: whatever the records say, no job runs."""
    for id in [id for id, job in store.documents(NOWHERE, "job").items() if job["status"]["stage"] == "RUNNING"]:
        _finish(store, id, "ERROR", "lost: the Hub that ran it has ended")


def sweep(store: Store, before: float) -> None:
    """Removes jobs that said their last word before that time; call it inside `write()`."""
    for log in [log for log in store.folder.glob("jobs/*/log") if log.stat().st_mtime < before]:
        shutil.rmtree(log.parent)
        store.put_document(NOWHERE, "job", log.parent.name, {})


def _watch(call: Call, id: str, guard: subprocess.Popen, log: Path) -> None:
    """Writes each line of output with its time, until the job has ended."""
    try:
        with open(log, "ab", buffering=0) as file:
            while line := guard.stdout.readline(MAX_LINE):
                file.write(f"{iso()} ".encode() + line.removesuffix(b"\n") + b"\n")
    finally:  # a full disk ends the job, too
        guard.stdout.close()
        guard.stdin.close()
        message = {0: None, 124: "Job timeout"}.get(code := guard.wait(), f"Job failed with exit code: {code}")
        _finish(call.store, id, "ERROR" if code else "COMPLETED", message)
        del call.hub.jobs[id]


@route("POST", J, "any")
def run(call: Call, ns: str) -> dict:
    owner, kinds = _enter(call, ns), {"command": list, "arguments": list, "environment": dict, "labels": dict}
    if missing := [name for name in ("volumes", "expose", "ssh", "network") if call.body.get(name)]:
        raise HubFault(501, f"This embedded Hub runs jobs without {' and '.join(missing)}", "NotImplemented")
    given, hidden = {name: call.field(name, kind, kind()) for name, kind in kinds.items()}, call.field("secrets", dict, {})
    seconds = max(1, min(call.field("timeoutSeconds", int, DEFAULT_SECONDS), MAX_SECONDS))
    id, now = new_id(), iso()
    work = call.store.folder / "jobs" / id / "work"
    work.mkdir(parents=True)
    (log := work.with_name("log")).touch()
    kept = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin", "HOME": str(work), "LANG": "C.UTF-8",
            "JOB_ID": id, "HF_ENDPOINT": call.base_url, "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1,localhost,::1"}
    command = [sys.executable, "-I", "-c", GUARD, str(seconds), *map(str, given["command"] + given["arguments"])]
    env = {str(name): str(value) for name, value in (kept | given["environment"] | hidden).items()}
    try:
        guard = subprocess.Popen(command, cwd=work, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, start_new_session=True)
    except (OSError, ValueError) as error:
        shutil.rmtree(work.parent)
        raise HubFault(400, f"The job cannot be started: {error}") from error
    record = {"id": id, "createdAt": now, "startedAt": now, "owner": call.accounts.about(owner), "secrets": dict.fromkeys(hidden), **given,
              **{name: call.body.get(name) for name in ("dockerImage", "spaceId", "flavor")},
              "status": {"stage": "RUNNING", "message": None}}
    call.store.put_document(NOWHERE, "job", id, record)
    call.hub.jobs[id] = guard
    threading.Thread(target=_watch, args=(call, id, guard, log), daemon=True).start()
    return record


@route("GET", J, "any")
def listing(call: Call, ns: str) -> list[dict]:
    owner, stages = _enter(call, ns), call.query.getlist("stage")
    labels = {tuple(pair.partition("=")[::2]) for pair in call.query.getlist("label")}
    rows = [job for job in call.store.documents(NOWHERE, "job").values() if job["owner"]["name"] == owner
            and (not stages or job["status"]["stage"] in stages) and labels <= job["labels"].items()]
    return call.paged(sorted(rows, key=lambda job: job["createdAt"], reverse=True), 100)


@route("POST", J + "/{id}/cancel", "any")
def cancel(call: Call, ns: str, id: str) -> dict:
    inspect(call, ns, id)
    if guard := call.hub.jobs.get(id):
        _finish(call.store, id, "CANCELED")
        guard.stdin.close()
    return inspect(call, ns, id)


@route("PUT", J + "/{id}/labels", "any")
def label(call: Call, ns: str, id: str) -> dict:
    inspect(call, ns, id)
    with call.store.edit(NOWHERE, "job", id) as record:
        record["labels"] = call.field("labels", dict)
    return record


@route("GET", J + "/{id}/logs", "any")
def logs(call: Call, ns: str, id: str) -> StreamingResponse:
    """Server-sent events, a line each, from the first (or with `tail` one of the last) to the end of the job. The same
    lines come each time, which is how the client goes on after a break."""
    inspect(call, ns, id)
    path, running, tail = call.store.folder / "jobs" / id / "log", call.hub.jobs, call.number("tail", 0)

    async def events():
        with open(path, "rb") as file:
            if tail:
                file.seek(-sum(map(len, deque(file, tail))), os.SEEK_CUR)
            while True:
                ended, start = id not in running, file.tell()
                if (line := file.readline()).endswith(b"\n"):
                    event = {"data": line[STAMP:-1].decode(errors="replace"), "timestamp": line[:STAMP - 1].decode()}
                    yield f"data: {json.dumps(event)}\n\n"
                elif ended:
                    break
                else:
                    file.seek(start)
                    await asyncio.sleep(POLL_SECONDS)

    return StreamingResponse(events(), headers={"Cache-Control": "no-store"}, media_type="text/event-stream")
