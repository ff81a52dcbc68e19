"""What is nobody else's business: secrets are masked wherever they would be written; who and where, when asked to."""

from __future__ import annotations

import getpass
import math
import platform
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "MASKED", "anonymous", "masked", "secrets_in", "without"]

MASKED = "(masked)"
"""Stands for a value that looked like a secret."""
FOLDER = "…/"
"""What stands for a folder in what is anonymous."""
_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|COOKIE|BEARER|PRIVATE|(API|ACCESS|AUTH|_)_?KEY|^KEY$",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"-----BEGIN|\bgh[a-z]_\w{16}|\bgithub_pat_|\bglpat-|\bhf_\w{16}|\bsk-[\w-]{16}|\bxox[a-z]-|\bAKIA[0-9A-Z]{12}"
    r"|\bAIza[\w-]{16}|\beyJ[\w-]{8,}\.|://[^/\s:@]+:[^/\s@]+@"
)
"""How keys of well-known services begin, a key in PEM, a token of JSON, a password in an address."""
_RANDOM = re.compile(r"[A-Za-z0-9+_-]{24,}={0,2}")
_BITS_A_LETTER = 3.5
"""Of a word as long as a key: more than words and numbers have, and random digits of base 16 have about as much."""
_LEAST_SECRET = 6
"""Letters: shorter values occur in any text."""
_ANYBODYS = ("root", "user", "localhost", "home")
"""Names of users and hosts that tell nothing."""
_PATH = re.compile(
    r"(?<![\w.])(?:[A-Za-z]:)?(?:[\\/][^\s\\/:;,'\"()\[\]<>|=]+)*[\\/](?=[^\s\\/:;,'\"()\[\]<>|=])"
)


def masked(name: str, value: str) -> str:
    """`value` of a variable, or MASKED where its name or itself looks like a secret."""
    return MASKED if _SECRET_NAME.search(name) or _is_secret(value) else value


def secrets_in(environ: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The values of variables that look like secrets and are to be looked for in texts: no short ones, and no paths."""
    return frozenset(
        value
        for name, value in environ
        if len(value) >= _LEAST_SECRET and not value.startswith("/") and masked(name, value) == MASKED
    )


def without(secrets: Iterable[str], text: str) -> str:
    """`text` with MASKED in the place of each of `secrets`."""
    for secret in secrets:
        text = text.replace(secret, MASKED)
    return text


def _is_secret(value: str) -> bool:
    if _SECRET_VALUE.search(value):
        return True
    return any(
        any(map(str.isdigit, word)) and any(map(str.isalpha, word)) and _bits(word) > _BITS_A_LETTER
        for word in _RANDOM.findall(value)
    )


def _bits(word: str) -> float:
    """Entropy of its letters, in bits for each."""
    shares = [count / len(word) for count in Counter(word).values()]
    return -sum(share * math.log2(share) for share in shares)


def anonymous(value: Any) -> Any:
    """Plain JSON data, or text, without the names of this host and user; of a path only its last part is left."""
    if isinstance(value, dict):
        return {anonymous(key): anonymous(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [anonymous(item) for item in value]
    if not isinstance(value, str):
        return value
    text = _PATH.sub(FOLDER, value)
    for word, instead in _names():
        text = re.sub(
            rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", instead, text, flags=re.IGNORECASE
        )
    return text


@cache
def _names() -> tuple[tuple[str, str], ...]:
    host = platform.node()
    found = [(host, "host"), (host.partition(".")[0], "host"), (_user(), "user"), (_home(), "user")]
    return tuple((word, instead) for word, instead in found if len(word) > 1 and word not in _ANYBODYS)


def _home() -> str:
    try:
        return Path.home().name
    except RuntimeError:  # as in a container, of a user without a name
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, ImportError, OSError):  # nobody of that number is known here
        return ""
