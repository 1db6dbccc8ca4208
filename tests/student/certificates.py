"""Authorities and certificates for the doors, made by the `openssl` command; good for a day, or run out already."""

import os
import shutil
import subprocess
from pathlib import Path

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
CONFIG = """
[ca]
default_ca = own
[own]
database = {folder}/index
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""


class Missing(Exception):
    """There is no openssl on this machine."""


class Authority:
    def __init__(self, folder: Path, name: str):
        if not shutil.which("openssl"):
            raise Missing("openssl is not installed")
        self.folder = folder / name
        self.folder.mkdir()
        self.pem, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        (self.folder / "index").touch()
        (self.folder / "serial").write_text("1000")
        self.config = self.folder / "openssl.cnf"
        self.config.write_text(CONFIG.format(folder=self.folder))
        openssl("req", "-x509", *KEY, "-keyout", self.key, "-out", self.pem, "-days", "2", "-subj", f"/CN={name}")

    def certificate(self, name: str, names: str, since="20200101000000Z", until="20990101000000Z"):
        """(certificate, key); `names` as `DNS:localhost,IP:127.0.0.1`."""
        request, key, made = (self.folder / f"{name}.{kind}" for kind in ("csr", "key", "pem"))
        openssl("req", *KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}")
        dates = ("-startdate", since, "-enddate", until)
        openssl(
            "ca", "-batch", "-notext", "-config", self.config, "-cert", self.pem, "-keyfile", self.key, *dates, "-in", request, "-out", made
        )
        return str(made), str(key)


def openssl(*words):
    environment = {**os.environ, "RANDFILE": os.devnull}
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise AssertionError(f"openssl {words[0]} failed: {done.stderr[-500:]}")
