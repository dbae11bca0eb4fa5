#!/usr/bin/env python3
"""Keeps sdk/iq/abi.h such that a plugin built with any released minor of it goes on working.

    guard.py check     [--header abi.h] [--released FOLDER]
    guard.py release   [--header abi.h] [--released FOLDER]

check    Fails, with one line for each reason, unless the header only appends to every released minor,
         has a higher minor where it differs from the newest at all, and tells why in .abi-history.
release  Freezes the header's minor: FOLDER/1.N/iq/abi.h, and its layout as abidw reads it from debug
         information, FOLDER/1.N/abi.xml. Build the frozen plugins beside them by hand: README.md.

Needs cc, and abidw and abidiff of Debian's abigail-tools. abidiff alone cannot tell an append from a
break: its suppressions let a reordered structure pass (libabigail 2.2).
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
FROZEN = {"iq_str", "iq_value", "iq_manifest"}
# What tells of the version may change with it.
FREE_MACROS = {"IQ_ABI_MINOR", "IQ_USE_MINOR"}


def run(*command, folder=None):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def dump(header):
    """The layout of the header's types, as XML."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "iq").mkdir()
        shutil.copy(header, folder / "iq" / "abi.h")
        shutil.copy(HERE / "anchor.c", folder)
        run("cc", "-g", "-std=c99", "-shared", "-fPIC", f"-DIQ_USE_MINOR={minor(header)}u", "-I.",
            "-o", "anchor.so", "anchor.c", folder=folder)
        return run("abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs",
                   "--no-elf-needed", folder / "anchor.so")


def macros(header):
    """Its constants: macros whose body is a number or a string."""
    text = run("cc", "-E", "-dM", "-x", "c", header)
    found = re.findall(r'^#define (IQ_\w+) (\(?-?\d+u?\)?|".*")$', text, re.MULTILINE)
    return {name: body for name, body in found if name not in FREE_MACROS}


def minor(header):
    return int(re.search(r"^#define IQ_ABI_MINOR (\d+)u$", header.read_text(), re.MULTILINE)[1])


class Layout:
    """The structures of one dump: by name, a list of (offset in bits, field, type in words)."""

    def __init__(self, text):
        root = xml.etree.ElementTree.fromstring(text)
        self._by_id = {each.get("id"): each for each in root.iter() if each.get("id")}
        self.structures = {
            each.get("name"): self._fields(each) for each in root.iter("class-decl")
            if each.get("is-declaration-only") != "yes" and each.get("is-anonymous") != "yes"}

    def _fields(self, structure):
        return [(int(member.get("layout-offset-in-bits") or 0), member.find("var-decl").get("name"),
                 self._words(member.find("var-decl").get("type-id")))
                for member in structure.findall("data-member")]

    def _words(self, type_id):
        """The type spelled out, down to structures with a name: those are compared on their own."""
        each = self._by_id[type_id]
        target = each.get("type-id")
        if each.tag == "pointer-type-def":
            return self._words(target) + "*"
        if each.tag == "qualified-type-def":
            return "const " + self._words(target)
        if each.tag == "typedef-decl":
            return self._words(target)
        if each.tag == "array-type-def":
            return f"{self._words(target)}[{each.get('size-in-bits')} bits]"
        if each.tag == "function-type":
            taken = ", ".join(self._words(one.get("type-id")) for one in each.findall("parameter"))
            return f"{self._words(each.find('return').get('type-id'))}({taken})"
        if each.get("is-anonymous") == "yes":
            return f"{each.tag} {self._fields(each)}"
        return each.get("name")


def breaks(old, new):
    """Why a plugin built with `old` could misread a host of `new`."""
    for name, fields in old.structures.items():
        there = new.structures.get(name)
        if there is None:
            yield f"{name} is gone"
            continue
        for position, field in enumerate(fields):
            now = there[position] if position < len(there) else None
            if now != field:
                yield f"{name}: field {position + 1} was {field}, is {now}"
                break
        else:
            if name in FROZEN and len(there) > len(fields):
                yield f"{name} is frozen, and has grown"


def changed_macros(old, new):
    for name, body in old.items():
        if new.get(name) != body:
            yield f"{name} was {body}, is {new.get(name, 'gone')}"


def check(header, released):
    faults = []
    text = dump(header)
    layout = Layout(text)
    for name in re.findall(r"^typedef struct (\w+) \{", header.read_text(), re.MULTILINE):
        if name not in layout.structures:
            faults.append(f"anchor.c does not reach {name}: mention it there")
    now = minor(header)
    known = sorted(int(each.name.split(".")[1]) for each in released.glob("1.*"))
    for each in known:
        folder = released / f"1.{each}"
        faults += [f"against 1.{each}: {fault}"
                   for fault in breaks(Layout((folder / "abi.xml").read_text()), layout)]
        faults += [f"against 1.{each}: {fault}"
                   for fault in changed_macros(macros(folder / "iq" / "abi.h"), macros(header))]
    newest = known[-1]
    if now not in (newest, newest + 1):
        faults.append(f"IQ_ABI_MINOR is {now}; {newest} is released, so it is {newest} or {newest + 1}")
    if now == newest and differs(released / f"1.{newest}" / "abi.xml", text):
        faults.append(f"the layout differs from 1.{newest}, which is released: raise IQ_ABI_MINOR")
    history = (released / ".abi-history").read_text()
    if not re.search(rf"^1\.{now}: \S", history, re.MULTILINE):
        faults.append(f".abi-history has no line that begins with 1.{now}: and tells what came")
    return faults


def differs(released_dump, text):
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as current:
        current.write(text)
        current.flush()
        done = subprocess.run(["abidiff", released_dump, current.name], capture_output=True)
        return done.returncode != 0


def release(header, released):
    folder = released / f"1.{minor(header)}"
    if folder.exists():
        sys.exit(f"{folder} is there: what is released does not change")
    (folder / "iq").mkdir(parents=True)
    shutil.copy(header, folder / "iq" / "abi.h")
    (folder / "abi.xml").write_text(dump(header))
    print(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["check", "release"])
    parser.add_argument("--header", type=pathlib.Path, default=HERE.parent / "iq" / "abi.h")
    parser.add_argument("--released", type=pathlib.Path, default=HERE)
    given = parser.parse_args()
    if given.verb == "release":
        return release(given.header, given.released)
    faults = check(given.header, given.released)
    for fault in faults:
        print(f"{given.header.name}: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
