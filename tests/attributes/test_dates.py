from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.attributes.dates import keep_timezone, shift

DAYS = st.integers(-36_500, 36_500)
DATES = st.dates(date(200, 1, 1), date(9800, 12, 31))


@pytest.mark.parametrize(
    ("vr", "value", "days", "shifted"),
    [
        ("DA", b"20240229", 1, b"20240301"),
        ("DA", b"20230228", 1, b"20230301"),
        ("DA", b"20240301", -1, b"20240229"),
        ("DA", b"20231231", 1, b"20240101"),
        ("DA", b"19000301", -1, b"19000228"),
        ("DA", b"1999.12.31", 1, b"2000.01.01"),
        ("DA", b"20240229 ", 1, b"20240301"),
        ("DA", b"20240229\0", 1, b"20240301"),
        ("DA", b"20240101\\20240201", 1, b"20240102\\20240202"),
        ("DA", b"20240101\\\\20240201", 1, b"20240102\\\\20240202"),
        ("DA", b"20240101-20240131", 1, b"20240102-20240201"),
        ("DA", b"20240101-", 1, b"20240102-"),
        ("DA", b"-20240131", 1, b"-20240201"),
        ("DA", b"202401", 31, b"202402"),
        ("DA", b"2024", -366, b"2023"),
        ("DA", b"2024.01", 31, b"2024.02"),
        ("DA", b"", 1, b""),
        ("DA", b"  ", 1, b""),
        ("TM", b"235960", 1, b"235960"),
        ("TM", b"235959.999999", 1, b"235959.999999"),
        ("TM", b"23", 1, b"23"),
        ("TM", b"2359", 1, b"2359"),
        ("TM", b"23:59:59.5", 1, b"23:59:59.5"),
        ("TM", b"1200-1300", 1, b"1200-1300"),
        ("TM", b"1200\\1300 ", 1, b"1200\\1300"),
        ("DT", b"20240229235959.123456+0130", 1, b"20240301235959.123456+0130"),
        ("DT", b"20240229235960-1200", 1, b"20240301235960-1200"),
        ("DT", b"2024022923", 1, b"2024030123"),
        ("DT", b"20240229", 1, b"20240301"),
        ("DT", b"202402", 31, b"202403"),
        ("DT", b"2024", 366, b"2025"),
        ("DT", b"2024-0500", 366, b"2025-0500"),
        ("DT", b"20240101-20240131", 1, b"20240102-20240201"),
        ("DT", b"20240101-0500-20240131-0500", 1, b"20240102-0500-20240201-0500"),
        ("DT", b"202401011200+0100-", 1, b"202401021200+0100-"),
        ("DT", b"20240101\\20240102", 1, b"20240102\\20240103"),
        ("DA", b"00010201", -31, b"00010101"),
        ("DA", b"99991201", 30, b"99991231"),
    ],
)
def test_every_form_of_a_date_and_a_time(vr: str, value: bytes, days: int, shifted: bytes) -> None:
    assert shift(vr, value, days) == shifted


@pytest.mark.parametrize(
    ("vr", "value", "days"),
    [
        ("DA", b"20230229", 1),
        ("DA", b"20241301", 1),
        ("DA", b"20240100", 1),
        ("DA", b"00000000", 1),
        ("DA", b"00010101", -1),
        ("DA", b"99991231", 1),
        ("DA", b"2024-01-01", 1),
        ("DA", b"2024.0101", 1),
        ("DA", b"1 JAN 2024", 1),
        ("DA", b"20240101120000", 1),
        ("DA", b"20240101\\DOE^JOHN", 1),
        ("DA", b"20240101-DOE", 1),
        ("DA", b"-", 1),
        ("DA", "\uff12\uff10\uff12\uff140101".encode(), 1),  # digits, but not of ASCII
        ("DA", b"20240101\xb9", 1),
        ("TM", b"240000", 1),
        ("TM", b"236000", 1),
        ("TM", b"235961", 1),
        ("TM", b"120000.1234567", 1),
        ("TM", b"1200.5", 1),
        ("TM", b"20240101", 1),
        ("DT", b"20240230120000", 1),
        ("DT", b"20240101120000+1500", 1),
        ("DT", b"20240101120000Z", 1),
        ("DT", b"2024-01-01T12:00:00", 1),
        ("DT", b"Jan 1st", 1),
    ],
)
def test_what_is_no_date_or_time_is_not_understood(vr: str, value: bytes, days: int) -> None:
    assert shift(vr, value, days) is None


@given(DATES, DATES, DAYS)
def test_order_and_differences_are_kept(one: date, other: date, days: int) -> None:
    moved = [shift("DA", f"{each.year:04}{each:%m%d}".encode(), days) for each in (one, other)]
    assert moved[0] is not None
    assert moved[1] is not None
    new = [date(int(each[:4]), int(each[4:6]), int(each[6:])) for each in moved if each]
    assert new[0] - new[1] == one - other
    assert new[0] == one + timedelta(days)


@given(DATES, DAYS, st.integers(0, 6), st.sampled_from(["", "+0000", "-1130", "+1400"]))
def test_a_date_time_keeps_its_time_of_day_to_the_last_digit(day: date, days: int, digits: int, zone: str) -> None:
    time = "010203" + ("." + "123456"[:digits] if digits else "") + zone
    moved = shift("DT", f"{day.year:04}{day:%m%d}{time}".encode(), days)
    assert moved is not None
    assert moved[8:].decode() == time
    assert moved[:8] == shift("DA", f"{day.year:04}{day:%m%d}".encode(), days)


@given(st.sampled_from(["DA", "TM", "DT"]), st.binary(max_size=40), DAYS.filter(bool))
def test_nothing_but_digits_and_their_punctuation_ever_passes(vr: str, value: bytes, days: int) -> None:
    moved = shift(vr, value, days)
    assert moved is None or set(moved) <= set(b"0123456789.:+-\\")


@given(st.sampled_from(["DA", "DT"]), st.from_regex(r"[0-9]{8}", fullmatch=True), DAYS.filter(bool))
def test_a_whole_date_never_stays(vr: str, value: str, days: int) -> None:
    moved = shift(vr, value.encode(), days)
    assert moved is None or not moved.startswith(value.encode())


@pytest.mark.parametrize("value", [b"+0130", b"-1200", b"+1400 ", b""])
def test_a_time_zone_stays(value: bytes) -> None:
    assert keep_timezone(value) == value.strip()


@pytest.mark.parametrize("value", [b"+2500", b"CET", b"0100", b"+01:30", b"+0130 DOE", b"+\xb9\xb900"])
def test_what_is_no_time_zone_does_not(value: bytes) -> None:
    assert keep_timezone(value) is None
