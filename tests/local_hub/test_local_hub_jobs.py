"""The embedded Hub's jobs, through the client and the `hf` command: commands that really run as processes of this
machine."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_local_hub import ACCOUNTS, ROOT, TOKENS, Server, _client, start_server  # noqa: F401
from test_local_hub_clients import environment

ORG = "lora-hub"
SECRET = "a-secret-that-only-the-job-knows"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hub")
    (folder / "accounts.json").write_text(json.dumps(ACCOUNTS))
    started = start_server(folder / "hub", "--accounts", str(folder / "accounts.json"), "--jobs")
    yield started
    started.kill()
    assert "Traceback" not in started.log, started.log[-4000:]
    assert not any(token in started.log for token in (*TOKENS.values(), SECRET))


def start(server: Server, script: str, **options: object) -> str:
    """Runs a Python script as a job; its id."""
    job = server.api().run_job(image="python:3.11", command=["python", "-c", script], namespace=ORG, **options)
    assert job.url == f"{server.url}/jobs/{ORG}/{job.id}"
    return job.id


def wait(server: Server, id: str) -> object:
    return server.api().wait_for_job(id, namespace=ORG, timeout=30, poll_interval=0.1)


def read(server: Server, id: str, **options: object) -> list[str]:
    return list(server.api().fetch_job_logs(job_id=id, namespace=ORG, **options))


def eventually(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def words_of(log: Path) -> str:
    """What a job has said so far."""
    return "".join(json.loads(line)["data"] + "\n" for line in log.read_text().splitlines())


def leashes(server: Server) -> list[Path]:
    """The server's own child processes."""
    parents = {
        file.parent: file.read_text().rsplit(")", 1)[1].split()[1]
        for file in Path("/proc").glob("[0-9]*/stat")
        if file.exists()
    }
    return [process for process, parent in parents.items() if parent == str(server.process.pid)]


def test_a_job_runs_in_a_folder_of_its_own_with_its_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "import json, os, sys; os.makedirs('a/b'); open('a/b/made.txt', 'w').write('made'); "
        "print(json.dumps([sys.executable, os.getcwd(), dict(os.environ)])); print('خط دو', file=sys.stderr)"
    )
    job = server.api().run_job(
        image="python:3.11",
        command=["python", "-c", script],
        env={"SIZE": 3, "LANG": "fa_IR.UTF-8"},
        secrets={"HF_TOKEN": SECRET},
        labels={"run": "r1"},
        flavor="t4-small",
        namespace=ORG,
    )
    assert (job.status.stage, job.owner.name, job.owner.type) == ("RUNNING", ORG, "org")
    done = wait(server, job.id)
    assert (done.status.stage, done.status.message) == ("COMPLETED", None)
    assert done.created_at <= done.started_at <= done.finished_at
    assert (done.docker_image, done.flavor, done.command[0]) == ("python:3.11", "t4-small", "python")
    assert done.environment == {"SIZE": 3, "LANG": "fa_IR.UTF-8"} and done.secrets == {"HF_TOKEN": None}
    first, second = sorted(read(server, job.id), key=lambda line: line.startswith("خ"))
    executable, folder, seen = json.loads(first)
    assert second == "خط دو" and Path(executable).parent == Path(sys.executable).parent
    assert Path(folder) == server.folder / "jobs" / job.id / "work"
    assert [file.name for file in Path(folder).parent.iterdir()] == ["log"], "its folder ends with the job"
    assert (seen["HF_ENDPOINT"], seen["HF_TOKEN"], seen["SIZE"], seen["HOME"]) == (server.url, SECRET, "3", folder)
    assert (seen["LANG"], seen["JOB_ID"]) == ("fa_IR.UTF-8", job.id)
    assert not {"LORA_HUB_HOME", "PYTEST_CURRENT_TEST", "VIRTUAL_ENV"} & seen.keys(), "only what a job was given"
    status, _, body = server.fetch(f"/api/jobs/{ORG}/{job.id}", token=TOKENS["alice"])
    assert status == 200 and SECRET.encode() not in body


