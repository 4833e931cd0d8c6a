#!/usr/bin/python3
"""A step of a route as a program: gives each person of a document a given and a family name.

Standard input: <people><person name="Lovelace, Ada"/>…</people>; standard output: the same with the attributes given and family.
Exit status: 0 done; 65 this document can never work (the first word on standard error is a code that people can look up);
75 try again later. Headers of the message are variables: CLRBUS_HEADER_NAME is the name of the file, if there is one.
"""
import sys
import xml.etree.ElementTree as tree

BAD_DATA = 65


def refuse(code):
    # A code, and nothing of the data: what stands here may come before people who must not see it.
    print(code, file=sys.stderr)
    sys.exit(BAD_DATA)


def main():
    root = tree.parse(sys.stdin.buffer).getroot()
    if root.tag != "people":
        refuse("NOT-PEOPLE")
    for person in root.iter("person"):
        family, comma, given = person.get("name", "").partition(",")
        if not comma or not family.strip() or not given.strip():
            refuse("NAME-FORM")
        person.set("family", family.strip())
        person.set("given", given.strip())
    tree.ElementTree(root).write(sys.stdout.buffer, encoding="utf-8")


main()
