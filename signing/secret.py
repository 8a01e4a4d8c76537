"""Bytes that must not be seen: private keys, passphrases, PINs."""

import hmac
from typing import NoReturn, SupportsIndex, overload


class Secret(bytes):
    """Bytes whose ``repr``, ``str`` and format show nothing, so that no traceback or log line can hold them.

    Two are compared in constant time (for equal lengths); a slice is a secret too; there is no hash, and pickling and
    copying are refused.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(…)"

    def __str__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, bytes) and hmac.compare_digest(bytes(self), bytes(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, key: slice, /) -> "Secret": ...
    def __getitem__(self, key: SupportsIndex | slice, /) -> "int | Secret":
        return Secret(super().__getitem__(key)) if isinstance(key, slice) else super().__getitem__(key)

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled")
