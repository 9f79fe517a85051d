"""Days in words: months of some languages, ordinal numbers, and what stands between a day, its month and its year."""

from __future__ import annotations

from typing import Final

_NAMES: Final = (
    "january jan januar janvier janv jänner jaenner enero ene gennaio gen janeiro januari stycznia января янв",
    "february feb februar février fevrier févr fevr febrero febbraio fevereiro fev februari lutego февраля фев",
    "march mar märz maerz mär mrz mars marzo março marco maart mrt marca marts марта мар",
    "april apr avril avr abril abr aprile kwietnia апреля апр",
    "may mai mayo maggio mag maio mei maja maj мая май",
    "june jun juni juin junio giugno giu junho czerwca июня июн",
    "july jul juli juillet juil julio luglio lug julho lipca июля июл",
    "august aug août aout agosto ago augustus augusti sierpnia августа авг",
    "september sep sept septembre septiembre setiembre set settembre setembro września сентября сен сент",
    "october oct oktober okt octobre octubre ottobre ott outubro out października октября окт",
    "november nov novembre noviembre novembro listopada ноября ноя",
    "december dec dezember dez décembre decembre déc diciembre dic dicembre dezembro grudnia декабря дек",
)
"""In English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Russian and the languages of Scandinavia."""
_ROMAN: Final = "i ii iii iv v vi vii viii ix x xi xii"
_ENDINGS: Final = ("st", "nd", "rd", "th", "er", "o")  # of ordinals; the last is º, as NFKC writes it
_MONTH: Final = {
    name.encode(): b"%02d" % number
    for written in (_NAMES, _ROMAN.split())
    for number, names in enumerate(written, 1)
    for name in names.split()
}
_NUMBER: Final = _MONTH | {f"{day}{ending}".encode(): b"%d" % day for day in range(1, 32) for ending in _ENDINGS}
_SIGNS: Final = frozenset(sign.encode() for sign in "年月日년월일")  # behind a year, a month and a day
_BETWEEN: Final = frozenset((b"of", b"the", b"de", b"del")) | _SIGNS


def in_numbers(words: list[bytes]) -> list[bytes]:
    """The words of a text with numbers for its months and ordinals; nothing where no month is among them."""
    if _MONTH.keys().isdisjoint(words) and _SIGNS.isdisjoint(words):
        return []
    return [_NUMBER.get(word, word) for word in words if word not in _BETWEEN]
