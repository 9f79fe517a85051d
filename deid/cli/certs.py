"""`deid certs`: certificates for tests and pilots, and how long those in use are still valid."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deid.cli.terminal import say
from deid.errors import BadState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.network.certificate import Certificate

SOON = 30  # days in which somebody should get a new one

app = typer.Typer(no_args_is_help=True, help="Make certificates for tests and pilots; see how long they are valid.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the authority.")]
Rsa = Annotated[bool, typer.Option("--rsa", help="RSA with 3072 bits instead of ECDSA on P-256, for older devices.")]


@app.command()
def init(
    folder: Folder,
    *,
    name: Annotated[str, typer.Option(metavar="TEXT", help="The name of the authority.")] = "DICOM test authority",
    days: Annotated[int, typer.Option(metavar="N", min=1, max=7300, help="How long it is valid.")] = 3650,
    rsa: Rsa = False,
) -> None:
    """Make a certification authority in DIR, new or empty.

    Whoever has its key, DIR/ca.key, can make certificates that the gateway trusts: keep the folder apart from
    the machines that use them, and copy there only what they need.
    """
    from deid.network.authority import Authority

    Authority.create(folder, name, days, use_rsa=rsa)
    say(f"Made {folder}/ca.pem (authorities), ca.crl (revocation list) and ca.key (keep it secret).")


@app.command()
def issue(  # noqa: PLR0913 - one parameter for each option
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the files, and the common name.")],
    *,
    ae: Annotated[
        list[str] | None, typer.Option("--ae", metavar="AE", help="An AE title it is for; may be repeated.")
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option("--host", metavar="HOST", help="A host name or IP address it is for; may be repeated."),
    ] = None,
    days: Annotated[int, typer.Option(metavar="N", min=1, max=3650, help="How long it is valid.")] = 365,
    rsa: Rsa = False,
) -> None:
    """Make a key and a certificate for both sides of a connection.

    A server needs the names by which it is called (--host); a client is known by its AE titles (--ae).
    """
    from deid.network.authority import Authority, Subject

    path = Authority(folder).issue(Subject(name, tuple(ae or ()), tuple(host or ())), days, use_rsa=rsa)
    say(f"Made {path} and {path.with_suffix('.key').name}.")


@app.command()
def revoke(
    folder: Folder,
    certificate: Annotated[Path, typer.Argument(metavar="FILE", help="The certificate, such as DIR/ct1.pem.")],
) -> None:
    """Put a certificate on the revocation list.

    A gateway that names DIR/ca.crl, or a copy of it, refuses the certificate from its next handshake on.
    """
    from deid.network.authority import Authority

    Authority(folder).revoke(certificate)
    say(f"Revoked; copy {folder}/ca.crl to where it is named.")


@app.command()
def show(
    path: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="A file in PEM form, or a folder of *.pem files.")],
) -> None:
    """List certificates: whose they are, how long they are valid, their fingerprints.

    Warns of those that expire within 30 days, and of those that are too weak to be used.
    """
    from deid.cli.terminal import table

    listed = [(file.name, each) for file in _files(path) for each in _read(file)]
    rows = (
        (file, ", ".join(filter(None, (each.common_name, *each.names))), f"{each.not_after:%Y-%m-%d}", each.sha256)
        for file, each in listed
    )
    table(rows, header=("file", "names", "valid until", "SHA-256"))
    for file, each in listed:
        for warning in _warnings(each):
            typer.echo(f"{file}: {warning}", err=True)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*.pem"))
    if not found:
        raise BadState(f"there is no certificate (*.pem) in {path}")
    return found


def _read(path: Path) -> "tuple[Certificate, ...]":
    from deid.network import certificate

    return certificate.from_pem(path, "the file")


def _warnings(shown: "Certificate") -> "Iterator[str]":
    from datetime import UTC, datetime

    left = (shown.not_after - datetime.now(UTC)).days  # rounded down
    if left < 0:
        yield f"expired on {shown.not_after:%Y-%m-%d}: nobody accepts it"
    elif left < SOON:
        yield f"expires in {left} days: issue a new one"
    if shown.weakness:
        yield f"cannot be relied on: {shown.weakness}"
