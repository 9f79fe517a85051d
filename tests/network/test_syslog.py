"""Messages reach a repository framed, and count as sent only when it has read them all."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from deid.errors import Deferred
from deid.network.syslog import NOTICE, WARNING, Record, Repository
from deid.network.tls import LiveContext
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import AuditRepository, Pki, Programs

TIME = "2026-11-28T12:00:00.000+00:00"
RECORDS = [Record(TIME, NOTICE, b"<a/>"), Record(TIME, WARNING, "<b>ü</b>".encode())]


@pytest.fixture
def plain(audit_repository: AuditRepository) -> Iterator[AuditRepository]:
    made = type(audit_repository)(None)
    yield made
    made.close()


def there(repository: AuditRepository, pki: Pki, name: str = "ct1", host: str = "localhost") -> Repository:
    live = LiveContext(pki.tls(name), server=False, say=lambda _: None)
    return Repository(host, repository.port, live, seconds=10.0)


def test_a_batch_arrives_whole_and_in_its_order(audit_repository: AuditRepository, pki: Pki) -> None:
    there(audit_repository, pki).send(RECORDS * 500)
    assert audit_repository.documents() == [b"<a/>", "<b>ü</b>".encode()] * 500
    assert audit_repository.connections == 1


def test_the_header_is_that_of_rfc_5424(audit_repository: AuditRepository, pki: Pki) -> None:
    there(audit_repository, pki).send(RECORDS)
    first, second = audit_repository.messages
    assert first.startswith(b"<85>1 " + TIME.encode())  # facility 10, severity 5
    assert second.startswith(b"<84>1 ")
    head, _, _ = first.partition(b"\xef\xbb\xbf")
    assert head.split(b" ")[3:] == [b"deid-gateway", head.split(b" ")[4], b"DICOM+RFC3881", b"-", b""]


def test_in_the_clear_as_well(plain: AuditRepository) -> None:
    Repository("127.0.0.1", plain.port, seconds=10.0).send(RECORDS)
    assert len(plain.documents()) == 2


def test_what_was_read_in_part_counts_as_not_sent(audit_repository: AuditRepository, pki: Pki) -> None:
    audit_repository.most = 1000
    with pytest.raises(Deferred, match="has not confirmed"):
        there(audit_repository, pki).send(RECORDS * 50_000)


def test_a_connection_that_only_ends_is_no_confirmation(audit_repository: AuditRepository, pki: Pki) -> None:
    """Anybody on the way can end one."""
    audit_repository.confirms = False
    with pytest.raises(Deferred, match="has not confirmed"):
        there(audit_repository, pki).send(RECORDS)


@pytest.mark.parametrize("_", range(5))  # the alert comes early, or late
@pytest.mark.parametrize("name", ["revoked", "stranger"])
def test_a_repository_that_does_not_know_us_gets_nothing(
    audit_repository: AuditRepository, pki: Pki, name: str, _: int
) -> None:
    with pytest.raises(Deferred, match=r"certificate|connection"):
        there(audit_repository, pki, name).send(RECORDS)
    assert audit_repository.messages == []


def test_a_repository_by_another_name_gets_nothing(audit_repository: AuditRepository, pki: Pki) -> None:
    with pytest.raises(Deferred, match="no secure connection"):
        there(audit_repository, pki, host="::ffff:127.0.0.1").send(RECORDS)
    assert audit_repository.messages == []


def test_a_repository_that_drips_is_left() -> None:
    """Each byte comes long before any one read is over time, and the end never does."""
    left = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            for _ in range(500):
                if left.wait(0.02):
                    break
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with pytest.raises(Deferred, match=r"has not confirmed what was sent in \d+ seconds"):
                Repository("127.0.0.1", listener.getsockname()[1], seconds=0.5).send(RECORDS)
        finally:
            left.set()
            thread.join()


def test_nobody_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Deferred, match=f"the audit repository 127.0.0.1:{port} cannot be reached"):
        Repository("127.0.0.1", port).send(RECORDS)


@pytest.mark.skipif(not shutil.which("rsyslogd"), reason="rsyslog is not installed")
def test_rsyslog_has_all_that_counts_as_sent(pki: Pki, programs: Programs, tmp_path: Path) -> None:
    port, kept = free_port(), tmp_path / "kept"
    (tmp_path / "rsyslog.conf").write_text(f"""
global(defaultNetstreamDriverCAFile="{pki.folder}/ca.pem" defaultNetstreamDriverCertFile="{pki.folder}/gateway.pem"
       defaultNetstreamDriverKeyFile="{pki.folder}/gateway.key" maxMessageSize="64k" workDirectory="{tmp_path}")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
input(type="imtcp" port="{port}" ruleset="audit")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="audit") {{ action(type="omfile" file="{kept}" template="raw") }}
""")
    programs.start(["rsyslogd", "-n", "-f", str(tmp_path / "rsyslog.conf"), "-i", str(tmp_path / "pid")], port)
    live = LiveContext(pki.tls("ct1"), server=False, say=lambda _: None)
    Repository("localhost", port, live, seconds=30.0).send(RECORDS * 100)
    by = time.monotonic() + 60
    while not kept.exists() or kept.read_bytes().count(b"DICOM+RFC3881") < 200:
        assert time.monotonic() < by
        time.sleep(0.05)
    assert "<b>ü</b>".encode() in kept.read_bytes()
