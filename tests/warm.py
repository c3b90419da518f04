"""Kernels from a warm process: it has imported what kernels of these tests import, and forks one when a server asks.

Starting Python, torch and the toolkit is most of what a short test's kernel does. A server's kernelspec starts
`client`, a small process that passes its arguments, folder, environment and files on, hands on signals, and lives as
long as its kernel; the kernel ends when it does. One server of the tests, the first notebook, the app and the engine's
test use kernels that were started as anybody's are. A kernel with another PYTHONPATH is started so, too.

    warm.py serve ADDRESS           the warm process
    warm.py client ADDRESS -f FILE  what a kernelspec names
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

MESSAGE = 1_000_000
"""Bytes of an environment, at most."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Warm:
    """A warm process, and the folder of the kernelspec that asks it."""

    def __init__(self, folder: Path) -> None:
        self._short = tempfile.TemporaryDirectory(prefix="warm")  # a socket's address has to be short
        self.address = str(Path(self._short.name) / "socket")
        spec = folder / "kernels" / "python3"
        spec.mkdir(parents=True)
        command = [sys.executable, "-S", "-E", __file__, "client", self.address, "-f", "{connection_file}"]
        about = {"argv": command, "display_name": "Python 3", "language": "python", "metadata": {"debugger": True}}
        (spec / "kernel.json").write_text(json.dumps(about))
        self.path = str(folder)
        self._process = subprocess.Popen([sys.executable, __file__, "serve", self.address], start_new_session=True)

    def stop(self) -> None:
        """End it; its kernels have ended with their servers."""
        self._process.kill()
        self._process.wait()
        self._short.cleanup()


# what a kernelspec starts


def client(address: str, arguments: list[str]) -> None:
    """Ask for a kernel and stay as long as it does."""
    link = socket.socket(socket.AF_UNIX)
    try:
        link.connect(address)
    except OSError:
        start(arguments)
    asked = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109
    text = json.dumps(asked).encode()
    socket.send_fds(link, [len(text).to_bytes(8, "big")], [0, 1, 2])
    link.sendall(text)
    pid = int.from_bytes(link.recv(8), "big")
    if not pid:
        start(arguments)
    for number in SIGNALS:
        signal.signal(number, lambda received, frame: os.kill(pid, received))
    while True:
        try:
            if not link.recv(1):
                return
        except ConnectionError:
            return


def start(arguments: list[str]) -> None:
    """A kernel as anybody's: this process becomes it."""
    os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", *arguments])


# the warm process


def serve(address: str) -> None:
    """Import, then fork a kernel for everyone who asks, until killed."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen(64)
    sys.path.pop(0)  # this file's folder
    preload()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for kernels
    while True:
        link, _ = listening.accept()
        length, files, _, _ = socket.recv_fds(link, 8, 3)
        text = b""
        while len(text) < int.from_bytes(length, "big"):
            text += link.recv(MESSAGE)
        asked = json.loads(text)
        if asked["environment"].get("PYTHONPATH") != os.environ.get("PYTHONPATH"):
            link.sendall((0).to_bytes(8, "big"))
        elif not os.fork():
            listening.close()
            kernel(link, files, asked)
        link.close()
        for file in files:
            os.close(file)


def preload() -> None:
    """What kernels of these tests import, before anything has been computed or asked for a thread."""
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    import ipykernel.ipkernel
    import ipykernel.kernelapp  # noqa: F401

    import toolkit as tk

    for name in dir(tk):
        getattr(tk, name)
    import open_clip  # noqa: F401


def kernel(link: socket.socket, files: list[int], asked: dict[str, Any]) -> None:
    """Be a kernel, from here to the end of the process."""
    import threading

    os.setsid()
    link.sendall(os.getpid().to_bytes(8, "big"))
    for target, file in enumerate(files):
        os.dup2(file, target)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update({name: value for name, value in asked["environment"].items() if name != "JPY_PARENT_PID"})
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    sys.argv = ["ipykernel_launcher", *asked["arguments"]]
    for name in ("tqdm.auto", "tqdm.autonotebook"):  # they look for a notebook when they are imported
        sys.modules.pop(name, None)

    def end_with_client() -> None:
        while link.recv(1):
            pass
        os._exit(1)

    threading.Thread(target=end_with_client, daemon=True).start()
    import ipywidgets
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize(sys.argv[1:])
    ipywidgets._handle_ipython()  # what its import does where there is a kernel
    app.start()
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        client(sys.argv[2], sys.argv[3:])
