"""The other end of runPython: what the programs are given and what they say to the bench."""

import json
import sys
import time


def given():
    """What the program was given."""
    return json.loads(sys.argv[1])


def step():
    """A part of the work is done."""
    say({"kind": "step"})


def report(value):
    """What was measured."""
    say({"kind": "result", "value": value})


def say(message):
    print("bench:" + json.dumps(message), flush=True)


def clocked(work):
    """Seconds that `work` takes, and its value."""
    began = time.perf_counter()
    value = work()
    return time.perf_counter() - began, value
