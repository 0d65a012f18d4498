#!/usr/bin/env python3
"""A laboratory as a program, held by a lifeline.

It starts what is asked for, prints one line of JSON that says where everything is, serves one-line commands on standard
input (JSON in, JSON out) and takes everything down at end of input.

    tests/support/lab.py [--servers postgres,mariadb,mysql] [--gateway PATH/TO/tidegate] [--settings JSON] [--no-data]

Nothing stays behind however it ends: servers die with their parent (PR_SET_PDEATHSIG), and a sweeper process that only
waits for the end of this one removes the directory, also after kill -9.
"""

import sys

sys.dont_write_bytecode = True

import lab  # noqa: E402

if __name__ == "__main__":
    lab.main()
