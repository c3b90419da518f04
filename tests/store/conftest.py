"""Functions of these tests run in processes of their own, to be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BEGINNER = """
import importlib, json, os, sys; sys.path[:0] = sys.argv[1].split(os.pathsep)
import test_extraction, test_format, torch
torch.set_num_threads(1)
for line in sys.stdin:
    module, name, given = json.loads(line)
    said, saying = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(saying, 1)
        getattr(importlib.import_module(module), name)(**given)
        sys.stdout.flush()
        os._exit(0)
    os.close(saying)
    with os.fdopen(said) as pipe:
        text = pipe.read()
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text]), flush=True)
"""
"""Begins processes with everything imported and nothing done: an import of torch is what most of them would be."""


@pytest.fixture(scope="module")
def in_a_process():
    """Runs a function of a file of this folder by name in a process of its own; its exit status and what it printed."""
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", BEGINNER, path], **pipes) as beginner:

        def run(function, **given):
            beginner.stdin.write(
                json.dumps([Path(function.__code__.co_filename).stem, function.__name__, given]) + "\n"
            )
            beginner.stdin.flush()
            return json.loads(beginner.stdout.readline())

        yield run
        beginner.stdin.close()
