"""The one exception for what a user can cause."""


class FxhwError(Exception):
    """A mistake a user can make and mend.

    The message is a sentence: subject, condition, the actual numbers, what to do.  The command
    line prints it as one line and exits with status 2.
    """