def test_secrets_are_nowhere_on_the_disk(server: Server) -> None:
    id = start(server, "import os; print(len(os.environ['KEY']))", secrets={"KEY": SECRET + "-2"})
    wait(server, id)
    assert read(server, id) == [str(len(SECRET) + 2)]
    files = [file for file in server.folder.rglob("*") if file.is_file()]
    assert len(files) > 3 and not [file for file in files if (SECRET + "-2").encode() in file.read_bytes()]


def test_a_job_uses_the_hub_that_runs_it(server: Server) -> None:
    script = (
        "from huggingface_hub import HfApi; api = HfApi(); repo = api.create_repo('lora-hub/from-a-job').repo_id; "
        "api.upload_file(repo_id=repo, path_in_repo='w.bin', path_or_fileobj=b'weights'); print(api.whoami()['name'])"
    )
    id = start(server, script, secrets={"HF_TOKEN": TOKENS["alice"]})
    assert wait(server, id).status.stage == "COMPLETED", read(server, id)
    assert "alice" in read(server, id)
    assert server.fetch("/lora-hub/from-a-job/resolve/main/w.bin")[2] == b"weights"


def test_logs_are_followed_to_the_end_and_come_again(server: Server) -> None:
    script = "import time\nfor n in range(6):\n    print('line', n, flush=True)\n    time.sleep(0.3)"
    id, seen, started = start(server, script), [], time.monotonic()
    for line in server.api().fetch_job_logs(job_id=id, namespace=ORG, follow=True):
        seen.append((line, time.monotonic() - started))
    lines = [line for line, _ in seen]
    assert lines == [f"line {n}" for n in range(6)]
    assert seen[-1][1] - seen[0][1] > 1, "they came while the job ran"
    assert wait(server, id).status.stage == "COMPLETED"
    assert read(server, id) == lines and read(server, id, tail=2) == lines[-2:] and read(server, id, tail=99) == lines
    raw = [server.fetch(f"/api/jobs/{ORG}/{id}/logs", token=TOKENS["alice"]) for _ in range(2)]
    assert raw[0][1]["content-type"].startswith("text/event-stream") and raw[0][2] == raw[1][2]
    times = [json.loads(event[6:])["timestamp"] for event in raw[0][2].decode().split("\n\n") if event]
    assert times == sorted(times) and len(set(times)) > 3


def test_a_running_job_is_read_without_following_it(server: Server) -> None:
    id = start(server, "import time; print('here', flush=True); time.sleep(60)")
    eventually(lambda: b"here" in (server.folder / "jobs" / id / "log").read_bytes())
    assert read(server, id) == ["here"]
    server.api().cancel_job(job_id=id, namespace=ORG)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["python", "-c", "import sys; print('about to fail'); sys.exit(3)"], "about to fail"),
        (["python", "-c", "import os; print('gone', flush=True); os.kill(os.getpid(), 9)"], "gone"),
    ],
)
def test_what_fails_says_so(server: Server, command: list[str], words: str) -> None:
    job = server.api().run_job(image="any", command=command, namespace=ORG)
    done = wait(server, job.id)
    assert done.status.stage == "ERROR" and "exit code" in done.status.message and done.finished_at
    assert words in "\n".join(read(server, job.id))


@pytest.mark.parametrize(
    ("command", "options", "words"),
    [
        (["no-such-command"], {}, "No such file"),
        ([], {}, "cannot run"),
        (["true\0"], {}, "null byte"),
        (["true"], {"env": {"A=B": "x"}}, "illegal environment variable name"),
    ],
)
def test_what_cannot_run_says_so_and_leaves_nothing(
    server: Server, command: list[str], options: dict, words: str
) -> None:
    job = server.api().run_job(image="any", command=command, namespace=ORG, **options)
    done = wait(server, job.id)
    assert done.status.stage == "ERROR" and words in done.status.message and done.finished_at
    assert read(server, job.id) == []
    server.api().cancel_job(job_id=job.id, namespace=ORG)
    eventually(lambda: not leashes(server))


