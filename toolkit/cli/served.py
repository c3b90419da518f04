"""A notebook as a web page on loopback: Voilà with a template of our own, a token, and nothing left behind."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

TEMPLATES = Path(__file__).resolve().parents[1] / "app"
"""A Jupyter data folder: voila/templates/toolkit."""
HOST = "127.0.0.1"
KERNEL = "clip-head-toolkit"
WIDGETS = ["anywidget", "@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8"]
IDLE = 30 * 60
"""Seconds after which a kernel without a page ends: a page that is closed ends its own, one that crashes does not."""
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' blob: 'unsafe-inline' 'unsafe-eval';"
    " style-src 'self' data: blob: 'unsafe-inline'; connect-src 'self' data: blob: ws://{at};"
    " object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may fetch: nothing from another host, whatever a notebook or an extension asks for."""

ENDINGS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only this user may enter, gone afterwards: every way to end the process is Ctrl-C inside."""
    before = {name: signal.signal(name, signal.default_int_handler) for name in ENDINGS}
    try:
        with TemporaryDirectory(prefix="clip-head-toolkit-") as folder:
            yield Path(folder)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def serve(notebook: Path, private: Path, port: int, announce: Callable[[str], None], *, ours: bool) -> None:
    """Serve a notebook until the user ends it (Ctrl-C, SIGTERM, SIGHUP); every kernel has ended when this returns.

    private: an empty folder that only this user may enter. port: a free one. announce: called with the address and its
    token once it answers. ours: whether the notebook is the toolkit's own, which needs no other extension's widgets.
    """
    _jupyter_path(private)
    from voila.app import Voila

    token = secrets.token_urlsafe(32)
    # No configuration file is read: one in the working folder or at home could open what the token closes.
    app = Voila(config=_settings(notebook, private, port, token, ours), config_file_paths=[])

    def listening() -> None:
        app.app.settings["jinja2_env"] = app.app.settings["voila_jinja2_env"]  # a page of ours asks for the token
        announce(f"http://{HOST}:{app.port}/?token={token}")

    def end(*_: Any) -> None:
        if not hasattr(app, "ioloop"):
            raise KeyboardInterrupt
        for name in ENDINGS:  # the kernels are being ended: a second Ctrl-C would leave them
            signal.signal(name, signal.SIG_IGN)
        app.ioloop.add_callback_from_signal(app.ioloop.stop)

    app.launch_browser = listening
    app.initialize(argv=[])
    for name in ENDINGS:
        signal.signal(name, end)
    app.start()


def _settings(notebook: Path, private: Path, port: int, token: str, ours: bool) -> Any:
    """Voilà's configuration."""
    from traitlets.config import Config

    at = f"{HOST}:{port}"
    served = {
        "ip": HOST,
        "port": port,
        "port_retries": 0,
        "token": token,
        "notebook_path": str(notebook),
        "root_dir": str(notebook.parent),
        "connection_dir_root": str(private),
        "open_browser": True,  # calls launch_browser once it listens
        "log_level": "ERROR",
        "tornado_settings": {"headers": {"Content-Security-Policy": POLICY.format(at=at)}, "ws_ping_interval": 0},
    }
    page: dict[str, Any] = {
        "template": "toolkit",
        "allow_template_override": "NO",
        "allow_theme_override": "NO",
        "file_allowlist": [],  # these files would need no token
        "prelaunch_hook": _protect,
        "show_tracebacks": True,  # else an error is hidden behind the advice to restart Voilà with other options
    }
    if ours:  # other people's extensions have no business here
        page["extension_allowlist"] = WIDGETS
    return Config(
        Voila=served,
        VoilaConfiguration=page,
        MappingKernelManager={"cull_idle_timeout": IDLE, "cull_interval": 60},
        PasswordIdentityProvider={"allow_password_change": False},
    )


def _protect(handler: Any, **_: Any) -> None:
    """Give the page the cookie that its farewell needs, by which it ends its kernel: with a token Voilà forgets it."""
    handler.xsrf_token  # noqa: B018


def _jupyter_path(private: Path) -> None:
    """Make Jupyter find our template, and a kernel that is this very Python whatever "python3" means to the user."""
    kernel = private / "jupyter" / "kernels" / KERNEL
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
    spec = {"argv": command, "display_name": "clip-head-toolkit", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    known = [os.environ["JUPYTER_PATH"]] if os.environ.get("JUPYTER_PATH") else []
    os.environ["JUPYTER_PATH"] = os.pathsep.join([str(TEMPLATES), str(private / "jupyter"), *known])
