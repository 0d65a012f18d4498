#!/usr/bin/env python3
"""Records the tour of the demo: docs/tour.cast for asciinema, and docs/tour.svg, its first part as a picture.

    demo/record.py --binary target/release/tidegate

What is recorded is what `demo/run --tour` prints, with its own times; it fails where the tour does.
"""

import argparse
import html
import json
import os
import pty
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COLUMNS, ROWS = 110, 40
# The picture: so many lines of the first chapter.
LINES = 63


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", required=True)
    options = parser.parse_args()
    events = record([os.path.join(ROOT, "demo", "run"), "--tour", "--binary", options.binary])
    with open(os.path.join(ROOT, "docs", "tour.cast"), "w", encoding="utf-8") as file:
        file.write(json.dumps({"version": 2, "width": COLUMNS, "height": ROWS, "title": "Tidegate: the tour"}) + "\n")
        file.writelines(json.dumps([round(at, 2), "o", text]) + "\n" for at, text in events)
    with open(os.path.join(ROOT, "docs", "tour.svg"), "w", encoding="utf-8") as file:
        file.write(picture("".join(text for _, text in events)))


def record(command):
    """Runs a command on a terminal of its own; gives what it printed, and when."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)}
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    began, events, rest = time.monotonic(), [], b""
    while True:
        try:
            read = os.read(master, 65536)
        except OSError:
            break
        if not read:
            break
        rest += read
        whole = rest.rfind(b"\n") + 1
        if whole:
            # Where the laboratory lies is nobody's business.
            text = re.sub(r"/tmp/tidegate-\w+", "~", rest[:whole].decode("utf-8", "replace"))
            events.append((time.monotonic() - began, text))
            rest = rest[whole:]
    if process.wait():
        sys.exit(f"{' '.join(command)} failed ({process.returncode}); nothing was written")
    return events


def picture(text):
    """The first lines as SVG; bold is kept, other commands to the terminal are not."""
    text = re.sub(r"\x1b\[(?![01]?m)[0-9;?]*[A-Za-z]", "", text).replace("\r", "")
    lines = [line for line in text.split("\n") if not line.startswith("demo:")][:LINES]
    height = 18 * (len(lines) + 2)
    rows = []
    for number, line in enumerate(lines):
        spans, bold = [], False
        for part in re.split(r"(\x1b\[[01]?m)", line[:COLUMNS + 20]):
            if part.startswith("\x1b"):
                bold = part == "\x1b[1m"
            elif part:
                kind = ' class="b"' if bold else ""
                spans.append(f"<tspan{kind}>{html.escape(part)}</tspan>")
        kind = "e" if re.match(r"\s*(ERROR|DETAIL|HINT)", line) else "l"
        rows.append(f'<text class="{kind}" x="16" y="{18 * (number + 1) + 10}">{"".join(spans)}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 920 {height}" xml:space="preserve" font-family="ui-monospace, monospace" font-size="13">\n'
            '<style>text { white-space: pre; fill: #d7dee6 } .b { font-weight: bold; fill: #fff } .e { fill: #f0a58e }</style>\n'
            f'<rect width="920" height="{height}" rx="10" fill="#18202a"/>\n' + "\n".join(rows) + "\n</svg>\n")


if __name__ == "__main__":
    main()
