#!/usr/bin/env python3
"""Compares a PESC college transcript with the canonical statement made of it.

usage: pesc_check.py SOURCE CANONICAL      two files, or two folders with files of the same names

Reads both by its own paths, written apart from the stylesheet: counts and values of courses, credits, grades, sessions, awards,
programs, honours, GPA summaries, tests, licences, notes and transfer schools must be the same; social security number and birth
date must not be in the output. Prints each difference by kind, never a value of a person. Ends with 0 when all agree, else 1.
"""

import os
import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter

LR = "{urn:clrbus:learner-record:1}"


def text(node, path=None):
    found = node if path is None else (node.find(path) if node is not None else None)
    return " ".join("".join(found.itertext()).split()) if found is not None else ""


def day(value):
    return value[:10] if re.match(r"\d{4}-\d\d-\d\d", value) else ""


def local(tag):
    return tag.rsplit("}", 1)[-1]


def of_source(root):
    """What the document says, kind -> multiset of values."""
    student = root.find("Student")
    sender = root.find("TransmissionData/Source/Organization")
    home = (text(sender, "OrganizationName").upper(), {(c.tag, text(c)) for c in sender if c.tag in CODES and text(c)})
    facts = {k: Counter() for k in KINDS}

    def away(*schools):
        """The name of the school that taught it, '' for the sender: the nearest one that is named."""
        for school in schools:
            if school is not None:
                name = text(school, "OrganizationName")
                codes = {(c.tag, text(c)) for c in school if c.tag in CODES and text(c)}
                return "" if name.upper() == home[0] or codes & home[1] else name or "unnamed"
        return ""

    def summary(node, where):
        gpa = node.find("GPA")
        if gpa is None:
            return
        for tag, kind in (("GradePointAverage", "gpa"), ("CreditHoursAttempted", "hours-attempted"),
                          ("CreditHoursEarned", "hours-earned"), ("TotalQualityPoints", "hours-points")):
            if gpa.find(tag) is not None:
                facts[kind][(where, text(gpa, tag))] += 1

    def program(node):
        if text(node):
            codes = [text(c) for c in node if c.tag.startswith("Program") and c.tag.endswith("Code")]
            name = text(node, "AcademicProgramName") or "".join(codes)
            if name:
                facts["program"][(name, text(node, "AcademicProgramType"), text(node, "ProgramCIPCode"))] += 1

    def award(node, school):
        level, done = text(node, "AcademicAwardLevel"), text(node, "AcademicCompletionIndicator").lower()
        date = day(text(node, "AcademicAwardDate") or text(node, "AcademicCompletionDate"))
        reached = done in ("true", "1") or (not done and date != "")
        facts["award"][(level, text(node, "AcademicAwardTitle"), date if reached else "", away(school))] += 1
        for p in node.findall("AcademicAwardProgram"):
            program(p)
            if p.find("ProgramSummary") is not None:
                summary(p.find("ProgramSummary"), "award")
        for s in node.findall("AcademicSummary"):
            summary(s, "award")
            if s.find("AcademicProgram") is not None:
                program(s.find("AcademicProgram"))
        for d in node.findall("AcademicDegreeRequirement"):
            if text(d, "ThesisDissertationTitle") or text(d, "URLAddress"):
                facts["thesis"][(text(d, "ThesisDissertationTitle") or "Thesis or dissertation")[:1000]] += 1

    def course(node, designator, *schools):
        code = " ".join((text(node, "CourseSubjectAbbreviation") + " " + text(node, "CourseNumber")).split())
        facts["course"][(designator, code, text(node, "CourseTitle") or code or "Course")] += 1
        facts["credits"][(code, text(node, "CourseCreditValue"), text(node, "CourseCreditEarned"), text(node, "CourseCreditUnits"),
                          text(node, "CourseCreditBasis"), text(node, "CourseQualityPointsEarned"))] += 1
        if text(node, "CourseAcademicGrade"):
            facts["grade"][(code, text(node, "CourseAcademicGrade"), text(node, "CourseAcademicGradeScaleCode"))] += 1
        if text(node, "CourseCIPCode"):
            facts["cip"][(code, text(node, "CourseCIPCode"))] += 1
        if text(node, "OriginalCourseID"):
            facts["original"][(code, text(node, "OriginalCourseID"))] += 1
        facts["taught-by"][(code, away(node.find("CourseOverrideSchool"), *schools))] += 1
        for outcome in node.findall("LearningOutcome"):
            facts["outcome"][text(outcome, "LearningOutcomeDescription") or "Learning outcome"] += 1

    for record in student.findall("AcademicRecord"):
        school = record.find("School")
        facts["record"][away(school)] += 1
        for node in record.findall("AcademicSummary"):
            summary(node, "record")
            if node.find("AcademicProgram") is not None:
                program(node.find("AcademicProgram"))
        for node in record.findall("AcademicAward"):
            award(node, school)
        for node in record.findall("Course"):
            course(node, "", school)
        for session in record.findall("AcademicSession"):
            detail = session.find("AcademicSessionDetail")
            designator = " ".join((text(detail, "SessionDesignator") + " " + text(detail, "SessionDesignatorSuffix")).split())
            facts["session"][(designator, text(detail, "SessionName"), day(text(detail, "SessionBeginDate")), day(text(detail, "SessionEndDate")))] += 1
            for node in session.findall("AcademicProgram"):
                program(node)
                if node.find("ProgramSummary") is not None:
                    summary(node.find("ProgramSummary"), "session")
            for node in session.findall("AcademicSummary"):
                summary(node, "session")
                if node.find("AcademicProgram") is not None:
                    program(node.find("AcademicProgram"))
            for node in session.findall("AcademicAward"):
                award(node, session.find("School") if session.find("School") is not None else school)
            for node in session.findall("Course"):
                course(node, designator, session.find("School"), school)
    for node in student.iter("AcademicHonors"):
        title = text(node, "HonorsTitle") or text(node, "HonorsLevel")
        if title:
            facts["honors"][(title, text(node, "HonorsLevel"))] += 1
    notes(root, False, facts["note"])
    for node in student.iter("Licensure"):
        facts["licence"][text(node, "LicensureName") or "License"] += 1
    for test in student.findall("Tests"):
        facts["test"][text(test, "TestName") or text(test, "TestCode") or text(test, "EducationTestCode") or "Test"] += 1
        for score in test.iter("TestScores"):
            if text(score, "ScoreValue") and text(score, "ScoreInvalidatedIndicator").lower() not in ("true", "1"):
                facts["score"][text(score, "ScoreValue")] += 1
    return facts


