#!/usr/bin/env python3
"""tools/make-samples: the same seed gives the same bytes, every file is what the manifest says it is. Prints one line a case."""

import csv
import filecmp
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def make(folder, *options):
    subprocess.run([os.path.join(ROOT, "tools/make-samples"), folder, *options], check=True, stdout=subprocess.DEVNULL)


def files(folder):
    return sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names)


def same_seed_same_bytes(folder):
    one, two, other = (os.path.join(folder, n) for n in ("one", "two", "other"))
    make(one), make(two), make(other, "--seed", "2")
    assert files(one) == files(two), "other files"
    _, differ, failed = filecmp.cmpfiles(one, two, files(one), shallow=False)
    assert not differ and not failed, f"{len(differ)} files differ"
    assert filecmp.cmpfiles(one, other, ["people/people.csv"], shallow=False)[1], "another seed gives the same people"


def manifest_names_every_file(folder):
    one = os.path.join(folder, "one")
    manifest = json.load(open(os.path.join(one, "manifest.json"), encoding="utf-8"))
    assert sorted(f["file"] for f in manifest["files"]) + ["manifest.json"] == sorted(files(one), key=lambda n: (n == "manifest.json", n)), "files and manifest differ"
    assert {f["route"] for f in manifest["files"]} == {"people", "pesc", "canvas", "hr-csv", "oai-pmh"}
    assert len(manifest["twins"]) == 2 and len(manifest["blocked"]) == 1
    for entry in manifest["files"]:
        if entry["expect"] != "dead" and entry["file"].endswith(".xml"):
            ET.parse(os.path.join(one, entry["file"]))


def first_learner_is_known_to_all(folder):
    one = os.path.join(folder, "one")
    first = json.load(open(os.path.join(one, "manifest.json"), encoding="utf-8"))["first"]
    row = next(r for r in csv.DictReader(open(os.path.join(one, "people/people.csv"), encoding="utf-8")) if r["institution_id"] == first["institution-id"])
    assert f"<SchoolAssignedPersonID>{row['sis_id']}<" in open(os.path.join(one, "pesc/own-0001.xml"), encoding="utf-8").read()
    assert row["canvas_uuid"] in open(os.path.join(one, "canvas/outcome-1.json"), encoding="utf-8").read()
    assert row["hr_id"] in open(os.path.join(one, "hr-csv/student_jobs_2024-06.csv"), encoding="utf-8").read()
    assert row["orcid"] in open(os.path.join(one, "oai-pmh/listrecords-1.xml"), encoding="utf-8").read()


def many_of_each_kind(folder):
    many = os.path.join(folder, "many")
    for kind in ("pesc", "canvas", "people", "hr-csv", "oai-pmh"):
        make(many, "--count", "12", "--kind", kind)
    assert len(os.listdir(os.path.join(many, "pesc"))) == 12 and len(os.listdir(os.path.join(many, "canvas"))) == 12
    assert 60_000 < os.path.getsize(os.path.join(many, "pesc/000003.xml")) < 75_000, "a typical transcript has about 67 KB"


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in (same_seed_same_bytes, manifest_names_every_file, first_learner_is_known_to_all, many_of_each_kind):
            try:
                case(folder)
                print(f"ok {case.__name__}")
            except (AssertionError, OSError, subprocess.CalledProcessError, StopIteration, ET.ParseError) as why:
                failed += 1
                print(f"not ok {case.__name__}: {why}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
