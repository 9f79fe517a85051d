"""De-identification: what of PS3.15 Annex E is carried out, and what an object says of it afterwards."""

from __future__ import annotations

from typing import Final

from deid.attributes import claims, dummies
from deid.attributes.keys import KEY_BYTES
from deid.conformance.markdown import table
from deid.profile import document
from deid.profile.document import SHIFT_DAYS
from deid.profile.options import CLEAN_PIXEL_DATA, OPTIONS
from deid.profile.shipped import shipped
from deid.standard.codes import CODES
from deid.standard.dictionary import name_of
from deid.standard.private import safe_elements
from deid.standard.table import EDITION, rows, supplement

_BURNED_IN: Final = 0x00280301
_CLAIMS: Final = {
    claims.PATIENT_IDENTITY_REMOVED: "YES; NO where a rule keeps a direct identifier on purpose",
    claims.METHOD: f"`{claims.OURS}`, behind what earlier steps have written",
    claims.METHOD_CODES: "the codes below, behind those of earlier steps; no code of ours where (0012,0062) is NO",
    claims.TEMPORAL_INFORMATION: (
        f"UNMODIFIED with {CODES['retain-full-dates'][0]} or where a true date or time stays, else MODIFIED with"
        f" {CODES['retain-modified-dates'][0]}, else REMOVED; never less than an earlier step has said"
    ),
    _BURNED_IN: f"NO, only with {CODES[CLEAN_PIXEL_DATA][0]}",
}
_ONLY_WHERE: Final = {
    CLEAN_PIXEL_DATA: "the object was searched, masked where text was found, and verified",
    "retain-safe-private": "a private element stays",
}
_ABOUT: Final = (
    ("Removed and replaced attributes", "those of the table, by their actions; `deid profile explain` tells each"),
    (
        "Dummy values",
        (
            f"`{dummies.WORD}` and other constants that the VR allows; Patient ID, Accession Number and Study ID become"
            " digits, UIDs become `2.25.` and digits, derived from the original by HMAC-SHA-256"
        ),
    ),
    ("Referential integrity", "among all objects, at any time and place, that are de-identified with the same key"),
    ("Key", f"{8 * KEY_BYTES} bits, made at random or given by the user, in a file that its owner alone may read"),
    ("Encrypted attributes, their transfer syntaxes", "none"),
    ("Inserted attributes", "those below; what a Type 1 or 2 attribute needs is dummy or empty"),
    (
        "Modified dates",
        (
            f"all of a patient move by the same number of days, from {SHIFT_DAYS[0]} to {SHIFT_DAYS[1]} where the"
            " profile says nothing else, derived from the key and the patient"
        ),
    ),
    ("Retained private attributes", f"the {len(safe_elements())} of PS3.15 Table E.3.10-1, with that option alone"),
    ("Clean Pixel Data", "text that is found is filled, in every frame; what cannot be cleaned is held"),
)


def confidentiality() -> str:
    """The section."""
    options = ((name, f"PS3.15 {each.clause}", *CODES[name], _carried_out(name)) for name, each in OPTIONS.items())
    profiles = ((name, ", ".join(document.load(name).options) or "none") for name in shipped())
    said = ((f"({tag >> 16:04X},{tag & 0xFFFF:04X})", name_of(tag), value) for tag, value in _CLAIMS.items())
    return (
        "## 5 De-identification\n\n"
        "The gateway, `deid run` and the Python interface are de-identifiers (PS3.15 E.1.1) for the Basic Application"
        f" Level Confidentiality Profile, edition {EDITION}: each of the {len(rows())} rows of Table E.1-1, at every"
        f" depth of a data set, and {len(supplement())} rows of our own for attributes that the table leaves out."
        " Attributes that PS3.6 does not know, and private ones, are removed. There is no re-identifier (E.1.2): no"
        " Encrypted Attributes are written. The bytes of each result are searched for identifying values of its"
        " original before it is released; what fails is held. What cannot be carried out is refused, never ignored.\n\n"
        + table(("Option", "Clause", "Code (CID 7050)", "Meaning", "Carried out"), options)
        + "\n\nProfiles that come with the program, each the Basic Profile with these options; a profile of the user's"
        " own chooses options, and makes exceptions with a reason for each:\n\n"
        + table(("Profile", "Options"), profiles)
        + "\n\nWhat PS3.15 E.1.3 asks for besides:\n\n"
        + table(("About", "Here"), _ABOUT)
        + "\n\nWhat a released object says, computed from what was done to it:\n\n"
        + table(("Tag", "Attribute", "Value"), said)
        + f"\n\nOf codes, {CODES['basic'][0]}, {CODES['basic'][1]}, is always there, and those of the options chosen. "
        + " ".join(f"{CODES[name][0]} is there only where {when}." for name, when in _ONLY_WHERE.items())
    )


def _carried_out(name: str) -> str:
    option = OPTIONS[name]
    return "yes" if option.available else f"no: refused, this version {option.why_not}"