SILENT = "TransmissionData Person Health Contacts Delinquencies LanguageOfInstruction Language Name FrameworkSourceReference".split()


def notes(node, in_course, found):
    """Every NoteMessage but those of SILENT elements; what looks like a social security number is masked."""
    for child in node:
        if child.tag == "NoteMessage" and text(child):
            found[re.sub(r"\b(\d{3}-\d\d-\d{4}|\d{9})\b", "***", text(child))] += 1
        elif child.tag not in SILENT and not (in_course and child.tag in ("Requirement", "Attribute", "Proficiency")):
            notes(child, child.tag == "Course", found)


CODES = ("OPEID NCHELPID IPEDS ATP FICE ACT CCD PSS CEEBACT CSIS USIS ESIS PSIS DUNS MutuallyDefined APAS GEOCode GeoCode PSID LocalOrganizationID").split()
KINDS = ("record session course credits grade cip original taught-by outcome award thesis program honors gpa hours-attempted hours-earned "
         "hours-points licence test score note").split()
RESULTS = {"Credit hours attempted": "hours-attempted", "Credit hours earned": "hours-earned", "Quality points": "hours-points", "GPA": "gpa"}


def of_output(root):
    facts = {k: Counter() for k in KINDS}
    for note in root.iter(LR + "note"):
        if not text(note).startswith("A score was invalidated"):
            facts["note"][text(note)] += 1
    for a in root.findall(LR + "achievement"):
        name, code, kind = text(a, LR + "name"), text(a, LR + "code"), a.get("type")
        school = a.find(LR + "source-organization")
        school = school.get("name", "unnamed") if school is not None else ""
        session = a.find(LR + "session")
        session = session if session is not None else ET.Element("none")
        parts = a.get("key").split("|")
        if "|record|" in a.get("key"):
            where = "record"
            facts["record"][school] += 1
        elif kind == "ext:AcademicSession":
            where = "session"
            facts["session"][(session.get("designator"), session.get("name", ""), session.get("begin", ""), session.get("end", ""))] += 1
        elif kind == "Course":
            where = "course"
            facts["course"][(session.get("designator", ""), code, name)] += 1
            c = a.find(LR + "credits")
            facts["credits"][(code,) + tuple(c.get(k, "") for k in ("available", "earned", "units", "basis", "quality-points"))] += 1
            facts["taught-by"][(code, school)] += 1
            for r in a.findall(LR + "result"):
                if r.get("name") == "Final grade":
                    facts["grade"][(code, r.get("value"), r.get("scale", ""))] += 1
            for r in a.findall(LR + "alignment"):
                if r.get("framework") == "CIP":
                    facts["cip"][(code, r.get("code"))] += 1
            for r in a.findall(LR + "other-identifier"):
                if r.get("scheme") == "ext:original-course-id":
                    facts["original"][(code, r.get("value"))] += 1
        elif kind == "Assessment":
            where = "test"
            facts["test"][name] += 1
            for r in a.findall(LR + "result"):
                facts["score"][r.get("value")] += 1
        elif kind == "License":
            where = "licence"
            facts["licence"][name] += 1
        elif kind == "Competency" and "outcome" in parts:
            where = "outcome"
            facts["outcome"][name] += 1
        elif "|award|" in a.get("key"):
            where = "award"
            # A title that the source leaves out is filled in by the program or the level.
            facts["award"][(code, name, a.get("awarded", ""), school)] += 1
            for e in a.findall(LR + "evidence"):
                facts["thesis"][e.get("name")] += 1
        else:
            continue
        if where in ("record", "session", "award"):
            for p in a.findall(LR + "program"):
                facts["program"][(p.get("name"), p.get("type", ""), p.get("cip", ""))] += 1
            for r in a.findall(LR + "result"):
                kind = RESULTS.get(r.get("name").split(" (")[0])
                if kind:
                    facts[kind][(where, r.get("value"))] += 1
        for h in a.findall(LR + "honors"):
            if h.get("level") != "Prize":
                facts["honors"][(h.get("title"), h.get("level", ""))] += 1
    return facts


