"""Every error raised on purpose, by who can mend it.

TellapartError
├── InputError          the person's folder, file or option; also a ValueError
│   ├── NoClassesError  photos, but no class folders
│   └── PhotoError      one photo; carries a stable `code`
├── ArtifactError       a model folder that is broken, hostile or from a newer version
├── TrainingError       training could not go on although the input was fine
└── MissingExtraError   an optional part is not installed; also an ImportError
"""

from functools import partial


class TellapartError(Exception):
    """A plain sentence, and a hint that says what to do about it.

    Args:
        message: one sentence: what is wrong, where, and what was found instead.
        hint: what to do next; may be empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class InputError(TellapartError, ValueError):
    """Something the person gave us, which the person can mend."""


class NoClassesError(InputError):
    """There are photos, but no class folders that would label them."""


class PhotoError(InputError):
    """One photo cannot be used.

    Args:
        message: the reason, a plain sentence without path, version or library name.
        code: stable machine-readable reason, such as `truncated`.
        hint: what to do next.
    """

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        """For pools of processes: one that cannot read what a worker raised waits for it for ever."""
        return partial(type(self), code=self.code), (self.message,), vars(self)


class ArtifactError(TellapartError):
    """A model folder cannot be trusted or understood."""


class TrainingError(TellapartError):
    """Training failed although its input was acceptable."""


class MissingExtraError(TellapartError, ImportError):
    """An optional part of tellapart is not installed."""