def test_cancel_and_timeout_end_the_whole_group(server: Server) -> None:
    """A child that ignores what it is told politely, and a grandchild that its parent left behind, too."""
    script = (
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        "print(os.getpid(), child.pid, flush=True); time.sleep(600)"
    )
    canceled, late = start(server, script), start(server, script, timeout=3)
    for id, stage in ((canceled, "CANCELED"), (late, "ERROR")):
        log = server.folder / "jobs" / id / "log"
        eventually(lambda log=log: log.read_bytes().endswith(b"\n"))
        pids = [int(pid) for pid in words_of(log).split()]
        if id == canceled:
            assert all(map(alive, pids))
            server.api().cancel_job(job_id=id, namespace=ORG)
        done = wait(server, id)
        assert done.status.stage == stage and done.finished_at
        assert done.status.message == (None if id == canceled else "Job timeout")
        eventually(lambda pids=pids: not any(map(alive, pids)))
        server.api().cancel_job(job_id=id, namespace=ORG)
        assert wait(server, id).status.stage == stage, "what has ended stays as it ended"


def test_what_a_job_leaves_behind_ends_with_it(server: Server) -> None:
    id = start(server, "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)")
    assert wait(server, id).status.stage == "COMPLETED"
    assert not alive(int(read(server, id)[0]))


def test_a_job_that_signals_its_group_does_not_get_rid_of_its_end(server: Server) -> None:
    """As scripts do that say `trap "kill 0" EXIT`."""
    script = (
        "import os, signal, subprocess, sys, time; "
        "stays = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); "
        "time.sleep(600)'; "
        "child = subprocess.Popen([sys.executable, '-c', stays], stdout=subprocess.PIPE); child.stdout.readline(); "
        "print(child.pid, flush=True); os.kill(0, signal.SIGTERM); time.sleep(600)"
    )
    id = start(server, script)
    done = wait(server, id)
    assert done.status.stage == "ERROR" and "-15" in done.status.message
    assert not alive(int(read(server, id)[0]))


def test_lines_of_a_progress_bar_and_of_odd_bytes_are_lines(server: Server) -> None:
    id = start(server, "import sys; sys.stdout.buffer.write(b'10%\\r20%\\r\\n\\xff\\n' + b'x' * 70_000 + b'\\n\\n{}')")
    wait(server, id)
    assert read(server, id) == ["10%", "20%", "\ufffd", "x" * 65536, "x" * 4464, "", "{}"]


def test_labels_and_stages_choose_jobs(server: Server) -> None:
    api, wanted = server.api(), {"run": "chosen", "kind": "x"}
    one, two = start(server, "pass", labels=wanted), start(server, "raise SystemExit(1)", labels={"run": "chosen"})
    for id in (one, two):
        wait(server, id)
    assert [job.id for job in api.list_jobs(namespace=ORG, labels={"run": "chosen"})] == [two, one]
    assert [job.id for job in api.list_jobs(namespace=ORG, labels=wanted)] == [one]
    assert [job.id for job in api.list_jobs(namespace=ORG, labels={"run": "chosen"}, status="ERROR")] == [two]
    named = api.update_job_labels(job_id=one, namespace=ORG, labels={"run": "renamed"})
    assert named.labels == {"run": "renamed"} == api.inspect_job(job_id=one, namespace=ORG).labels
    assert list(api.list_jobs(namespace="alice")) == []


def test_who_may_run_jobs_and_what_is_not_done(server: Server) -> None:
    from huggingface_hub import Volume

    id = start(server, "pass")
    for user in ("bob", "carol", "dora"):
        for attempt in (
            lambda api: api.run_job(image="x", command=["true"], namespace=ORG),
            lambda api: api.cancel_job(job_id=id, namespace=ORG),
            lambda api: list(api.fetch_job_logs(job_id=id, namespace=ORG)),
            lambda api: list(api.list_jobs(namespace=ORG)),
        ):
            with pytest.raises(Exception, match="no rights to run jobs"):
                attempt(server.api(user))
    assert server.fetch(f"/api/jobs/{ORG}/{id}")[0] == 401
    with pytest.raises(Exception, match="There is no job"):
        server.api().inspect_job(job_id=id, namespace="alice")
    assert server.fetch(f"/api/jobs/{ORG}/..%2f{id}/logs", token=TOKENS["alice"])[0] == 404
    with pytest.raises(Exception, match="without volumes"):
        volume = Volume(type="model", source="a/b", mount_path="/m")
        server.api().run_job(image="x", command=["true"], namespace=ORG, volumes=[volume])
    with pytest.raises(Exception, match="does not do POST /api/scheduled-jobs"):
        server.api().create_scheduled_job(image="x", command=["true"], schedule="@daily", namespace=ORG)
    assert {path.name for path in (server.folder / "jobs").iterdir()} >= {id}


