"""What is ready is told, what is not comes with what to do, and nothing is downloaded but on demand."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deid.cli import doctor, fetch
from deid.errors import Rejected
from deid.pixels import craft, detector, looks, taught, tesseract, turbojpeg, video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WEIGHTS = b"weights of a network"


@pytest.fixture
def checks(deid: Callable[..., Any], tmp_path: Path) -> Callable[..., dict[str, tuple[str, str]]]:
    """What the doctor says of each thing."""

    def call(*words: object, code: int = 0) -> dict[str, tuple[str, str]]:
        said = deid("doctor", "--json", *(words or ("--state", tmp_path / "none")))
        assert said.code == code, said.out + said.err
        told = json.loads(said.out)
        assert told["ready"] == (code == 0)
        return {check["what"]: (check["state"], check["says"]) for check in told["checks"]}

    return call


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is installed but what every installation has, and no model."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(craft.FOLDER, str(tmp_path / "models"))
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    tesseract.engine.cache_clear()
    craft._network.cache_clear()


@pytest.mark.usefixtures("bare")
def test_what_every_installation_has_is_enough(checks: Callable[..., Any]) -> None:
    found = checks()
    assert found["engine rapidocr"] == ("ready", f"{looks.ENGINE}, {taught.VERSION}")
    assert found["engine easyocr"] == ("not installed", "pip install 'deid-gateway[easyocr]'")
    assert found["engine tesseract"] == ("not installed", "Debian: apt-get install tesseract-ocr")
    assert "pydicom 3" in found["libraries"][1]
    assert found["free space"][0] == "ready"


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("library", [None, object()])
def test_the_library_for_jpeg(library: object, checks: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turbojpeg, "installed", lambda: library)
    assert checks()["libturbojpeg"][0] == ("ready" if library else "not installed")


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(("there", "state"), [(True, "ready"), (False, "not installed")])
def test_what_decodes_video(
    there: object, state: str, checks: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "installed", lambda: there)
    found, says = checks()["video"]
    assert found == state
    assert there or "pip install 'deid-gateway[video]'" in says


@pytest.mark.usefixtures("bare")
def test_a_table_for_people(deid: Callable[..., Any], tmp_path: Path) -> None:
    said = deid("doctor", "--state", tmp_path / "none")
    assert said.code == 0
    assert f"engine rapidocr   ready          {looks.ENGINE}, {taught.VERSION}\n" in said.out


@pytest.mark.usefixtures("bare")
def test_an_extra_without_its_model_is_not_ready(checks: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda _: True)
    state, says = checks(code=3)["engine easyocr"]
    assert state == "NOT READY"
    assert "--fetch-models" in says


@pytest.mark.usefixtures("bare")
def test_an_engine_that_cannot_look_or_sees_nothing_is_not_ready(
    checks: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise Rejected("the model is gone: install it")

    monkeypatch.setattr(detector, "text_mask", broken)
    assert checks(code=3)["engine rapidocr"] == ("NOT READY", "the model is gone: install it")
    monkeypatch.setattr(detector, "text_mask", lambda picture, **_: np.zeros(picture.shape[:2], np.bool_))
    assert "does not find the text" in checks(code=3)["engine rapidocr"][1]


@pytest.mark.usefixtures("bare")
def test_the_state_folder(checks: Callable[..., Any], state: Path, tmp_path: Path) -> None:
    assert checks("--state", state)["state folder"] == ("ready", str(state))
    assert "first run makes it" in checks("--state", tmp_path / "none")["state folder"][1]
    state.chmod(0o755)
    status, says = checks("--state", state, code=3)["state folder"]
    assert status == "NOT READY"
    assert "chmod 700" in says


@pytest.mark.usefixtures("bare")
def test_little_space_is_told(checks: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE", 1 << 62)
    assert checks(code=3)["free space"][0] == "NOT READY"


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Serves a content, and lets EasyOCR say that its model is there."""
    served: list[bytes] = []

    class Serve(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(served[-1])

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Serve)
    Thread(target=server.serve_forever, daemon=True).start()
    where = f"http://127.0.0.1:{server.server_port}/model.zip"
    monkeypatch.setattr(fetch, "_address", lambda: where)
    yield served.append
    server.shutdown()
    server.server_close()


def archive(name: str = craft.MODEL) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr(name, WEIGHTS)
    return made.getvalue()


@pytest.mark.usefixtures("bare")
def test_the_model_is_fetched_when_asked_for(
    deid: Callable[..., Any], address: Callable[[bytes], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(craft, "SHA256", hashlib.sha256(WEIGHTS).hexdigest())
    address(archive())
    said = deid("doctor", "--fetch-models", "--state", tmp_path / "none")
    assert (said.code, said.err) == (0, "")
    assert craft.checked_model() == WEIGHTS
    assert [path.name for path in (tmp_path / "models").iterdir()] == [craft.MODEL]


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (archive(), "is not the model that was tested; nothing was written"),
        (archive("other"), f"cannot be downloaded (KeyError); on a machine with a network, unpack {craft.MODEL}"),
        (b"no archive", "cannot be downloaded (BadZipFile)"),
    ],
)
def test_what_is_not_the_model_is_not_kept(
    content: bytes, reason: str, deid: Callable[..., Any], address: Callable[[bytes], None], tmp_path: Path
) -> None:
    address(content)
    said = deid("doctor", "--fetch-models")
    assert said.code == 1
    assert reason in said.err
    assert not (tmp_path / "models").exists()


@pytest.mark.usefixtures("bare")
def test_without_a_network_it_says_what_to_copy(
    deid: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_address", lambda: "http://127.0.0.1:9/model.zip")
    said = deid("doctor", "--fetch-models")
    assert said.code == 1
    assert "Connection refused" in said.err
    assert f"copy it to {tmp_path / 'models'}" in said.err


@pytest.mark.usefixtures("bare")
@pytest.mark.skipif(find_spec("easyocr") is not None, reason="needs an installation without the extra [easyocr]")
def test_without_the_extra_nobody_knows_where_the_model_is(deid: Callable[..., Any]) -> None:
    said = deid("doctor", "--fetch-models")
    assert said.code == 1
    assert "pip install 'deid-gateway[easyocr]'" in said.err


@pytest.mark.skipif(find_spec("easyocr") is None, reason="needs the extra [easyocr]")
def test_easyocr_says_where_its_model_is() -> None:
    assert fetch._address().endswith("/craft_mlt_25k.zip")
