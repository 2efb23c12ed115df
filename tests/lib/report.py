# SPDX-License-Identifier: Apache-2.0
"""Results of a script as lines for tests/run, and waiting with a deadline."""
import inspect
import sys
import time
import traceback


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


def check(condition, why=""):
    """Fail the running test unless condition holds."""
    if not condition:
        raise AssertionError(why or "condition does not hold")


def equal(found, expected, what="value"):
    """Fail the running test unless found is what was expected."""
    if found != expected:
        raise AssertionError(f"{what}: expected {expected!r}, found {found!r}")


PATIENCE_S = 120.0  # a deadline is for what never happens: a slow machine is no failure


def until(condition, seconds=PATIENCE_S, what="condition"):
    """Wait until condition() gives something true, and return that; fail after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not seen within {seconds} s")
        time.sleep(0.01)


def run(suite, tests):
    """Run the tests (functions, or pairs of name and function) in order; print a line for each; exit.

    Names given as arguments of the program select tests."""
    failed = 0
    for test in tests:
        name, function = test if isinstance(test, tuple) else (test.__name__.replace("_", " "), test)
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        try:
            function()
            print(f"ok {suite}: {name}", flush=True)
        except Skip as why:
            print(f"skip {suite}: {name}: {why}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            traceback.print_exc(file=sys.stdout)
            print(f"not ok {suite}: {name}: {why}", flush=True)
    sys.exit(1 if failed else 0)


def tests_of(module):
    """All functions of a module named test_*, in the order of the file, as pairs for run()."""
    found = [f for name, f in vars(module).items() if name.startswith("test_") and inspect.isfunction(f)]
    return [(f.__name__[len("test_"):].replace("_", " "), f) for f in found]
