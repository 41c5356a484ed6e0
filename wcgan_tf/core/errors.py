"""Exit codes, and the exception that a program shows as one line instead of a traceback."""

import shlex

DONE = 0
FAILED = 1  # Python's own code for an exception; a retry may help, as after a full disk
WRONG_INPUT = 2  # a setting, a flag or a file is wrong; a retry does not help
DIVERGED = 3  # a loss or a weight is not finite
STOPPED = 75  # EX_TEMPFAIL: stopped on request, everything is saved; the same command continues


class Command:
    """A program of this package with arguments, for the user to type; `cli.command` adds the current settings."""

    def __init__(self, program: str, *arguments: str):
        self.program, self.arguments = program, arguments

    def __str__(self) -> str:
        return shlex.join(["python", "-m", f"wcgan_tf.{self.program}", *self.arguments])


class UserError(Exception):
    """An error that the user can fix: the text names the thing, what is wrong with it, and what to type.

    Args:
        parts: texts and `Command`s, joined to one line.
    """

    def __init__(self, *parts: "str | Command"):
        super().__init__(*parts)
        self.parts = parts

    def __str__(self) -> str:
        return "".join(map(str, self.parts))
