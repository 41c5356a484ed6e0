"""How a program ends: its exit codes, and the one exception that it shows as a single line instead of a traceback."""

DONE = 0
FAILED = 1  # Python's own code for an exception; a full disk, say: trying again may help
WRONG_INPUT = 2  # a setting, a flag or a file is wrong: trying again does not help
DIVERGED = 3  # a number was no longer finite
STOPPED = 75  # EX_TEMPFAIL: asked to stop, all is saved; start it again


class UserError(Exception):
    """Something the user can mend: its text names the thing, what is wrong with it, and what to type."""
