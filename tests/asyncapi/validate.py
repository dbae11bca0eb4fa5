#!/usr/bin/python3
"""Whether a document obeys a JSON Schema of draft 7.

    validate.py SCHEMA DOCUMENT

Prints each fault with its place, and fails when there is one. Debian's python3-jsonschema is what it
needs, so it is Debian's python3 that runs it.
"""
import json
import sys

import jsonschema


class OwnParts(jsonschema.RefResolver):
    """References to parts of the schema itself: #/…

    Without this, version 4.10 looks for the schema's ids first, and takes a property that is named $id for
    one.
    """

    def resolve(self, ref):
        return ref, self.resolve_fragment(self.referrer, ref.removeprefix("#"))


def innermost(error):
    """Of a choice with no fitting branch, what is wrong with the branch that comes closest."""
    best = jsonschema.exceptions.best_match([error])
    return best or error


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as schema_file:
        schema = json.load(schema_file)
    with open(sys.argv[2], encoding="utf-8") as document_file:
        document = json.load(document_file)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema, resolver=OwnParts.from_schema(schema))
    faults = [innermost(error) for error in validator.iter_errors(document)]
    for fault in faults:
        place = "/".join(str(step) for step in fault.absolute_path) or "the document"
        print(f"{place}: {fault.message[:300]}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
