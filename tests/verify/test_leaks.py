"""Values of the original that stand in the published bytes, however they are written there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "WindowCenterWidthExplanation"  # LO, kept by every profile
KOREAN = "\\ISO 2022 IR 149"
JAPANESE = "\\ISO 2022 IR 87"


def _iso2022_kr(text: str) -> bytes:
    return b"".join(b"\x1b$)C" + part.encode("euc_kr") for part in text.split("|"))


@pytest.mark.parametrize(
    "text",
    [
        b"lesion of 1.2.3.4.5.6.1, left",
        b"a\\1.2.3.4.5.6.1",
        b"<Study>1.2.3.4.5.6.1</Study>",
        b"uid=1.2.3.4.5.6.1",
    ],
)
@pytest.mark.parametrize("vr", ["LO", "OB"])
def test_a_uid_is_found_whatever_stands_beside_it(text: bytes, vr: str, survives: Callable[..., set[str]]) -> None:
    assert survives({"StudyInstanceUID": b"1.2.3.4.5.6.1"}, {TEXT: text}, vr=vr) == {TEXT}
    assert not survives({"StudyInstanceUID": b"1.2.3.4.5.6.1"}, {TEXT: text.replace(b"6.1", b"6.11")}, vr=vr)


@pytest.mark.parametrize("number", [b"1234567", b"01234567", b" 1234567 ", b"1\\1234567", b"1234567.0"])
@pytest.mark.parametrize("attribute", ["SeriesNumber", "RescaleIntercept"])
def test_an_identifier_is_found_in_numbers(attribute: str, number: bytes, survives: Callable[..., set[str]]) -> None:
    assert survives({"AccessionNumber": b"1234567"}, {attribute: number}) == {attribute}


@pytest.mark.parametrize("number", [b"0.1234567", b"11234567", b"1234567.5", b"1234567e3"])
def test_a_part_of_a_number_is_no_identifier(number: bytes, survives: Callable[..., set[str]]) -> None:
    assert not survives({"PatientID": b"1234567"}, {"RescaleIntercept": number})
    assert not survives({"PatientID": b"12345"}, {"RescaleIntercept": b"12345"})
    assert not survives({"PatientBirthDate": b"19561203"}, {"RescaleIntercept": b"0.19561203"})


def test_words_are_found_where_numbers_should_be(survives: Callable[..., set[str]]) -> None:
    assert survives({"PatientName": b"Kim^Ji"}, {"SeriesNumber": b"KIM"}) == {"SeriesNumber"}
    assert survives({"StudyInstanceUID": b"1.2.3.4"}, {"SeriesNumber": b"1.2.3.4"}) == {"SeriesNumber"}


@pytest.mark.parametrize("text", ["홍길동", "길동 홍", "홍 길동", "환자홍길동님"])
@pytest.mark.parametrize("codec", ["euc_kr", "utf-8"])
def test_a_korean_name_is_found(text: str, codec: str, survives: Callable[..., set[str]]) -> None:
    name = b"Hong^Gildong=" + _iso2022_kr("洪^|吉洞") + b"=" + _iso2022_kr("홍^|길동")
    written = _iso2022_kr(text) if codec == "euc_kr" else text.encode()
    assert survives({"PatientName": name}, {TEXT: written}, charset=KOREAN) == {TEXT}


@pytest.mark.parametrize("text", ["山田太郎", "山田", "太郎 山田", "患者山田太郎", "山田^太郎"])
@pytest.mark.parametrize("codec", ["iso2022_jp", "utf-8"])
def test_a_japanese_name_is_found(text: str, codec: str, survives: Callable[..., set[str]]) -> None:
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう".encode("iso2022_jp")
    assert survives({"PatientName": name}, {TEXT: text.encode(codec)}, charset=JAPANESE) == {TEXT}
    assert not survives({"PatientName": name}, {TEXT: "山本次郎".encode(codec)}, charset=JAPANESE)


def test_a_name_is_found_in_half_width_letters(survives: Callable[..., set[str]]) -> None:
    original = {"PatientName": "ﾔﾏﾀﾞ^ﾀﾛｳ".encode("shift_jis")}
    assert survives(original, {TEXT: "ヤマダ".encode()}, charset="ISO_IR 13") == {TEXT}


@pytest.mark.parametrize(("charset", "codec"), [("ISO_IR 192", "utf-8"), ("GB18030", "gb18030")])
def test_a_name_is_found_inside_text_without_spaces(
    charset: str, codec: str, survives: Callable[..., set[str]]
) -> None:
    original = {"PatientName": "Zhang^Wei=张^伟".encode(codec)}
    for text in ("患者张伟肝脏", "患者Zhang肝脏", "张 伟"):
        assert survives(original, {TEXT: text.encode(codec)}, charset=charset) == {TEXT}
    assert not survives(original, {TEXT: "患者张力肝脏".encode(codec)}, charset=charset)


@pytest.mark.parametrize(
    ("charset", "codec", "name", "text"),
    [
        ("ISO_IR 144", "iso8859-5", "Иванов^Пётр", "ИВАНОВ"),
        ("ISO_IR 101", "iso8859-2", "Wałęsa^Łucja", "WAŁĘSA"),
        ("ISO_IR 126", "iso8859-7", "Παπάς^Νίκος", "ΠΑΠΆΣ"),
        ("ISO_IR 100", "latin-1", "Müller^Jörg", "MÜLLER"),
        ("", "utf-8", "MÜLLER^JÖRG", "Müller"),
    ],
)
def test_a_name_is_found_in_capitals_of_its_own_alphabet(
    charset: str, codec: str, name: str, text: str, survives: Callable[..., set[str]]
) -> None:
    original = {"PatientName": name.encode(codec)}
    assert survives(original, {TEXT: f"of {text}, left".encode(codec)}, charset=charset) == {TEXT}
    assert survives(original, {TEXT: text.encode()}, charset=charset) == {TEXT}
    assert not survives(original, {TEXT: f"{text}ab".encode(codec)}, charset=charset)


def test_a_place_is_found_in_another_encoding(survives: Callable[..., set[str]]) -> None:
    original = {"InstitutionName": "放射線科本館".encode("iso2022_jp")}  # a backslash is half of one of these letters
    assert survives(original, {TEXT: "放射線科本館".encode()}, charset=JAPANESE) == {TEXT}
    assert not survives(original, {TEXT: b"4[b\0 2JK 4 b"}, charset=JAPANESE, vr="OB")


@pytest.mark.parametrize(
    ("name", "attribute", "text"),
    [
        (b"Meyer^Anna", "SegmentLabel", b"Meyer lesion 1"),
        (b"Meyer^Anna", "SequenceName", b"Meyer_t1"),
        (b"Kim^Ji", "ContentLabel", b"KIM"),
        (b"Kim^Ji", "ContentLabel", b"KIM LIVER"),
        (b"Kim^Ji", "GraphicLayer", b"KIM"),
        (b"Philips^Anna", "Manufacturer", b"for Anna Philips"),
    ],
)
def test_a_name_is_found_among_makers_words_and_codes(
    name: bytes, attribute: str, text: bytes, survives: Callable[..., set[str]]
) -> None:
    assert survives({"PatientName": name}, {attribute: text}) == {attribute}


@pytest.mark.parametrize(
    ("attribute", "value", "uid"),
    [
        ("PatientBirthDate", b"19561203", b"1.2.3.4.19561203.1"),
        ("AccessionNumber", b"2023001234", b"1.2.3.2023001234.1"),
        ("PatientID", b"MRN-123456", b"1.2.3.4.123456.1"),
        ("PatientID", b"4711-0815", b"1.2.3.4.47110815.1"),
        ("PatientID", b"1.2.840.113619.2.55.470815", b"1.2.840.113619.2.55.470815.1"),
        ("PatientID", b"123456789", b"1.2.3.4.12345678901.1"),
        ("AccessionNumber", b"RAD2023001234", b"1.2.3.992023001234007"),
    ],
)
def test_a_kept_uid_that_is_made_of_an_identifier_is_found(
    attribute: str, value: bytes, uid: bytes, survives: Callable[..., set[str]]
) -> None:
    assert survives({attribute: value}, {"StudyInstanceUID": uid}, "retain-uids") == {"StudyInstanceUID"}
    assert not survives({attribute: value}, {"StudyInstanceUID": b"1.2.3.4.5"}, "retain-uids")
    uuid = b"2.25." + re.sub(rb"[^0-9]", b"", value).rjust(38, b"7")
    assert not survives({attribute: value}, {"StudyInstanceUID": uuid}, "retain-uids")


@pytest.mark.parametrize(
    "text",
    [
        b"1956/12/3",
        b"1956-12-03",
        b"03DEC1956",
        b"3dec1956",
        b"3 December 1956",
        b"1956 Dec 3",
        b"DOB19561203",
        b"195612031200",
        b"12/03/56",
        b"03.12.56",
        b"56-12-03",
    ],
)
def test_a_birth_date_is_found_in_other_spellings(text: bytes, survives: Callable[..., set[str]]) -> None:
    assert survives({"PatientBirthDate": b"19561203"}, {TEXT: b"born " + text}) == {TEXT}


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("19500312", "12 mars 1950|12. März 1950|12 MARZO 1950|12 de marzo de 1950|12 de março de 1950|12 maart 1950"),
        ("19500312", "12 marca 1950|12 марта 1950|12. marts 1950|12. mar 1950|the 12th of March, 1950|1950 mrt 12"),
        ("19500801", "1er août 1950|1 aout 1950|1. August 1950|01 de agosto del 1950|1 августа 1950|1 sierpnia 1950"),
        ("19500505", "5. Mai 1950|5 mayo 1950|05 maggio 1950|5 de maio de 1950|5 mei 1950|5 maja 1950|5. maj 1950"),
        ("19500505", "5/05/1950|5th May 1950|May 5th, 1950|1950-05-5|5 мая 1950"),
        ("19501003", "3 out 1950|3 ott 1950|3. Okt. 1950|3 października 1950|3º de octubre de 1950"),
    ],
)
def test_a_date_is_found_in_the_words_of_other_languages(
    day: str, said: str, survives: Callable[..., set[str]]
) -> None:
    original = {"PatientBirthDate": day.encode(), "StudyDate": day.encode()}
    for text in said.split("|"):
        for written in (text, text.upper()):
            assert survives(original, {TEXT: f"x {written} y".encode()}, charset="ISO_IR 192") == {TEXT}, written
        assert not survives(original, {TEXT: text.replace("1950", "1951").encode()}, charset="ISO_IR 192"), text
    assert not survives(original, {TEXT: b"2 mars 1950, 12 avril 1950, mars 1950"})


@pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO_IR 101", "ISO_IR 144"])
def test_a_month_is_read_in_the_character_set_of_its_text(charset: str, survives: Callable[..., set[str]]) -> None:
    codec, month = {
        "ISO_IR 100": ("latin-1", "Août"), "ISO_IR 101": ("iso8859-2", "września"), "ISO_IR 144": ("iso8859-5", "мая"),
    }[charset]  # fmt: skip
    number = {"Août": "08", "września": "09", "мая": "05"}[month]
    original = {"StudyDate": f"1950{number}12".encode()}
    assert survives(original, {TEXT: f"12 {month} 1950".encode(codec)}, charset=charset) == {TEXT}


@pytest.mark.parametrize(
    "text",
    [
        *("1956-12-03T10:30:00", "T1956-12-03", "03DEC56", "3dec56", "DEC031956", "3.XII.1956", "3rd of December '56"),
        *("561203", "031256", "120356", "561203-1234", "031256A123", "3/12/56", "1956338", "1956-338"),
        *("1956年12月3日", "1956년 12월 3일"),
    ],
)
def test_a_birth_date_is_found_wherever_its_numbers_begin_and_end(text: str, survives: Callable[..., set[str]]) -> None:
    original = {"PatientBirthDate": b"19561203"}
    assert survives(original, {TEXT: f"x {text}".encode()}, charset="ISO_IR 192") == {TEXT}
    other = text.replace("3", "5")
    assert not survives(original, {TEXT: f"x {other}".encode()}, charset="ISO_IR 192")


@pytest.mark.parametrize("number", ["561203", "1956338"])
def test_a_birth_date_of_few_digits_may_be_a_time_a_code_or_a_number(
    number: str, survives: Callable[..., set[str]]
) -> None:
    original = {"PatientBirthDate": b"19561203"}
    for attribute in ("CodeValue", "StudyTime", "SeriesNumber", "SoftwareVersions"):
        assert not survives(original, {attribute: number.encode()}), attribute


def test_two_digits_stand_for_the_year_of_birth_alone(survives: Callable[..., set[str]]) -> None:
    assert not survives({"StudyDate": b"20201203"}, {TEXT: b"20/12/03, 201203"})
    assert not survives({"PatientBirthDate": b"19561203"}, {TEXT: b"719561203"})


def test_text_in_a_large_binary_value_is_found(survives: Callable[..., set[str]]) -> None:
    original = {"PatientName": b"Doe^John", "PatientID": b"PAT12345"}
    for text in (b"Name: Doe^John ", "Name: Doe^John".encode("utf-16-le"), b"\1\2ID: PAT12345\3"):
        assert survives(original, {TEXT: bytes(range(256)) * 300 + text + bytes(9)}, vr="OB") == {TEXT}
        for vr in ("OF", "OD", "OL", "OV"):
            assert survives(original, {TEXT: bytes(range(256)) + text + bytes(9)}, vr=vr) == {TEXT}
            assert not survives(original, {TEXT: b"\x01doe\x02john\x03" * 3}, vr=vr)
    assert not survives(original, {TEXT: b"\x01doe\x02john\x03" * 10000}, vr="OB")


@pytest.mark.parametrize(
    ("charset", "codecs", "name", "other"),
    [
        ("ISO_IR 100", ["latin-1", "utf-8", "utf-16-le"], "Müller", "Mülner"),
        ("ISO_IR 144", ["iso8859-5", "utf-8", "utf-16-le"], "Иванов", "Ивашов"),
        ("GB18030", ["gb18030", "utf-8", "utf-16-le"], "诸葛孔明", "诸葛孔星"),
    ],
)
def test_a_name_in_other_letters_is_found_in_a_large_binary_value(
    charset: str, codecs: list[str], name: str, other: str, survives: Callable[..., set[str]]
) -> None:
    original = {"PatientName": name.encode(codecs[0])}
    for codec in codecs:
        for written in (name, name.upper()):
            content = bytes(range(256)) * 300 + written.encode(codec) + bytes(range(256))
            assert survives(original, {TEXT: content}, charset=charset, vr="OB") == {TEXT}
        content = bytes(range(256)) * 300 + other.encode(codec) + bytes(range(256))
        assert not survives(original, {TEXT: content}, charset=charset, vr="OB")


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le"])
def test_a_name_is_found_in_binary_data_without_its_accents(codec: str, survives: Callable[..., set[str]]) -> None:
    for name, written in (("Пётр", "Петр"), ("Νίκος", "Νικος"), ("Müller", "Muller")):
        original = {"PatientName": name.encode()}
        assert survives(original, {TEXT: b"\1" + written.encode(codec)}, charset="ISO_IR 192", vr="OB") == {TEXT}, name


def test_a_name_in_utf_16_may_look_like_ascii(survives: Callable[..., set[str]]) -> None:
    name = "乎乏"  # in UTF-16, bytes of ASCII alone
    original = {"PatientName": name.encode()}
    assert name.encode("utf-16-le").isascii()
    assert survives(original, {TEXT: name.encode("utf-16-le")}, charset="ISO_IR 192", vr="OB") == {TEXT}


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "gb18030"])
def test_a_name_in_other_letters_is_found_in_binary_data(codec: str, survives: Callable[..., set[str]]) -> None:
    original = {"PatientName": "张^伟".encode("gb18030")}
    found = {TEXT: b"\xff\xfe\x81" + "张伟".encode(codec) + b"\xff\x81"}
    assert survives(original, found, charset="GB18030", vr="OB") == {TEXT}
    assert not survives(original, {TEXT: b"\xff\xfe\x81" + "张力".encode(codec)}, charset="GB18030", vr="OB")


@pytest.mark.parametrize("vr", ["FD", "UL", "AT", "SV"])
def test_a_name_is_found_where_numbers_should_be(vr: str, survives: Callable[..., set[str]]) -> None:
    name = {"PatientName": b"Quillfeather^Ann"}
    assert survives(name, {"TableOfXBreakPoints": b"QUILLFEATHER ANN"}, vr=vr) == {"TableOfXBreakPoints"}
    assert not survives(name, {"TableOfXBreakPoints": bytes(range(16))}, vr=vr)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MUELLER^HANS^PETER", "MuellerHansPeter HANSPETERMUELLER PETERMUELLER1 HMueller muellerh Muller"),
        (
            "MUELLER^HANS^PETER",
            "M|U|E|L|L|E|R H.MUEL-LER H|ANS_MUEL|LER Mueller1 2023MUELLER MuellerLiver TumorMueller Müller2 Hans_1",
        ),
        ("Müller^Jörg", "MULLER jmueller MÜLLER1 JoergMueller"),
        ("DOE, JANET", "JanetDoe janetdoe DOEJANET"),
        ("ONEILL^PAT", "O'Neill O`NEILL O-Neill"),
        ("O'Neill^Pat", "ONeill Oneill1"),
        ("MACDONALD^ANN", "Mac|Donald Mac-Donald McX_MacDonald"),
        ("VANDERBERG^JAN", "van|der|Berg Van-Der-Berg"),
        ("Meyer-Schmidt^Eva", "MeyerSchmidt MEYERSCHMIDT"),
        ("Li^Na", "LiNa"),
    ],
)
def test_a_name_is_found_wherever_its_parts_begin_and_end(
    name: str, said: str, survives: Callable[..., set[str]]
) -> None:
    for text in said.split():
        written = f"x {text.replace('|', ' ')} y".encode()
        assert survives({"PatientName": name.encode()}, {TEXT: written}, charset="ISO_IR 192") == {TEXT}, text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Ross^Carl", "cross section"),
        ("Lane^Peter", "scan plane"),
        ("Mueller^Hans", "muellerite"),
        ("Ann^Lee", "scanned"),
    ],
)
def test_a_name_within_a_longer_word_is_none(name: str, text: str, survives: Callable[..., set[str]]) -> None:
    assert not survives({"PatientName": name.encode()}, {TEXT: text.encode()})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("JOSE^GARCIA", "García José"),
        ("WALESA^LECH", "Wałęsa"),
        ("YILDIZ^ISIK", "Yıldız"),  # noqa: RUF001 - a Turkish letter
        ("Wałęsa^Łucja", "Walesa Lucja"),
        ("Ørsted^Åse", "Orsted Oersted Ase"),
        ("Đorđević^Ana", "Dordevic Djordjevic"),
        ("Иванов^Юрий", "Ivanov IURII Yuriy"),
        ("IVANOV^YURIY", "Иванов ЮРИЙ"),
        ("Παπαδόπουλος^Νίκος", "Papadopoulos NIKOS"),
        ("PAPADOPOULOS^NIKOS", "ΠΑΠΑΔΌΠΟΥΛΟΣ Νίκος"),
    ],
)
def test_a_name_is_found_in_the_letters_it_was_copied_to(
    name: str, said: str, survives: Callable[..., set[str]]
) -> None:
    for text in said.split():
        written = {TEXT: f"x {text} y".encode()}
        assert survives({"PatientName": name.encode()}, written, charset="ISO_IR 192") == {TEXT}, text


@pytest.mark.parametrize(
    "text", ["«Wolf»", "»Wolf«", "Wolf·CT", "Wolf°", "Wolf®", "Wolf÷2", "Wolf\u0387x", "Wo\u00adlf"]
)
def test_a_name_is_found_between_signs_that_are_no_letters(text: str, survives: Callable[..., set[str]]) -> None:
    assert survives({"PatientName": b"Wolf^Anna"}, {TEXT: text.encode()}, charset="ISO_IR 192") == {TEXT}
    assert not survives({"PatientName": b"Wolf^Anna"}, {TEXT: "Wolfß wolfµ".encode()}, charset="ISO_IR 192")


@pytest.mark.parametrize("codec", ["utf-8", "latin-1"])
def test_dates_and_places_are_found_between_middle_dots(codec: str, survives: Callable[..., set[str]]) -> None:
    original = {"StudyDate": b"20210517", "InstitutionName": b"Klinikum Hohenfels"}
    charset = "ISO_IR 192" if codec == "utf-8" else "ISO_IR 100"
    for text in ("·17·05·2021", "Klinikum·Hohenfels"):
        assert survives(original, {TEXT: text.encode(codec)}, charset=charset) == {TEXT}


@pytest.mark.parametrize("where", ["CodeMeaning", "LUTExplanation", "Radiopharmaceutical"])
def test_the_whole_name_of_anybody_is_found_in_what_a_department_makes_up(
    where: str, survives: Callable[..., set[str]]
) -> None:
    for text in (b"Biopsy Hedwig House", b"Dr. House, Hedwig"):
        assert survives({"ReferringPhysicianName": b"House^Hedwig"}, {where: text}) == {where}
    assert not survives({"ReferringPhysicianName": b"House^Hedwig"}, {where: b"in house"})


def test_the_whole_name_of_anybody_is_found_in_a_private_creator(survives: Callable[..., set[str]]) -> None:
    creator = {"(2001,0010)": b"HEDWIG HOUSE"}
    assert survives({"OperatorsName": b"House^Hedwig"}, creator, "retain-safe-private") == {"(2001,0010)"}


def test_an_accession_number_is_found_in_what_is_kept_on_purpose(survives: Callable[..., set[str]]) -> None:
    kept = {"DeviceDescription": b"for ACC998877"}
    found = survives({"AccessionNumber": b"ACC998877"}, kept, "retain-device-identity")
    assert found == {"DeviceDescription"}


@pytest.mark.parametrize("where", ["Manufacturer", "CodeMeaning"])
def test_a_whole_name_is_found_in_its_usual_order(where: str, survives: Callable[..., set[str]]) -> None:
    for text in (b"for Dr. John Quincy Doe", b"DOE JOHN QUINCY", b"John Doe", b"JohnQuincyDoe"):
        assert survives({"PatientName": b"Doe^John^Quincy^Dr."}, {where: text}) == {where}


@pytest.mark.parametrize(
    ("identifier", "said"),
    [
        ("1234567", "123 4567|123-4567|12.345.67|0001234567|ID1234567|1234567A|MRN0001234567"),
        ("123456789", "123-45-6789|123 45 6789"),
        ("MRN-123456", "123456|patient 000123456|MRN123456"),
        ("AB12345C", "AB 12345 C|ab-12345-c|AB12345/C"),
        ("00123456", "123-456|123456|00123-456"),
        ("0012345", "12345"),
        ("123456^^^&2.16.840.1.113883.3.1&ISO", "123456"),
    ],
)
def test_an_identifier_is_found_in_parts_and_without_its_letters(
    identifier: str, said: str, survives: Callable[..., set[str]]
) -> None:
    original = {"PatientID": identifier.encode()}
    for text in said.split("|"):
        assert survives(original, {TEXT: f"x, {text}, y".encode()}) == {TEXT}, text
    assert not survives(original, {TEXT: b"1 2 3 4 5 6 7 8 9"})
    assert not survives(original, {"CodingSchemeUID": b"2.16.840.1.113883.6.96"})


def test_digits_of_an_identifier_may_be_a_time_a_code_or_a_number(survives: Callable[..., set[str]]) -> None:
    original = {"PatientID": b"MRN-123456"}
    for attribute in ("CodeValue", "StudyTime", "SeriesNumber", "SoftwareVersions"):
        assert not survives(original, {attribute: b"123456"}), attribute


def test_a_date_and_a_uid_are_found_in_utf_16(survives: Callable[..., set[str]]) -> None:
    original = {"StudyDate": b"20200304", "StudyInstanceUID": b"1.2.3.4.5"}
    for text in ("20200304", "1.2.3.4.5"):
        assert survives(original, {TEXT: text.encode("utf-16-le")}, vr="OB") == {TEXT}


@pytest.mark.parametrize("vr", ["UN", "OB"])
def test_text_of_another_vr_is_read_as_text(vr: str, survives: Callable[..., set[str]]) -> None:
    original = {"PatientName": b"Mueller^Hans", "PatientID": b"1234567"}
    for text in (b"MuellerHans1", b"Mueller2", b"ID 123-4567\0"):
        assert survives(original, {TEXT: text}, vr=vr) == {TEXT}, text
        assert not survives(original, {TEXT: b"\1\2" + text + b"\3"}, vr="OB"), text


def test_an_accession_number_is_found_in_a_code(survives: Callable[..., set[str]]) -> None:
    assert survives({"AccessionNumber": b"2023001234"}, {"CodeValue": b"2023001234"}) == {"CodeValue"}


def test_a_telephone_number_is_found_without_its_separators(survives: Callable[..., set[str]]) -> None:
    original = {"PatientTelephoneNumbers": b"+49 (30) 555-1234"}
    for text in (b"call 49305551234", b"4930 555 1234", b"+49-30-5551234"):
        assert survives(original, {TEXT: text}) == {TEXT}


def test_what_stands_where_a_uid_should_is_searched(survives: Callable[..., set[str]]) -> None:
    original = {"PatientName": b"Doe^John", "PatientID": b"1234567", "PatientBirthDate": b"19561203"}
    for uid in (b"Doe^John", b"1.2.3.1234567", b"1.2.3.19561203", b"1.2.03121956.1"):
        for attribute in ("CodingSchemeUID", TEXT):
            assert survives(original, {attribute: uid}, vr="UI") == {attribute}


def test_a_uid_that_was_made_of_another_is_found(survives: Callable[..., set[str]]) -> None:
    original = {"StudyInstanceUID": b"1.2.840.113619.2.55.3.604"}
    assert survives(original, {TEXT: b"see 1.2.840.113619.2.55.3.604.1.7"}) == {TEXT}
    assert not survives(original, {TEXT: b"see 1.2.840.113619.2.55.3.6041"})
    assert not survives({"DeviceUID": b"1.2.840.113619"}, {TEXT: b"see 1.2.840.113619.2.55"})


@pytest.mark.parametrize(
    ("attribute", "value", "text"),
    [
        ("NameToUse", b"Bobby", b"for Bobby"),
        ("CameraOwnerName", b"Quillfeather, Ann", b"of quillfeather"),
        ("InsurancePlanIdentification", b"AOK-4711", b"AOK4711"),
        ("SpecimenAccessionNumber", b"S23-12345", b"slide S23-12345"),
        ("PerformedStationName", b"LONGWARD-2", b"at longward 2"),
        ("ScheduledStudyLocation", b"Northwing", b"NORTHWING"),
    ],
)
def test_what_identifies_besides_by_its_name(
    attribute: str, value: bytes, text: bytes, survives: Callable[..., set[str]]
) -> None:
    assert survives({attribute: value}, {TEXT: text}) == {TEXT}


def test_a_long_word_beside_another_letter_is_read_in_one_pass(survives: Callable[..., set[str]]) -> None:
    original = {"PatientName": "Müller^Jörg".encode()}
    text = b"a" * 1_000_000 + " é muller".encode()  # with a step back for each letter this would take hours
    assert survives(original, {TEXT: text}, charset="ISO_IR 192", vr="UT") == {TEXT}
