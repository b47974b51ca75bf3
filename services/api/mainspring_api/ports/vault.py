"""Keeps secrets so that nobody reads them who holds the rows alone."""

from typing import Protocol

from mainspring_api.domain.secrets import Sealed


class Vault(Protocol):
    """`about` says whose secret it is; sealed for one thing, it opens for no other."""

    def make(self) -> str:
        """A secret that nobody could guess, of letters and digits."""
        ...

    def seal(self, secret: str, *, about: str) -> Sealed:
        """Under the newest key. Raises EncryptionUnconfigured where there is none."""
        ...

    @property
    def has_older_keys(self) -> bool:
        """Whether there are others beside the one that seals."""
        ...

    def is_newest(self, sealed: Sealed) -> bool:
        """Whether the key that seals now sealed it."""
        ...

    def resealed(self, sealed: Sealed, *, about: str) -> Sealed:
        """The same secret under the newest key. Raises as `seal` and `open` do."""
        ...

    def open(self, sealed: Sealed, *, about: str) -> str:
        """Raises SecretUnreadable for an unknown key, another `about` or changed bytes."""
        ...
