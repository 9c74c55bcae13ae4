"""Jobs: commands that really run, as processes of this machine. `jobs/ID/` keeps a job's `log`, and `work` while it
runs.

Jobs are off without `--jobs`. With it, users who can write to a namespace may run them, and only on loopback. The image
is ignored: `python` is the one that runs this server.

A job runs in the process group of its leash, a shell that waits for the end of its standard input and then kills the
group. The server closes that input when the command ends, when its time is up, to cancel it, and by dying. Output is
stored as the lines that the client reads. Secrets are only passed to the child's environment.
"""

import asyncio
import json
import shutil
import sys
import threading
from collections import deque
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen, TimeoutExpired

from starlette.responses import StreamingResponse

from .calls import Call, route
from .faults import refuse
from .store import NOWHERE, Store, iso, new_id

J = "/api/jobs/{ns:(?!hardware$)[^/]+}"  # there is no list of hardware here
DEFAULT_SECONDS, MAX_SECONDS, POLL_SECONDS, MAX_LINE = 30 * 60, 7 * 24 * 3600, 0.2, 64 * 1024
LEASH = ("sh", "-c", "trap '' HUP INT QUIT TERM; read -r _; kill -9 0")
KEPT = {
    "command": list,
    "arguments": list,
    "environment": dict,
    "labels": dict,
    "flavor": str,
    "dockerImage": str,
    "spaceId": str,
}


def _may(call: Call, ns: str, id: str = "") -> None:
    """Users who can write to a namespace run and see jobs in it. An app that acts for them also needs the scope."""
    refuse(call.hub.jobs is None, 501, "Jobs are off on this embedded Hub; start it with --jobs")
    scopes, role = call.need_user().scopes, call.accounts.role(call.user, ns)
    refuse(
        role not in ("admin", "write") or (scopes is not None and "jobs" not in scopes),
        403,
        f"You have no rights to run jobs in {ns}",
    )
    owner = call.store.document(NOWHERE, "job", id).get("owner", {"name": ""})
    refuse(id and owner["name"].lower() != ns.lower(), 404, f"There is no job {id} in {ns}")


@route("GET", J + "/{id}", _may)
def inspect(call: Call, ns: str, id: str) -> dict:
    return call.store.document(NOWHERE, "job", id)


def _finish(store: Store, id: str, stage: str, message: str | None = None) -> None:
    """Records how a job ended (`%`: all jobs), unless that is already recorded."""
    store.run(
        "UPDATE documents SET data = json_set(data, '$.finishedAt', ?, '$.status.stage', ?, '$.status.message', ?) "
        "WHERE "
        "repo = 0 AND kind = 'job' AND key LIKE ? AND json_extract(data, '$.status.stage') = 'RUNNING'",
        iso(),
        stage,
        message,
        id,
    )


def mark_lost(store: Store) -> None:
    """Called when a server starts: whatever the records say, no job is running."""
    _finish(store, "%", "ERROR", "lost: the Hub that ran it has ended")
    for work in store.folder.glob("jobs/*/work"):
        shutil.rmtree(work, ignore_errors=True)


def _hold(store: Store, id: str, job: Popen, leash: Popen, seconds: int) -> None:
    """Lets go of the leash when the command or its time has ended, so that its leftover processes end with it."""
    try:
        job.wait(seconds)
    except TimeoutExpired:
        _finish(store, id, "ERROR", "Job timeout")
    leash.stdin.close()


def _run(call: Call, id: str, work: Path, command: list[str], env: dict[str, str], seconds: int) -> None:
    """Runs a job and stores each line of its output with the time, in the client's format."""
    leash, message = call.hub.jobs[id], None
    try:
        with (
            open(work.with_name("log"), "a", buffering=1) as log,
            Popen(
                command,
                cwd=work,
                env=env,
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=STDOUT,
                encoding="utf-8",
                errors="replace",
                process_group=leash.pid,
            ) as job,
        ):
            threading.Thread(target=_hold, args=(call.store, id, job, leash, seconds), daemon=True).start()
            while line := job.stdout.readline(MAX_LINE):
                log.write(json.dumps({"data": line.removesuffix("\n"), "timestamp": iso()}) + "\n")
        message = f"Job failed with exit code: {job.returncode}" if job.returncode else None
    except (OSError, ValueError, LookupError, TypeError) as error:  # no such command, or its arguments are too long
        message = f"Job cannot run: {error}"
    leash.communicate()  # closes its input and waits for its end
    shutil.rmtree(work, ignore_errors=True)
    _finish(call.store, id, "ERROR" if message else "COMPLETED", message)
    del call.hub.jobs[id]