def same_awards(source, output):
    """Awards pair up when level, date and school agree and the title does; those without a title come last and take what is left."""
    left = list(output.elements())
    for level, title, date, school in sorted(source.elements(), key=lambda a: not a[1]):
        match = next((o for o in left if (o[0], o[2], o[3]) == (level, date, school) and (not title or o[1] == title)), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def differences(source, output):
    """What differs between two files, one line for each kind."""
    source, output = ET.parse(source).getroot(), ET.parse(output).getroot()
    if local(source.tag) != "CollegeTranscript" or output.tag != LR + "statement":
        return ["not a CollegeTranscript and a statement"]
    expected, found, lines = of_source(source), of_output(output), []
    for kind in KINDS:
        same = same_awards(expected[kind], found[kind]) if kind == "award" else expected[kind] == found[kind]
        if not same:
            lines.append(f"{kind}: {sum(expected[kind].values())} in the source, {sum(found[kind].values())} in the output, "
                         f"{sum((expected[kind] - found[kind]).values())} missing, {sum((found[kind] - expected[kind]).values())} too many")
    person, written = source.find("Student/Person"), ET.tostring(output, encoding="unicode")
    for secret in ("SSN", "SIN", "Birth/BirthDate"):
        value = text(person, secret)[:10]
        if re.fullmatch(r"[\d-]{8,}", value) and value in written and value not in elsewhere(source):
            lines.append(f"{secret}: found in the output")
    return lines


def elsewhere(source):
    """Days and texts that the document has elsewhere: an invented birth date or number may be one of them."""
    found = {day(text(node)) for record in source.iter("AcademicRecord") for node in record.iter() if local(node.tag).endswith("Date")}
    return found | {day(text(source, "TransmissionData/CreatedDateTime"))} | {"9" * 9}


def main():
    if len(sys.argv) != 3:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    source, output = sys.argv[1:]
    pairs = [(source, output)]
    if os.path.isdir(output):
        pairs = [(os.path.join(source, name), os.path.join(output, name)) for name in sorted(os.listdir(output))]
    wrong = 0
    for one, other in pairs:
        lines = differences(one, other)
        wrong += bool(lines)
        for line in lines:
            print(line if len(pairs) == 1 else f"{os.path.basename(other)}: {line}")
    print("agrees" if not wrong else f"{wrong} of {len(pairs)} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
