from __future__ import annotations

import pytest

from deid.part10.charsets import encodings, readings


@pytest.mark.parametrize(
    ("charset", "value", "text"),
    [
        ("", b"Doe^John", "Doe^John"),
        ("ISO_IR 192", "Müller".encode(), "Müller"),
        ("ISO_IR 144", "Иванов".encode("iso8859-5"), "Иванов"),
        ("ISO_IR 101\\ISO 2022 IR 87", "Łucja".encode("iso8859-2"), "Łucja"),
        ("ISO 2022 IR 144", "Пётр".encode("iso8859-5"), "Пётр"),
        ("GB18030", "张伟".encode("gb18030"), "张伟"),
        ("", "Müller".encode(), "Müller"),  # not declared
        ("ISO_IR 100", "Müller".encode(), "Müller"),  # declared as something else
        ("", "Müller".encode("latin-1"), "Müller"),
        ("ISO_IR 192", "Müller".encode("latin-1"), "Müller"),
        ("no such set", "Müller".encode("latin-1"), "Müller"),
    ],
)
def test_a_value_is_read_as_it_was_meant(charset: str, value: bytes, text: str) -> None:
    assert readings(value, charset) == [text]


@pytest.mark.parametrize(
    ("value", "text"),
    [  # PS3.5 H.3 and I.2
        (
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        ),
        (
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        (b"Buc^J\x1b-A\xe9r\xf4me and \x1b-F\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Buc^Jérôme and Διονυσιος"),
        (b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", "Zhang^XiaoDong=张^小东"),
    ],
)
def test_escape_sequences_are_followed(value: bytes, text: str) -> None:
    assert readings(value, "ISO 2022 IR 13\\ISO 2022 IR 87") == [text]


def test_text_of_several_bytes_a_letter_may_be_valid_utf_8_by_chance() -> None:
    assert readings("小".encode("gbk"), "GBK") == ["小", "小".encode("gbk").decode()]


def test_a_word_is_known_in_binary_data() -> None:
    assert encodings("张伟", "GB18030") == {"张伟".encode(codec) for codec in ("utf-8", "utf-16-le", "gb18030")}
    assert "MÜLLER".encode("latin-1") in encodings("müller", "ISO_IR 100")
    assert not encodings("bä", "ISO_IR 100") & {"bä".encode("latin-1"), "bä".encode()}
