#!/usr/bin/env python3
"""Writes random transcripts that are valid against our schemas: every optional element comes and goes, texts are blank, long, foreign.

usage: pesc_random.py VERSION SEED COUNT FOLDER      VERSION: 1.0 to 1.9, or none
"""

import os
import random
import sys
import xml.etree.ElementTree as ET

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
XS = "{http://www.w3.org/2001/XMLSchema}"
SIGNS = "ABCDEFGHIJ klmnopqrst 0123456789.,&<>'\"éß漢 -/|#\t"
PATTERNS = {"[0-9]{9}": lambda r: f"{r.randrange(10**9):09d}", "[0-9]{4}": lambda r: f"{r.randrange(10**4):04d}", "[0-9]{4}-[0-9]{4}": lambda r: "2020-2021",
            "[A-Za-z]{2}[A-Za-z0-9]{5}": lambda r: "US1a2b3", "(--)?[0-9]{2}-[0-9]{2}": lambda r: "05-06"}


class Writer:
    def __init__(self, version, seed):
        self.version, self.random, self.types, self.groups = version, random.Random(seed), {}, {}
        files = ["codes", "codes-wide", "values", "people", "course", "record", "no-namespace" if version == "none" else "standard",
                 "standing-detail" if version == "1.9" else "standing-code"]
        for name in files:
            for node in ET.parse(os.path.join(ROOT, "xsd/pesc", name + ".xsd")).getroot():
                if node.tag in (XS + "simpleType", XS + "complexType"):
                    self.types[node.get("name")] = node
                elif node.tag == XS + "group":
                    self.groups[node.get("name")] = node

    def document(self):
        self.density = self.random.choice((0.2, 0.4, 0.6))
        space = "" if self.version == "none" else f"{{urn:org:pesc:message:CollegeTranscript:v{self.version}.0}}"
        root = ET.Element(space + "CollegeTranscript")
        self.fill(root, self.types["Transcript"], 0)
        return ET.tostring(root, encoding="utf-8", xml_declaration=True)

    def fill(self, element, model, depth):
        r = self.random
        for node in model:
            absent = node.get("minOccurs") == "0"
            if node.tag == XS + "sequence":
                self.fill(element, node, depth)
            elif node.tag == XS + "choice":
                if not (absent and r.random() < 0.5):
                    self.fill(element, [r.choice(list(node))], depth)
            elif node.tag == XS + "group":
                if not (absent and r.random() < 0.5):
                    self.fill(element, self.groups[node.get("ref")], depth)
            elif node.tag == XS + "any":
                ET.SubElement(element, "{urn:example:extension}any")
            elif node.tag == XS + "element":
                least, most = int(node.get("minOccurs", "1")), node.get("maxOccurs", "1")
                most = least + 3 if most == "unbounded" else int(most)
                count = least
                while count < most and r.random() < self.density * (0.75 if depth > 3 else 1):
                    count += 1
                for _ in range(count):
                    self.build(ET.SubElement(element, node.get("name")), node.get("type"), depth + 1)

    def build(self, element, type_name, depth):
        kind = self.types.get(type_name.split(":")[-1]) if not type_name.startswith("xs:") else None
        if kind is not None and kind.tag == XS + "complexType":
            self.fill(element, kind, depth)
        else:
            element.text = self.text(type_name)

    def text(self, type_name):
        r = self.random
        if type_name.startswith("xs:"):
            return self.plain(type_name)
        kind = self.types[type_name.split(":")[-1]]
        union = kind.find(XS + "union")
        if union is not None:
            return self.text(union.get("memberTypes").split()[0])
        limits = kind.find(XS + "restriction")
        values = [v.get("value") for v in limits.findall(XS + "enumeration")]
        if values:
            return r.choice(values)
        facets = {f.tag[len(XS):]: f.get("value") for f in limits}
        if "pattern" in facets:
            return PATTERNS[facets["pattern"]](r)
        if "totalDigits" in facets:
            return r.choice(("1", "2.5", "3.125"))
        if "minInclusive" in facets:
            return str(r.randint(1, 99))
        if limits.get("base") == "xs:anyURI":
            return "http://example.org/legend"
        if {"length", "minLength", "maxLength"} & facets.keys():
            low = int(facets.get("length", facets.get("minLength", 0)))
            high = int(facets.get("length", facets.get("maxLength", 1500)))
            size, kind = r.choice((low, high, r.randint(low, high), min(high, max(low, 6)))), r.random()
            if kind < 0.08:
                return " " * size
            if kind < 0.16:
                return "9" * size
            if kind < 0.24:
                return ("http://example.org/a b" * 100)[:size]
            return "".join(r.choice(SIGNS) for _ in range(size))
        return self.text(limits.get("base"))

    def plain(self, name):
        r = self.random
        day = f"{r.randint(1990, 2030)}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}"
        return {"xs:date": day + r.choice(("", "", "Z", "+05:00")), "xs:dateTime": f"{day}T10:11:12{r.choice(('', '.5', '.1234567'))}{r.choice(('', 'Z', '-05:00'))}",
                "xs:boolean": r.choice(("true", "false", "0", "1")), "xs:decimal": r.choice(("3", "3.0", "-1.50", ".5", "+4", " 7 ", "100.")),
                "xs:integer": str(r.randint(1, 99)), "xs:positiveInteger": str(r.randint(1, 99)), "xs:gYear": day[:4], "xs:gYearMonth": r.choice((day[:7], "20010-01", day[:7] + "Z")),
                "xs:gMonthDay": "--" + day[5:], "xs:string": r.choice(("", "  ", "x", "y" * 1200)), "xs:token": r.choice(("", " a  b ", "tok"))}[name]


def main():
    if len(sys.argv) != 5:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    version, seed, count, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    os.makedirs(folder, exist_ok=True)
    writer = Writer(version, seed)
    for i in range(count):
        with open(os.path.join(folder, f"{version}-{i:04d}.xml"), "wb") as out:
            out.write(writer.document())
    return 0


if __name__ == "__main__":
    sys.exit(main())
