"""The one exception that a program shows as a single line instead of a traceback."""


class UserError(Exception):
    """Something the user can mend: its text names the thing, what is wrong with it, and what to type."""
