"""How a peer is named on the command line, AE@HOST:PORT, and what a secure connection to it takes."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from deid.errors import BadProfile

if TYPE_CHECKING:
    from deid.forward.scu import Destination

_PEER = re.compile(r"([ -?A-\[\]-~]{1,16})@(?:\[([^]@]+)\]|([^]\[@:]+)):([0-9]{1,5})")  # an IPv6 address in brackets

Peer: TypeAlias = Annotated[str, typer.Argument(metavar="AE@HOST:PORT", help="The AE title and where it listens.")]
Calling: TypeAlias = Annotated[str, typer.Option("--calling", metavar="AE", help="Our own AE title.")]
Authorities: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--tls-authorities",
        metavar="FILE",
        help="Speak TLS only, with a peer whose certificate comes from one of these authorities (PEM).",
        show_default=False,
    ),
]
Certificate: TypeAlias = Annotated[
    Path | None,
    typer.Option("--tls-certificate", metavar="FILE", help="Our own certificate (PEM).", show_default=False),
]
Key: TypeAlias = Annotated[
    Path | None, typer.Option("--tls-key", metavar="FILE", help="Its private key (PEM).", show_default=False)
]
Password: TypeAlias = Annotated[
    Path | None,
    typer.Option("--tls-password", metavar="FILE", help="File with the password of the key.", show_default=False),
]


def destination_of(  # noqa: PLR0913 - one parameter for each option
    peer: str,
    calling: str,
    authorities: Path | None,
    certificate: Path | None,
    key: Path | None,
    password: Path | None,
) -> "Destination":
    """What the words of a command line mean. Raises BadProfile when they mean nothing."""
    from deid.cli.terminal import say
    from deid.forward.scu import Destination
    from deid.network.tls import LiveContext, Tls

    found = _PEER.fullmatch(peer)
    if found is None or not 0 < int(found[4]) < 1 << 16:
        raise BadProfile("the peer is not named as AE@HOST:PORT, with an AE title of at most 16 characters")
    if not re.fullmatch(r"[ -\[\]-~]{1,16}", calling):
        raise BadProfile("our own AE title has 1 to 16 characters, and no backslash")
    if bool(certificate) != bool(key) or (password and not key) or (certificate and not authorities):
        raise BadProfile("--tls-certificate and --tls-key go together, and both with --tls-authorities")
    tls = None
    if authorities is not None:
        tls = LiveContext(Tls(authorities, certificate, key, password), server=False, say=say)
    return Destination(found[1].strip(), found[2] or found[3], int(found[4]), calling, tls)
