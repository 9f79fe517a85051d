"""`deid profile`: which rules there are, and what they mean for an attribute."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

import re
from pathlib import Path
from typing import Annotated

import typer

from deid.cli.job import Options, Profile
from deid.errors import BadProfile

app = typer.Typer(no_args_is_help=True, help="See which rules there are, and what they mean for an attribute.")

PIXEL_DATA = 0x7FE00010
ITEMS_KEPT = "kept; in its items each attribute has a rule of its own"


@app.command("list")
def list_all() -> None:
    """List the shipped profiles, the options of PS3.15, and the shipped device rules.

    Says of each option whether this version can carry it out.
    """
    from deid.cli.terminal import table
    from deid.profile import devices, document
    from deid.profile.options import OPTIONS
    from deid.profile.shipped import shipped

    profiles = ((name, ", ".join(document.load(name).options) or "none") for name in shipped())
    table(profiles, header=("profile", "its options"))
    typer.echo("")
    options = (
        (option.name, option.clause, "yes" if option.available else f"refused: this version {option.why_not}")
        for option in OPTIONS.values()
    )
    table(options, header=("option", "PS3.15", "available"))
    typer.echo("")
    rules = ((name, devices.parse(path.read_text("utf-8"), path.name)) for name, path in shipped("devices").items())
    table(
        ((name, "; ".join(rule.name for rule in each)) for name, each in rules),
        header=("devices", "rectangles are for"),
    )


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What is shipped; 'deid profile list' names it.")],
) -> None:
    """Print a shipped profile, or shipped device rules.

    To read it, or to start your own from it.
    """
    from deid.profile.shipped import shipped

    known = {**shipped(), **shipped("devices")}
    if name not in known:
        raise BadProfile(f"unknown profile {name!r}; shipped: {', '.join(known)}")
    typer.echo(known[name].read_text(encoding="utf-8"), nl=False)


@app.command()
def explain(
    attribute: Annotated[str, typer.Argument(metavar="ATTRIBUTE", help="PatientSex, or 0010,0040.")],
    *,
    profile: Profile = "default",
    option: Options = None,
    sop_class: Annotated[
        str | None,
        typer.Option(
            metavar="UID|NAME",
            help="Say it for objects of this SOP Class, such as CTImageStorage: what an object must have is not"
            " removed from it.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Say what happens to an attribute, and why.

    It is said for the top level of an object; in the items of a sequence it may be another.
    """
    from deid.cli.terminal import table
    from deid.profile.options import CLEAN_PIXEL_DATA, nearest
    from deid.profile.plan import load_plan
    from deid.profile.rule import MEANING
    from deid.standard import dictionary, iods, uids

    tag = dictionary.tag_of(attribute)
    if tag is None:
        raise BadProfile(f"unknown attribute {attribute!r}{nearest(attribute, dictionary.keywords())}")
    uid = _sop_class(sop_class) if sop_class else ""
    attributes = iods.attributes_of(uid)
    plan = load_plan(profile, option or ())
    rule = plan.decide(tag, attributes)
    because = rule.because
    it_is = ITEMS_KEPT if rule.action == "K" and dictionary.vr_of(tag) == "SQ" else MEANING[rule.action]
    if tag == PIXEL_DATA and plan.pixels:
        it_is, because = f"searched for text, which is masked; {plan.pixels}", f"option {CLEAN_PIXEL_DATA}"
    rows = [
        ("attribute", dictionary.name_of(tag)),
        ("tag", f"({tag >> 16:04X},{tag & 0xFFFF:04X})"),
        ("in", uids.name_of(uid)),
        ("Type", (attributes.type_of(tag) or "no part of this SOP Class") if attributes else ""),
        ("action", rule.action.value),
        ("it is", it_is),
        ("because", because),
    ]
    table(row for row in rows if row[1])


@app.command()
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="A profile of your own.")]) -> None:
    """Read a profile file as 'deid run' would.

    Names the first thing that is wrong with it.
    """
    from deid.profile.plan import load_plan
    from deid.profile.shipped import WORD

    # "./": here even a file without ending is a file, and not the name of a shipped profile.
    plan = load_plan(f"./{file}" if WORD.fullmatch(str(file)) else str(file))
    lacking = "" if plan.claims_removed_identity else "; it keeps identifiers, so the output makes no claim"
    options = ", ".join(sorted(plan.options)) or "none"
    typer.echo(f"{file}: ok; base {plan.document.base}, options: {options}, rules: {len(plan.document.rules)}{lacking}")
    if plan.pixels:
        typer.echo(f"pixels: {plan.pixels}")


@app.command()
def import_ctp(
    script: Annotated[
        Path, typer.Argument(metavar="SCRIPT", help="For CTP's DicomPixelAnonymizer: signatures and rectangles.")
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the rules here, where no file is yet. Default: print them."),
    ] = None,
) -> None:
    """Make device rules from a script for CTP's pixel anonymizer.

    What cannot be said in a rule is named with its line, and nothing is written.
    """
    from deid.cli.terminal import say
    from deid.profile import ctp, strict_yaml

    rules = ctp.rules_of(strict_yaml.text_of(script, script.name), script.name)
    made = ctp.as_yaml(rules, script.name)
    if out is None:
        typer.echo(made, nl=False)
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(made)
    except OSError as error:
        raise BadProfile(f"{out} cannot be written: {error.strerror}") from None
    say(f'{out}: {len(rules)} rules. Next: "pixels: {{devices: {out.name}}}" in a profile beside it')


def _sop_class(word: str) -> str:
    """The UID of a SOP Class that a person means by its UID, keyword or name."""
    from deid.profile.options import nearest
    from deid.standard import data_files, iods

    if re.fullmatch(r"[0-9.]+", word):
        return word
    # PS3.6 Annex A makes keywords from names by leaving out what is no letter or digit.
    classes = {
        re.sub(r"[^A-Za-z0-9]", "", row["name"]): row["uid"]
        for row in data_files.rows("uids.csv")
        if iods.attributes_of(row["uid"])
    }
    wanted = re.sub(r"[^A-Za-z0-9]", "", word).lower()
    for keyword, uid in classes.items():
        if keyword.lower() == wanted:
            return uid
    raise BadProfile(f"unknown SOP Class {word!r}{nearest(word, classes)}")
