"""A laboratory: private database servers with sample data and, if asked for, the gateway in front of them.

Used by the demo, the benchmark and the tests, so that all three see the same thing. Standard library only.
"""

from .gateway import TARGETS, build
from .laboratory import Lab
from .machine import LabError, as_user, die_with_parent, free_port, own, run, tail, wait_until
from .mysql import FLAVORS
from .orders import main
from .postgres import DATABASE, LANES, postgres_bin
from .scram import log_in, message

__all__ = ["DATABASE", "FLAVORS", "LANES", "Lab", "LabError", "TARGETS", "as_user", "build", "die_with_parent", "free_port", "log_in", "main",
           "message", "own", "postgres_bin", "run", "tail", "wait_until"]
