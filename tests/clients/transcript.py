"""Runs scenarios one by one, each on a connection of its own, and prints a transcript that can be compared."""

import sys
import traceback


def show(*values):
    print("  ", *values, flush=True)


def run(scenarios, connect, close):
    """Runs those named on the command line, or all. An unexpected error is part of the transcript."""
    wanted = sys.argv[1:]
    for scenario in scenarios:
        if wanted and scenario.__name__ not in wanted:
            continue
        print(f"## {scenario.__name__}", flush=True)
        connection = None
        try:
            connection = connect()
            scenario(connection)
        except Exception as error:  # noqa: BLE001: whatever it is, it belongs into the transcript
            show("UNEXPECTED", type(error).__name__, getattr(error, "sqlstate", ""), str(error).strip())
            traceback.print_exc(file=sys.stderr)
        finally:
            if connection is not None:
                try:
                    close(connection)
                except Exception as error:  # noqa: BLE001
                    show("UNEXPECTED at close", type(error).__name__, error)
