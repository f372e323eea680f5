"""The errors of cauce. Each is a `cauce.Error` and the built-in error that fits, so that both habits catch it."""

TYPE_CHECKING = False  # an import of typing would cost more than all of this
if TYPE_CHECKING:
    from cauce._convert import Summary


class Error(Exception):
    """What everything that cauce raises has in common.

    Attributes:
        key: The object's name under the lake's root, where one object is to blame.
        offset: Decoded bytes of that object before the place.
        line: The line in that object, counted from 1.

    """

    key: str | None
    offset: int | None
    line: int | None

    def __init__(
        self, message: str = "", *, key: str | None = None, offset: int | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.key = key
        self.offset = offset
        self.line = line


class HourNotFound(Error, FileNotFoundError):
    """There is nothing of this hour in the lake."""


class LakeNotFound(Error, FileNotFoundError):
    """There is no such bucket or folder."""


class ObjectNotFound(Error, FileNotFoundError):
    """An object is gone that a manifest or a listing named."""


class AccessDenied(Error, PermissionError):
    """There are no credentials, the store does not accept them, or they lack a permission."""


class ConfigError(Error, ValueError):
    """Settings of a lake that cannot be used: its URL, pattern, time zone, region or endpoint."""


class CorruptRecord(Error, ValueError):
    """A line that is no record; `key`, `line` and `offset` say which."""


class CorruptObject(Error, ValueError):
    """An object or a manifest is damaged or cut off; `key` and `offset` say where what can be read ends."""


class HourNotClosed(Error, RuntimeError):
    """The hour may still change, so it is not converted unless that is asked for."""


class AlreadyThere(Error, FileExistsError):
    """The condition of a put does not hold, or Parquet of another source or with other options is there."""


class ConvertFailed(Error, RuntimeError):
    """Some hours were not converted; `__cause__` is the error of the first of them.

    Attributes:
        summary: What became of all of them.
    """

    summary: "Summary"


class StoreError(Error, OSError):
    """The store failed in another way."""


class ObjectArchived(StoreError):
    """An object lies in an archive (S3 Glacier): restore it, or leave its hour out; `key` says which."""


class Unreachable(StoreError, ConnectionError):
    """No connection to the store came about."""


class Timeout(StoreError, TimeoutError):
    """No answer in time, or the connection broke."""


class ForkError(Error, RuntimeError):
    """An iterator or file was carried over a fork: open it anew in the child."""


class LakeWarning(UserWarning):
    """A part of a lake that was left out, such as an hour whose manifest cannot be trusted or read."""


# A traceback then names them as they are caught: cauce.HourNotFound.
for _error in (Error, LakeWarning, *Error.__subclasses__(), *StoreError.__subclasses__()):
    _error.__module__ = "cauce"
