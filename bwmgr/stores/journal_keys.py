"""Keys of the organisation for its journal: Ed25519 (RFC 8032), as PEM files.

The only module that knows `cryptography`. The name of a key: the first sixteen hexadecimal digits of its public half's SHA-256.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bwmgr.errors import UsageError, path_reason, system_reason
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """The public half: checks."""

    id: str
    _public: Ed25519PublicKey

    @property
    def hexadecimal(self) -> str:
        """Its 32 octets, as verifiers take them that know no PEM."""
        return self._public.public_bytes_raw().hex()

    def signed(self, signature: str, hash_: str) -> bool:
        """Was this hash (hexadecimal) signed by the private half?"""
        from cryptography.exceptions import InvalidSignature

        try:
            self._public.verify(bytes.fromhex(signature), bytes.fromhex(hash_))
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True


class SigningKey:
    """The private half: signs, and shows itself by its name only."""

    __slots__ = ("_private", "public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = _verifying(private.public_key())

    @property
    def id(self) -> str:
        return self.public.id

    def sign(self, hash_: str) -> str:
        """The signature over a hash's octets; both hexadecimal."""
        return self._private.sign(bytes.fromhex(hash_)).hex()

    def __repr__(self) -> str:
        return f"SigningKey({self.id})"


def signing_key(pem: str, where: str) -> SigningKey:
    """From the text of a private key file. Raises: UsageError naming `where` it came from."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise UsageError(Said("{where} is no private key; make one by `bwmgr audit key FILE`", where=where)) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageError(Said("{where} is a key of another kind than Ed25519; make one by `bwmgr audit key FILE`", where=where))
    return SigningKey(private)


def verifying_key(path: Path) -> VerifyingKey:
    """From a public key file. Raises: UsageError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        public = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        why = system_reason(error) if isinstance(error, OSError) else Said("no PEM of a public key")
        raise UsageError(
            Said(
                "{path} cannot be used as a public key ({why}); `bwmgr audit key FILE` wrote FILE.pub",
                path=path,
                why=why,
            )
        ) from error
    if not isinstance(public, Ed25519PublicKey):
        raise UsageError(Said("{path} is a key of another kind than Ed25519", path=path))
    return _verifying(public)


def make_key(path: Path) -> SigningKey:
    """A new pair: the private half at `path`, for its owner alone (0600), the public one at `path.pub`.

    Raises: UsageError where either file exists or cannot be written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    private = Ed25519PrivateKey.generate()
    _write_new(public_path(path), private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    try:
        _write_new(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    except UsageError:
        public_path(path).unlink()
        raise
    return SigningKey(private)


def public_path(path: Path) -> Path:
    return path.with_name(path.name + ".pub")


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # whatever the umask says
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except FileExistsError as error:
        raise UsageError(Said("{path} exists: a key is never overwritten; choose another name", path=path)) from error
    except OSError as error:
        raise UsageError(path_reason(path, error)) from error


def _verifying(public: Ed25519PublicKey) -> VerifyingKey:
    return VerifyingKey(hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16], public)
