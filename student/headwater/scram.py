"""The client's side of SCRAM (RFC 5802) without channel binding. The server has to prove itself too."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import unicodedata

MECHANISMS = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
MOST_ITERATIONS = 1_000_000


class ScramError(Exception):
    """The server's side of the exchange is not as it has to be."""


class Scram:
    def __init__(self, mechanism: str, user: str, password: str, nonce: str | None = None):
        self.hash = MECHANISMS[mechanism]
        self.password = unicodedata.normalize("NFKC", password).encode()
        self.nonce = nonce or secrets.token_urlsafe(24)
        name = unicodedata.normalize("NFKC", user).replace("=", "=3D").replace(",", "=2C")
        self.bare = f"n={name},r={self.nonce}"
        self.server_signature = b""

    def first(self) -> bytes:
        return f"n,,{self.bare}".encode()

    def final(self, answer: bytes) -> bytes:
        fields = _fields(answer)
        try:
            nonce, salt, iterations = fields["r"], base64.b64decode(fields["s"]), int(fields["i"])
        except (KeyError, ValueError) as reason:
            raise ScramError("the server's answer to the user name cannot be read") from reason
        if not nonce.startswith(self.nonce) or len(nonce) == len(self.nonce):
            raise ScramError("the server changed the nonce")
        if not 1 <= iterations <= MOST_ITERATIONS:
            raise ScramError(f"the server asks for {iterations} rounds")
        salted = hashlib.pbkdf2_hmac(self.hash, self.password, salt, iterations)
        client_key = self._hmac(salted, b"Client Key")
        without_proof = f"c=biws,r={nonce}"
        signed = f"{self.bare},{answer.decode()},{without_proof}".encode()
        signature = self._hmac(hashlib.new(self.hash, client_key).digest(), signed)
        self.server_signature = self._hmac(self._hmac(salted, b"Server Key"), signed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def check(self, answer: bytes) -> None:
        """Raises where the server does not know the verifier of this password."""
        try:
            told = base64.b64decode(_fields(answer).get("v", ""))
        except ValueError:
            told = b""
        if not hmac.compare_digest(told, self.server_signature):
            raise ScramError("the server could not prove that it knows you")

    def _hmac(self, key, message):
        return hmac.new(key, message, self.hash).digest()


def _fields(answer):
    try:
        return dict(part.split("=", 1) for part in answer.decode().split(","))
    except ValueError as reason:
        raise ScramError("the server's answer is no SCRAM") from reason
