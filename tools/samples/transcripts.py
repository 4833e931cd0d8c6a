"""PESC college transcripts of several schools, in the versions that they send."""

import random
import xml.etree.ElementTree as ET

from .world import CATALOGUE, OUTCOMES, SCHOOLS

POINTS = {"A": 4.0, "A-": 3.7, "B+": 3.3, "B": 3.0, "B-": 2.7, "C+": 2.3, "C": 2.0, "D": 1.0, "F": 0.0}
GRADES = ["A"] * 5 + ["A-"] * 5 + ["B+"] * 4 + ["B"] * 4 + ["B-"] * 2 + ["C+", "C", "D", "F"]
STANDING = ("CollegeFirstYear", "CollegeSophomore", "CollegeJunior", "CollegeSenior")


def add(parent, path, text=None):
    """One element for each name of the path; the last gets the text."""
    for name in path.split("/"):
        parent = ET.SubElement(parent, name)
    if text is not None:
        parent.text = str(text)
    return parent


def organization(parent, school):
    node = add(parent, "Organization")
    if school.code_type == "PSID":
        add(node, "GeoCode", "XQ1100")
    add(node, school.code_type, school.code)
    add(node, "OrganizationName", school.name)
    return node


class Transcript:
    """One document, written step by step in the order that the standard asks for."""

    def __init__(self, school, learner, document_id, created, transmission="Original", document_type="StudentRequest", process="", complete=""):
        self.school, self.learner = school, learner
        self.document_id = document_id
        uri = f"urn:org:pesc:message:CollegeTranscript:v{school.version}.0" if school.version else ""
        self.root = ET.Element("CollegeTranscript")
        self.namespace = (school.prefix, uri)
        data = add(self.root, "TransmissionData")
        add(data, "DocumentID", document_id)
        add(data, "CreatedDateTime", created)
        add(data, "DocumentTypeCode", document_type)
        add(data, "TransmissionType", transmission)
        organization(add(data, "Source"), school)
        organization(add(data, "Destination"), SCHOOLS[0])
        if process:
            add(data, "DocumentProcessCode", process)
        if complete:
            add(data, "DocumentCompleteCode", complete)
        self.student = add(self.root, "Student")

    def person(self, number):
        person = add(self.student, "Person")
        if number:
            add(person, "SchoolAssignedPersonID", number)
        if self.school.version:
            add(person, "SSN", self.learner.ssn)
            add(person, "Birth/BirthDate", self.learner.birth)
        else:
            birth = add(person, "Birth")
            add(birth, "Birthdate", self.learner.birth)
            add(birth, "Birthday", self.learner.birth[5:])
        name = add(person, "Name")
        add(name, "FirstName", self.learner.given)
        add(name, "LastName", self.learner.family)

    def record(self, sessions, award=None, level=None, transfer=None):
        """sessions: [(year, month, name, [course])]; course: (subject, cip, number, title, credits, grade)."""
        record = add(self.student, "AcademicRecord")
        add(record, "StudentLevel/StudentLevelCode", level or STANDING[min(len(sessions) // 2, 3)])
        everything = [c for s in sessions for c in s[3]]
        if award:
            self.award(record, award, everything)
        self.summary(record, everything, "All")
        for year, month, name, courses in sessions:
            session = add(record, "AcademicSession")
            detail = add(session, "AcademicSessionDetail")
            add(detail, "SessionDesignator", f"{year}-{month:02d}")
            add(detail, "SessionName", name)
            add(detail, "SessionType", "Semester")
            add(detail, "SessionSchoolYear", f"{year - (month < 7)}-{year - (month < 7) + 1}")
            add(detail, "SessionBeginDate", f"{year}-{month:02d}-{'15' if month == 1 else '01'}")
            add(detail, "SessionEndDate", f"{year}-{'05-10' if month == 1 else '12-15'}")
            for course in courses:
                self.course(session, course)
            summary = self.summary(session, courses, "SenderOnly")
            if courses and self.average(courses) >= 3.7:
                honors = ET.Element("AcademicHonors")
                add(honors, "HonorsTitle", "Dean's List")
                summary.insert(list(summary).index(summary.find("GPA")) + 1, honors)
            if self.school.version == "1.9":
                standing = add(summary, "Delinquencies")
                add(standing, "DelinquencyCode", "GoodStanding")
                add(standing, "StatusName", "Good standing")
            elif self.school.version:
                add(summary, "Delinquencies", "GoodStanding")
        for course in transfer or []:
            self.course(record, course, basis="Equivalence", taught_at=SCHOOLS[1])
        return record

    def award(self, record, award, courses):
        level, title, date, program = award
        node = add(record, "AcademicAward")
        add(node, "AcademicAwardLevel", level)
        add(node, "AcademicAwardDate", date)
        add(node, "AcademicAwardTitle", title)
        add(node, "AcademicCompletionIndicator", "true")
        major = add(node, "AcademicAwardProgram")
        add(major, "ProgramCIPCode", CATALOGUE[program][1])
        add(major, "AcademicProgramType", "Major")
        add(major, "AcademicProgramName", CATALOGUE[program][2])
        self.summary(node, courses, "Cumulative")

    def average(self, courses):
        counted = [(c[4], POINTS[c[5]]) for c in courses if c[5] in POINTS]
        hours = sum(h for h, _ in counted)
        return sum(h * p for h, p in counted) / hours if hours else 0.0

    def summary(self, parent, courses, kind):
        node = add(parent, "AcademicSummary")
        add(node, "AcademicSummaryType", kind)
        add(node, "AcademicSummaryLevel", "Undergraduate")
        gpa = add(node, "GPA")
        hours = sum(c[4] for c in courses)
        add(gpa, "CreditHoursAttempted", f"{hours}.0")
        add(gpa, "CreditHoursEarned", f"{sum(c[4] for c in courses if c[5] != 'F')}.0")
        add(gpa, "CreditUnit", "Semester")
        add(gpa, "GradePointAverage", f"{self.average(courses):.2f}")
        add(gpa, "TotalQualityPoints", f"{sum(c[4] * POINTS.get(c[5], 0) for c in courses):.1f}")
        add(gpa, "GPARangeMinimum", "0.0")
        add(gpa, "GPARangeMaximum", "4.0")
        return node

    def course(self, parent, course, basis="Regular", taught_at=None):
        subject, cip, number, title, credits, grade = course
        node = add(parent, "Course")
        add(node, "CourseCreditBasis", basis)
        add(node, "CourseCreditUnits", "Semester")
        add(node, "CourseCreditLevel", "UpperDivision" if number >= "300" else "LowerDivision")
        add(node, "CourseCreditValue", f"{credits}.0")
        add(node, "CourseCreditEarned", "0.0" if grade == "F" else f"{credits}.0")
        if grade:
            add(node, "CourseAcademicGradeScaleCode", "25")
            add(node, "CourseAcademicGrade", grade)
        else:
            add(node, "CourseAcademicGradeStatusCode", "TransferNoGrade")
        add(node, "CourseCIPCode", cip)
        if grade:
            add(node, "CourseQualityPointsEarned", f"{credits * POINTS[grade]:.1f}")
        add(node, "CourseSubjectAbbreviation", subject)
        add(node, "CourseNumber", number)
        if taught_at:
            add(node, "OriginalCourseID", f"{subject}{number}")
        add(node, "CourseTitle", title)
        if taught_at:
            school = add(node, "CourseOverrideSchool")
            add(school, "OrganizationName", taught_at.name)
            add(school, taught_at.code_type, taught_at.code)
            add(school, "SchoolOverrideCode", "Transfer")
        if self.school.version in ("1.8", "1.9") and number == "310":
            outcome = add(node, "LearningOutcome")
            add(outcome, "LearningOutcomeDescription", OUTCOMES[credits % len(OUTCOMES)][2])
            assessed = add(outcome, "LearningOutcomeQualificationAssessment")
            add(assessed, "LearningOutcomeSkillCode", "QuantitativeFluency")
            add(assessed, "LearningOutcomeProficiencyCode", "Proficient")

    def text(self):
        ET.indent(self.root)
        body = ET.tostring(self.root, encoding="unicode")
        prefix, uri = self.namespace
        if uri:
            body = body.replace("<CollegeTranscript>", f'<{prefix}:CollegeTranscript xmlns:{prefix}="{uri}">', 1)
            body = body.replace("</CollegeTranscript>", f"</{prefix}:CollegeTranscript>")
        return body

    def data(self):
        declaration = f'<?xml version="1.0" encoding="{self.school.encoding}"?>\n'
        return (declaration + self.text() + "\n").encode("utf-16" if self.school.encoding == "UTF-16" else "utf-8")


def sessions_for(seed, program, terms, first_year=2020, each=5):
    """Terms of a study: each takes courses until the catalogue is through, then a number may come again in another term."""
    rng = random.Random(seed)
    everything = [(subject, cip, *course) for subject, cip, _, courses in CATALOGUE for course in courses]
    own = [c for c in everything if c[0] == CATALOGUE[program][0]]
    queue, result = [], []
    for term in range(terms):
        courses, put_off = [], []
        while len(courses) < each:
            if not queue:
                rest = [c for c in everything if c not in own]
                rng.shuffle(rest)
                queue = [c for pair in zip(own, rest) for c in pair] + rest[len(own):]
            course = queue.pop(0)
            if any(c[:5] == course for c in courses):
                put_off.append(course)
            else:
                courses.append((*course, rng.choice(GRADES)))
        queue += put_off
        year, month = first_year + (term + 1) // 2, 9 if term % 2 == 0 else 1
        result.append((year, month, f"{'Fall' if month == 9 else 'Spring'} {year}", courses))
    return result


def batch(documents, version="2.1"):
    """Whole documents in one envelope."""
    sender, receiver = SCHOOLS[3], SCHOOLS[0]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>',
             f'<bat:AcademicRecordBatch xmlns:bat="urn:org:pesc:message:AcademicRecordBatch:v{version}.0">', "  <BatchEnvelope>", "    <BatchID>HCC-20240610</BatchID>",
             "    <BatchDateTime>2024-06-10T02:00:00Z</BatchDateTime>", "    <BatchDeliveryMethod>ParseBatch</BatchDeliveryMethod>"]
    for name, school in (("SourceAgency", sender), ("DestinationAgency", receiver)):
        lines.append(f"    <{name}><Organization><{school.code_type}>{school.code}</{school.code_type}>"
                     f"<OrganizationName>{school.name}</OrganizationName></Organization></{name}>")
    lines += ["  </BatchEnvelope>", "  <BatchContent>", *documents, "  </BatchContent>", "</bat:AcademicRecordBatch>", ""]
    return "\n".join(lines).encode()