@route("POST", J, _may)
def run(call: Call, ns: str) -> dict:
    missing = [name for name in ("volumes", "expose", "ssh", "network") if call.body.get(name)]
    refuse(missing, 501, f"This embedded Hub runs jobs without {' and '.join(missing)}")
    given, hidden = (
        {name: call.field(name, kind, kind()) for name, kind in KEPT.items()},
        call.field("secrets", dict, {}),
    )
    seconds, id, now = min(call.field("timeoutSeconds", int, DEFAULT_SECONDS), MAX_SECONDS), new_id(), iso()
    work = call.store.folder / "jobs" / id / "work"
    work.mkdir(parents=True)
    work.with_name("log").touch()
    env = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(work),
        "LANG": "C.UTF-8",
        "JOB_ID": id,
        "HF_ENDPOINT": call.base_url,
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1,localhost,::1",
    }
    env |= {name: str(value) for name, value in (given["environment"] | hidden).items()}
    record = {
        **given,
        "id": id,
        "createdAt": now,
        "startedAt": now,
        "secrets": dict.fromkeys(hidden),
        "owner": call.accounts.about(call.accounts.find_namespace(ns) or ns),
        "status": {"stage": "RUNNING", "message": None},
    }
    call.hub.jobs[id] = Popen(LEASH, stdin=PIPE, process_group=0)
    call.store.put_document(NOWHERE, "job", id, record)
    threading.Thread(
        target=_run, args=(call, id, work, given["command"] + given["arguments"], env, seconds), daemon=True
    ).start()
    return record


@route("GET", J, _may)
def listing(call: Call, ns: str) -> list[dict]:
    stages, labels = call.query.getlist("stage"), {tuple(pair.split("=", 1)) for pair in call.query.getlist("label")}
    rows = [
        job
        for job in call.store.documents(NOWHERE, "job").values()
        if job["owner"]["name"].lower() == ns.lower()
        and (not stages or job["status"]["stage"] in stages)
        and labels <= job["labels"].items()
    ]
    return call.paged(sorted(rows, key=lambda job: job["createdAt"], reverse=True), 100)


@route("POST", J + "/{id}/cancel", _may)
def cancel(call: Call, ns: str, id: str) -> None:
    if leash := call.hub.jobs.get(id):
        _finish(call.store, id, "CANCELED")
        leash.stdin.close()


@route("PUT", J + "/{id}/labels", _may)
def label(call: Call, ns: str, id: str) -> dict:
    with call.store.edit(NOWHERE, "job", id) as record:
        record["labels"] = call.field("labels", dict)
    return record


@route("GET", J + "/{id}/logs", _may)
def logs(call: Call, ns: str, id: str) -> StreamingResponse:
    """Server-sent events, one per line, from the first line (or with `tail` a later one) to the end of the job. Every
    request sends the same lines, which lets the client continue after a disconnect."""
    path, running, tail = call.store.folder / "jobs" / id / "log", call.hub.jobs, call.number("tail", 0)

    async def events():
        line, ended = b"", False
        with open(path, "rb") as log:
            if tail:
                last = deque(log, tail)
                log.seek(log.tell() - sum(map(len, last)))
            while not ended:
                ended = id not in running
                while (line := line + log.readline()).endswith(b"\n"):
                    yield b"data: " + line + b"\n"
                    line = b""
                await asyncio.sleep(0 if ended else POLL_SECONDS)

    return StreamingResponse(events(), media_type="text/event-stream")
