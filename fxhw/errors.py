"""The exceptions for what a user can cause."""


class FxhwError(Exception):
    """A mistake a user can make and mend.

    The message is a sentence: subject, condition, the actual numbers, what to do.  The command
    line prints it as one line and exits with status 2.
    """


class ToolError(FxhwError):
    """A tool that runs as a process of its own has failed.

    Parameters
    ----------
    message : a sentence, with the tool's own error line.
    output : all that it printed.
    """

    def __init__(self, message: str, output: str = ""):
        super().__init__(message, output)
        self.output = output

    def __str__(self):
        return self.args[0]
