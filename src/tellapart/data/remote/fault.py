"""What went wrong at storage elsewhere, in words of ours, whichever library met it.

The libraries raise hundreds of errors, and some repeat the whole address, signature and all. So an error is understood
by the codes that all of them carry somewhere in the chain of its causes, and nothing of its own text is passed on.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from tellapart.data.remote.address import WAYS, WEB
from tellapart.errors import PhotoError

PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 509, 520, 521, 522, 523, 524, 529})  # of HTTP
_BUSY: Final = ("SlowDown", "RequestTimeout", "Throttl", "ServerBusy", "InternalError", "ServiceUnavailable")
_NO_KEYS: Final = (
    "NoCredentials", "PartialCredentials", "DefaultCredentials", "CredentialUnavailable", "TokenRetrieval",
    "SSOToken", "UnauthorizedSSO", "ProfileNotFound", "CredentialRetrieval", "RefreshError", "LocalTokenNotFound",
)  # fmt: skip
_BAD_KEYS: Final = (
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
    "AuthenticationFailed", "ClientAuthenticationError", "InvalidAuthenticationInfo", "RequestTimeTooSkewed",
)  # fmt: skip
_REGION: Final = (
    "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint", "TemporaryRedirect",
    "NoRegion", "InvalidRegion",
)  # fmt: skip
_CUT: Final = (
    "IncompleteRead", "ClientPayloadError", "ServerDisconnected", "ClientOSError", "ConnectionClosed", "ReadError",
    "RemoteProtocolError", "ResponseStreamingError", "ContentLengthError", "TransferEncodingError", "ProtocolError",
)  # fmt: skip
_BROKEN: Final = (ConnectionResetError, BrokenPipeError, EOFError)
_NO_BUCKET: Final = ("NoSuchBucket", "ContainerNotFound", "InvalidBucketName")
NO_BUCKET: Final = "There is no such bucket."
_OTHER_REGION: Final = "The bucket lies in another region than the one that was asked."
_ITS_REGION: Final = "Name its region, for s3:// by AWS_REGION or AWS_DEFAULT_REGION."
_TLS: Final = ("SSLError", "SSLCertVerification", "CertificateError")
_SILENT: Final = ("Timeout", "ServiceRequestError", "ServiceResponseError")
LATER: Final = "Try once more later; `tellapart embed --retry-failed` reads only what failed."
_NETWORK: Final = "Is the network up?"
_MOVED: Final = "Was it moved or renamed?"
_NO_ANSWER: Final = ("EndpointConnectionError", "ConnectError", "ClientConnector", "TransportError", "ConnectionError")


class Fault(NamedTuple):
    """What went wrong.

    Attributes:
        code: of a `PhotoError`: `missing`, `forbidden`, `unreachable` or `unreadable`.
        sentence: for people; names no address.
        hint: what to do.
        passing: whether asking again may help.
    """

    code: str
    sentence: str
    hint: str = ""
    passing: bool = False

    def as_photo_error(self) -> PhotoError:
        """The error of one photo."""
        return PhotoError(self.sentence, code=self.code, hint=self.hint)


class WebError(Exception):
    """An answer of the web that is no photo; `status` is that of HTTP."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class RefusedError(Exception):
    """Something that we do not do, such as ask a private address; `fault` says what."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.sentence)
        self.fault = fault


def fault_of(error: BaseException, scheme: str) -> Fault:
    """What an error of a driver means.

    Args:
        error: whatever it raised.
        scheme: of the address.
    """
    chain = list(_chain(error))
    refused = next((one.fault for one in chain if isinstance(one, RefusedError)), None)
    if refused:
        return refused
    names = " ".join(f"{type(one).__name__} {_code(one)}" for one in chain)
    status = next((found for one in chain if (found := _status(one))), 0)

    def said(*words: str) -> bool:
        return any(word in names for word in words)

    fault = _by_code(said, status, scheme) or _by_status(status, scheme) or _by_kind(chain, said, scheme)
    return fault or Fault("unreadable", "The storage gave an answer that is not understood.", "Is the address right?")


def _by_code(said: Callable[..., bool], status: int, scheme: str) -> Fault | None:
    """By what the service or the library calls it."""
    found = (
        (said(*_NO_KEYS), "forbidden", "No credentials for this storage were found.", _ways(scheme)),
        (said(*_BAD_KEYS), "forbidden", "The storage does not accept these credentials.", _ways(scheme)),
        (said(*_REGION) or status == 301, "forbidden", _OTHER_REGION, _ITS_REGION),
        (said(*_NO_BUCKET), "missing", NO_BUCKET, "Is its name right, and the endpoint that is asked?"),
        (said("InvalidURL", "InvalidUrl"), "unreadable", "The address is none that can be asked.", "Is it whole?"),
        # Before the status, since aiohttp gives this one a status of its own.
        (said(*_CUT), "unreachable", "The storage broke off in the middle.", LATER),
    )
    for is_it, code, sentence, hint in found:
        if is_it:
            return Fault(code, sentence, hint, passing=hint == LATER)
    return None


def _ways(scheme: str) -> str:
    return WAYS[scheme] if scheme in WEB else f"Credentials are found in {WAYS[scheme]}"


def _by_status(status: int, scheme: str) -> Fault | None:
    if status in (401, 403):
        return Fault(
            "forbidden", f"The storage refuses to give it (HTTP {status}).", _ways(scheme)
        )  # fmt: skip
    if status in (404, 410):
        return Fault("missing", "There is nothing at this address.", _MOVED)
    if status in PASSING:
        return Fault("unreachable", f"The storage is out of order or busy (HTTP {status}).", LATER, passing=True)
    if status == 416:
        return Fault("empty", "The file is empty.")
    return Fault("unreadable", f"The storage answers with HTTP {status}.") if status >= 300 else None


def _by_kind(chain: list[BaseException], said: Callable[..., bool], scheme: str) -> Fault | None:
    """By the kinds of errors in the chain, the plainest first."""

    def kind(*kinds: type[BaseException]) -> bool:
        return any(isinstance(one, kinds) for one in chain)

    found = (
        (kind(FileNotFoundError, NotADirectoryError), "missing", "There is nothing at this address.", _MOVED),
        (kind(PermissionError), "forbidden", "The storage refuses to give it.", _ways(scheme)),
        (said(*_BUSY), "unreachable", "The storage is out of order or busy.", LATER),
        (kind(TimeoutError) or said(*_SILENT), "unreachable", "The storage did not answer in time.", LATER),
        (said(*_TLS), "unreachable", "The storage cannot prove who it is (TLS).", "Is its certificate valid?"),
        (kind(*_BROKEN), "unreachable", "The storage broke off in the middle.", LATER),
        (said("gaierror"), "unreachable", "There is no host of this name.", "Is it right, and the network up?"),
        (kind(ConnectionError) or said(*_NO_ANSWER), "unreachable", "The storage cannot be reached.", _NETWORK),
    )  # fmt: skip
    for is_it, code, sentence, hint in found:
        if is_it:
            return Fault(code, sentence, hint, passing=hint in (LATER, _NETWORK))
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, its causes, and what it was raised in the middle of, each once."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting and len(seen) < 20:  # libraries nest them some deep; a circle would never end
        one = waiting.pop(0)
        if one is None or any(one is other for other in seen):
            continue
        seen.append(one)
        yield one
        waiting += [one.__cause__, one.__context__]


def _code(error: BaseException) -> str:
    """The code that a service gave, where the library keeps it."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", ""))
    return str(getattr(error, "error_code", "") or "")


def _status(error: BaseException) -> int:
    """The status of HTTP, where the library keeps it."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return _number(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    for holder in (error, response):
        for name in ("status", "status_code", "code"):
            if found := _number(getattr(holder, name, None)):
                return found
    return 0


def _number(value: object) -> int:
    try:
        number = int(value)  # type: ignore[call-overload]  # whatever it is
    except (TypeError, ValueError):
        return 0
    return number if 100 <= number < 600 else 0
