"""What the machine offers: commands, ports, users, children that do not outlive us, and what is kept between runs."""

import atexit
import contextlib
import ctypes
import fcntl
import hashlib
import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

# Loaded before any fork: after one, only what is there already is safe to use.
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class LabError(Exception):
    """Something the laboratory needs is missing or does not start; the text says what to do."""


def free_port():
    """A port of 127.0.0.1 that nobody listens on, and that no other laboratory takes while this process lives.

    Below the range that the system gives to outgoing connections, which would take it between now and its use.
    """
    folder = os.path.join(tempfile.gettempdir(), f"tidegate-ports-{os.getuid()}")
    for port in random.sample(range(15000, 32000), 2000):
        try:
            # Whoever gives up the last claim removes the folder.
            os.makedirs(folder, mode=0o700, exist_ok=True)
            claim = os.open(os.path.join(folder, str(port)), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(claim)
            continue
        _claims.append((claim, os.path.join(folder, str(port))))
        return port
    raise LabError("no free port between 15000 and 32000 on 127.0.0.1")


def _give_up_claims():
    for claim, path in _claims:
        with contextlib.suppress(OSError):
            os.unlink(path)
            os.close(claim)
            # Fails while others have claims of their own there.
            os.rmdir(os.path.dirname(path))
    _claims.clear()


_claims = []
atexit.register(_give_up_claims)


def run(*command, **options):
    """Runs a command to its end; its output is in the error if it fails."""
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        raise LabError(f"{' '.join(command[:3])} … failed ({done.returncode}):\n{done.stdout}")
    return done.stdout


def wait_until(what, ready, process, log, seconds=30.0):
    """Waits until `ready()` is true; fails with the log's end when `process` ends before that."""
    deadline = time.monotonic() + seconds
    while not ready():
        ended = process.poll()
        if ended is not None or time.monotonic() > deadline:
            state = f"ended with {ended}" if ended is not None else f"is not ready after {seconds:.0f} s"
            raise LabError(f"{what} {state}; the end of its log:\n{tail(log)}")
        time.sleep(0.02)


def tail(path, lines=25):
    """The last lines of a file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError as problem:
        return f"({problem})"


def die_with_parent(signal_number):
    """For Popen's preexec_fn: the kernel sends the child this signal on the day its parent dies."""
    def prepare():
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)

    return prepare


def as_user(*names):
    """Servers refuse to run as root: the first of these users that there is, or `nobody`."""
    if os.geteuid() != 0:
        return {}
    for name in (*names, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise LabError(f"running as root, and there is no user to run a server as: {', '.join(names)} or nobody")


def own(place, user):
    """Gives a directory to a user of `as_user`."""
    if user:
        run("chown", "-R", f"{user['user']}:{user['group']}", place)


def kept(build, *parts):
    """A directory that `build()` makes and leaves anywhere, made once for these `parts` and kept between runs.

    Making a data directory takes seconds, copying one does not. It lies beside what cargo builds.
    """
    key = hashlib.sha256()
    for part in parts:
        key.update(part if isinstance(part, bytes) else str(part).encode())
        key.update(b"\0")
    cache = os.path.join(os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target"), "lab")
    os.makedirs(cache, exist_ok=True)
    place = os.path.join(cache, key.hexdigest()[:16])
    if not os.path.isdir(place):
        # Copied beside its place and renamed: another process sees all of it or nothing.
        fresh = f"{place}.{os.getpid()}"
        build(fresh)
        try:
            os.rename(fresh, place)
        except OSError:
            # Another process was faster; its copy is as good.
            shutil.rmtree(fresh)
    return place


def copy(place, to):
    """Copies a directory with owners and modes, sharing blocks where the file system can."""
    run("cp", "-a", "--reflink=auto", place, to)


def text_of(*names):
    """A file of the project."""
    with open(os.path.join(ROOT, *names), encoding="utf-8") as file:
        return file.read()
