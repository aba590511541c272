"""Addresses of photos, and how they are kept and said: without what lets somebody in.

    s3://BUCKET/KEY   gs://BUCKET/KEY   az://CONTAINER/KEY   hf://datasets/OWNER/NAME/PATH   https://HOST/PATH

An address of the web may be signed, or hold a name and a password. What stands in tables, manifests, messages and
caches is `without_secrets`; the whole address is only in memory, where the photo is fetched.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote, urlsplit

from tellapart.errors import InputError
from tellapart.text import quoted

STORES: Final = ("s3", "gs", "az", "hf")  # with folders that can be listed
WEB: Final = ("https", "http")  # one file an address
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+)://")
# Names in a query that carry a signature or a key: of Amazon, Google, Microsoft and CloudFront, and what others use.
_SECRET: Final = re.compile(
    r"(?i)x-(amz|goog|ms|oss|cos|obs|bce)-.*|awsaccesskeyid|googleaccessid|key-pair-id|policy|expires?|hash-algorithm"
    r"|s[aekrsptvc]|sk(e|oid|s|t|tid|v)|srt|spr|sdd|sip|.*(sig|token|secret|passw|pwd|auth|cred|key|jwt|session|hmac).*"
)
# Names and values that say which photo is meant, or how large; any other is kept as a short hash alone.
_HARMLESS: Final = re.compile(
    r"(?i)(id|img|image|photo|pic|file|filename|name|path|n|no|page|v|ver|version|w|h|width|height|size|s|q|quality"
    r"|fm|format|fit|crop|dpr|auto|raw|alt|download|lang)=[\w.,/~%+\-]{0,80}"
    r"|~[0-9a-f]{12}"  # what this made of others before
)
_MARK_DIGITS: Final = 12  # of SHA-256, by which addresses that differ in what is not kept are told apart


def is_address(text: str) -> bool:
    """Whether it names something elsewhere and no path; a drive of Windows has one letter."""
    return _ADDRESS.match(text) is not None


def scheme_of(address: str) -> str:
    """The kind of storage, in small letters.

    Raises:
        InputError: it is none that can be read.
    """
    found = _ADDRESS.match(address)
    scheme = found[1].lower() if found else ""
    scheme = {"gcs": "gs"}.get(scheme, scheme)
    if scheme not in STORES + WEB or (scheme in STORES and "::" in address):  # a chain of file systems, for fsspec
        kinds = ", ".join(f"{one}://" for one in STORES + WEB[:1])
        raise InputError(
            f"{quoted(without_secrets(address))} is no address that photos are read from.",
            hint=f"These are: {kinds}. Files of this machine are named by their paths.",
        )
    if scheme in STORES and re.match(r"[^/]*:[^/]*@", address.partition("://")[2]):
        raise InputError(
            f"{quoted(without_secrets(address))} holds a name and a password.",
            hint="Credentials are never taken from an address, but found in " + WAYS[scheme],
        )
    return scheme


# How each driver finds credentials; we only say it.
WAYS: Final = {
    "s3": "Amazon's ways: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE with ~/.aws, `aws sso login`, "
    "or the role of the machine. A public bucket needs none: FSSPEC_S3_ANON=true.",
    "gs": "Google's ways: GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth application-default login`, "
    "or the role of the machine.",
    "az": "Microsoft's ways: AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME with "
    "AZURE_STORAGE_ACCOUNT_KEY or `az login`.",
    "hf": "Hugging Face's ways: HF_TOKEN, or `hf auth login`.",
    "https": "A signed address is good for a while only; one for you alone is written https://NAME:PASSWORD@HOST/….",
    "http": "A signed address is good for a while only; one for you alone is written http://NAME:PASSWORD@HOST/….",
}


def without_secrets(address: str) -> str:
    """The address as it is kept and said: without name and password, signature and keys.

    Of its query stays what is known to be harmless; what is neither that nor a key becomes a short hash, so that two
    photos stay two. A path has nothing taken away.
    """
    found = _ADDRESS.match(address)
    if not found:
        return address
    rest = address[found.end() :]
    rest, _, _ = rest.partition("#") if found[1].lower() in WEB else (rest, "", "")
    before, _, query = rest.partition("?") if found[1].lower() in WEB else (rest, "", "")
    host, slash, path = before.partition("/")
    if ":" in host.rpartition("@")[0] or (found[1].lower() in WEB and "@" in host):
        host = host.rpartition("@")[2]
    query = _kept_query(query)
    return f"{found[1].lower()}://{host}{slash}{path}{'?' * bool(query)}{query}"


def _kept_query(query: str) -> str:
    parts = [part for part in query.split("&") if part]
    parts = [part for part in parts if not _SECRET.fullmatch(unquote(part.partition("=")[0]))]
    kept = [part for part in parts if _HARMLESS.fullmatch(part)]
    unknown = [part for part in parts if part not in kept]
    if unknown:
        kept.append(f"~{hashlib.sha256('&'.join(unknown).encode()).hexdigest()[:_MARK_DIGITS]}")
    return "&".join(kept)


def from_table(path: str, folder: str) -> str:
    """The address that a table means, which lies in `folder`, a path or an address.

    Raises:
        InputError: it is none, or a table from elsewhere names a file of this machine.
    """
    if is_address(path):
        scheme_of(path)
        return path
    parts = path.split("/")
    if os.path.isabs(path) or "\\" in path or ":" in parts[0] or ".." in parts:
        raise InputError(
            f"A table from elsewhere names a file that is not beside it: {quoted(path)}.",
            hint="Its photos are named by addresses, or by paths below the folder that it lies in.",
        )
    return below(folder, path)


def refuse_mixed(rows: Iterable[tuple[str, str, int]], folder: str, name: str) -> None:
    """Refuses a table of addresses that also names files here, or, if it is from the web, names a person's stores.

    Args:
        rows: (path as it is kept, the whole address or "" for a file here, line) of each.
        folder: that the table lies in, a path or an address.
        name: of the table.

    Raises:
        InputError: says which row.
    """
    from_web = is_address(folder) and scheme_of(folder) in WEB
    for path, whole, line in rows:
        if not whole:
            raise InputError(
                f"{quoted(name)} names addresses, and a file of this machine: {quoted(path)} (line {line}).",
                hint="Make two tables of it: one of addresses, one of paths.",
            )
        if from_web and scheme_of(whole) not in WEB:
            raise InputError(
                f"{quoted(name)} is from the web and names a photo in a store: {quoted(path)} (line {line}).",
                hint="It would be read with your credentials. If you trust the table, save it here and name the file.",
            )


def below(root: str, name: str) -> str:
    """The address of `name` within the folder `root`."""
    return f"{root.rstrip('/')}/{name}"


def parent(address: str) -> str:
    """The folder that something lies in, of an address of the web without its query."""
    plain = re.split(r"[?#]", address)[0] if address.lower().startswith(WEB) else address
    return plain.rstrip("/").rpartition("/")[0]


def last_name(address: str) -> str:
    """The last part of an address, without its query."""
    path = address.rstrip("/").rpartition("/")[2]
    return unquote(path.partition("?")[0]) if address.lower().startswith(WEB) else path


def host_of(address: str) -> str:
    """The host of an address of the web, or the bucket of a store."""
    return urlsplit(address).hostname or ""
