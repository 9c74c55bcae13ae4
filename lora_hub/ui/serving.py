"""Serves the page: for `make run` and a Hugging Face Space (app.py), and for `lora-hub app`.

The Hub is decided first (endpoint.connect): `huggingface_hub` reads its endpoint once, when it is imported, and gradio
imports it. So this file imports neither before that. The settings are in lora_hub/core/settings.py.
"""

import gc
import logging
import os
import signal
import sys
import threading

from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _

logger = logging.getLogger("lora_hub.ui")
# A Space that restarts shows what it had from its first page on, unless reading that takes longer.
RESTORE_SECONDS = 90.0


def _is_fault(record: logging.LogRecord) -> bool:
    """A log filter. Whoever listens for responses that are not there, or no longer, is answered "not found", but only
    after Gradio has begun to answer: a hundred lines of ours for each such request, whoever sends it."""
    error = record.exc_info[1] if record.exc_info else None
    return getattr(getattr(error, "__cause__", None), "status_code", None) != 404


def serve_page() -> None:
    """Connects to a Hub, builds the page and serves it until the process is told to stop. Raises SpecError if a
    setting is wrong, HubError if no Hub can be had, LoraHubError if the port cannot be used."""
    from lora_hub.core import settings, store
    from lora_hub.hub import endpoint

    settings.check()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("lora_hub").setLevel(settings.log_level())
    for chatty in ("httpx", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_is_fault)
    # No telemetry: the machine only sends requests that a person asked for.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # After each event Gradio builds a table of all recorded ones, for a page that is not shown. So few are recorded.
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "10")

    if settings.proxies():  # uvicorn reads it; by itself it believes a proxy on this machine
        os.environ["FORWARDED_ALLOW_IPS"] = ",".join(settings.proxies())
    settings.hide_progress()
    # Uploads arrive here before they are stored: with the rest of people's data, not in a folder for everybody.
    os.environ.setdefault("GRADIO_TEMP_DIR", str(store.uploads_dir()))
    if settings.signs_in() and os.environ.pop("HF_TOKEN", ""):
        # Everybody uses their own token. A token that the app does not have cannot be used in another's name.
        print("note: HF_TOKEN is left aside, because people sign in here.", file=sys.stderr, flush=True)
    port = settings.port()
    # Two thousand modules are about to be loaded and kept: looking for garbage among them takes a sixth of the start.
    gc.disable()
    ahead = threading.Thread(target=_import_ahead)
    ahead.start()
    try:
        connection = endpoint.connect()
    finally:
        ahead.join()
    for note in connection.notes:
        print(f"note: {note}", file=sys.stderr, flush=True)
    if settings.is_open_to_others() and not settings.signs_in():
        print(
            f"note: other machines reach this page (LORA_HUB_BIND={settings.bind()}), nobody signs in, and whoever "
            "opens it may do everything here.",
            file=sys.stderr,
            flush=True,
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        _serve(connection, port, settings.in_space())
    finally:
        connection.close()


def _import_ahead() -> None:
    """Loads what the page needs whichever Hub there is, while the embedded one starts."""
    import babel.messages.pofile  # noqa: F401
    import fastapi  # noqa: F401
    import pandas  # noqa: F401


def _serve(connection: object, port: int, in_space: bool) -> None:
    """Serves the page until interrupted."""
    from lora_hub.compare import Comparer, borrow
    from lora_hub.core import settings

    # `spaces` changes torch, so it comes before anything that imports that.
    comparer = Comparer(elsewhere=borrow()) if settings.has_zero_gpu() else Comparer()
    from lora_hub import hub, runs, use_cases
    from lora_hub.api import Endpoints
    from lora_hub.people import LOCAL, Sessions
    from lora_hub.ui import app
    from lora_hub.ui.frame import page, sessions_kept, warm

    labels = page.Labels()
    sessions = Sessions(hub.look_up) if settings.signs_in() else None
    room = runs.WaitingRoom() if settings.signs_in() else None
    endpoints = Endpoints(comparer, warm.Looker(), room)
    blocks = app.build(connection, endpoints, labels)
    blocks.queue(default_concurrency_limit=4, api_open=False, max_size=sessions_kept.MOST_WAITING)
    sessions_kept.SessionsKept(blocks)
    keeper = use_cases.start_keeping() if room is not None else None
    if keeper is not None and not keeper.wait(RESTORE_SECONDS):
        logger.warning("what was kept is still being read; the page opens meanwhile")
    host = f"[{settings.bind()}]" if ":" in settings.bind() else settings.bind()
    try:
        blocks.launch(
            server_name=host,
            server_port=port,
            inbrowser=has_display() and not in_space,
            prevent_thread_lock=True,
            quiet=True,
            **app.launch_arguments(labels, endpoints, sessions),
        )
    except OSError as error:
        raise LoraHubError(
            _("Port {port} cannot be used: {reason}."),
            _("Set LORA_HUB_PORT to another one."),
            port=str(port),
            reason=str(error).rstrip("."),
        ) from error
    gc.freeze()
    gc.enable()
    use_cases.keep_clean()
    use_cases.keep_sending(sessions.people if sessions is not None else lambda: [LOCAL])
    if not settings.signs_in() and not settings.has_zero_gpu():  # where people sign in, one of them fills it
        use_cases.start_filling(comparer)
    if room is not None:
        use_cases.take_up_waiting(room)
    else:
        use_cases.take_up_hired()
    path = settings.root_path()
    print(f"LoRA Hub is open at http://{host}:{port}{path and f'{path}/'}", flush=True)
    try:
        blocks.block_thread()
    finally:
        if room is not None:
            room.close()
        if keeper is not None:
            keeper.close()


def has_display() -> bool:
    """Whether a browser can be opened here and should be (LORA_HUB_NO_BROWSER unset)."""
    if os.environ.get("LORA_HUB_NO_BROWSER") or os.environ.get("CI"):
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