def test_jobs_are_off_unless_asked_for_and_on_this_machine_only(tmp_path: Path) -> None:
    (tmp_path / "accounts.json").write_text(json.dumps(ACCOUNTS))
    known = ["--accounts", str(tmp_path / "accounts.json")]
    plain = start_server(tmp_path / "hub", *known)
    try:
        with pytest.raises(Exception, match="start it with --jobs"):
            plain.api().run_job(image="x", command=["true"], namespace=ORG)
    finally:
        plain.kill()
    wide = [
        sys.executable,
        "-m",
        "lora_hub.local_hub",
        "--dir",
        str(tmp_path / "other"),
        "--host",
        "0.0.0.0",
        *known,
        "--jobs",
    ]
    done = subprocess.run(wide, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "--jobs" in done.stderr and "Traceback" not in done.stderr


def test_the_command_line_of_lora_hub_has_the_option(tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    folder = tmp_path / "hub"
    command = [sys.executable, "-m", "lora_hub", "hub", "--dir", str(folder), "--jobs"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        eventually((folder / "server.json").exists)
        api = HfApi(json.loads((folder / "server.json").read_text())["url"], (folder / "token").read_text())
        job = api.run_job(image="x", command=["python", "-c", "print('mine')"])
        assert api.wait_for_job(job.id, timeout=30, poll_interval=0.1).status.stage == "COMPLETED"
        assert list(api.fetch_job_logs(job_id=job.id)) == ["mine"]
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_server(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "accounts.json").write_text(json.dumps(ACCOUNTS))
    arguments = ("--accounts", str(tmp_path / "accounts.json"), "--jobs")
    first = start_server(tmp_path / "hub", *arguments)
    id = start(first, "import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    log = tmp_path / "hub" / "jobs" / id / "log"
    eventually(lambda: log.read_bytes().endswith(b"\n"))
    pid = int(words_of(log))
    assert alive(pid)
    first.kill(number)
    eventually(lambda: not alive(pid))
    again = start_server(tmp_path / "hub", *arguments)
    try:
        lost = again.api().inspect_job(job_id=id, namespace=ORG)
        assert lost.status.stage == "ERROR" and "lost" in lost.status.message and lost.finished_at
        assert read(again, id, follow=True) == [str(pid)]
    finally:
        again.kill()
    assert [file.name for file in log.parent.iterdir()] == ["log"]


def test_the_hf_command_runs_jobs(server: Server, tmp_path: Path) -> None:
    def hf(*arguments: str, status: int = 0) -> str:
        command = [str(Path(sys.executable).with_name("hf")), "jobs", *arguments]
        known = environment(server, tmp_path)
        done = subprocess.run(command, cwd=tmp_path, env=known, capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    said = hf(
        "run",
        "--namespace",
        ORG,
        "--name",
        "greeting",
        "--env",
        "WHO=you",
        "--",
        "python:3.11",
        "python",
        "-c",
        "import os; print('hello', os.environ['WHO'])",
    )
    assert "hello you" in said
    listed = json.loads(hf("ps", "-a", "--namespace", ORG, "--label", "name=greeting", "--format", "json"))
    assert len(listed) == 1
    id = listed[0]["id"]
    assert "hello you" in hf("logs", "--namespace", ORG, id)
    running = hf("run", "--detach", "--namespace", ORG, "--quiet", "--", "any", "sleep", "600").split()[-1]
    hf("cancel", "--namespace", ORG, running)
    assert "CANCELED" in hf("inspect", "--namespace", ORG, running, "--format", "json")
