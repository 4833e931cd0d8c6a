"""Roster, student employment and repository: one file each."""

import csv
import io
import random
from xml.sax.saxutils import escape

from .world import CATALOGUE

UNITS = (("Laboratory assistant", "Department of Biology", "Prepares teaching laboratories."), ("Peer tutor", "Learning Center", "Tutors first-year students."),
         ("Desk assistant", "University Library", "Helps visitors at the desk."), ("Web assistant", "Information Technology", "Keeps the pages of a department."),
         ("Box office clerk", "Performing Arts", "Sells tickets and balances the till."))
RATINGS = ("CUSTOMER_FOCUS COMMUNICATION_ORAL COMMUNICATION_WRITTEN DIVERSITY RESPECT POLICY_ACCOUNTABILITY ACCURACY PROBLEM_SOLVING APPLYING_KNOWLEDGE "
           "LEADERSHIP").split()


def rows_to_csv(header, rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def people(learners):
    """The roster and crosswalk: who is who in which system."""
    header = ("institution_id sis_id canvas_id canvas_global_id canvas_uuid hr_id orcid email given_name family_name blocked school_person_ids updated_at").split()
    rows = [[p.institution_id, p.sis_id, p.canvas_id, p.canvas_global_id, p.canvas_uuid, p.hr_id, p.orcid, p.email, p.given, p.family,
             "Y" if p.blocked else "N", "; ".join(f"{school}={number}" for school, number in p.schools.items()), "2024-06-10 06:00:00"] for p in learners]
    for row in rows[4:6]:  # placeholders as a registrar's export has them: no identifiers
        row[11] = "; ".join(filter(None, (row[11], "FICE:009101=999999999")))
    return rows_to_csv(header, rows)


def student_jobs(learners, seed):
    """The extract of HR as it comes: pay and social security numbers in it, staff among the rows."""
    rng = random.Random(f"{seed}/hr")
    header = ["POSITION_ID", "EMPLOYEE_ID", "SSN", "STUDENT_WORKER", "GIVEN_NAME", "FAMILY_NAME", "TITLE", "UNIT", "START_DATE", "END_DATE", "RATE", "TOTAL_HOURS",
              "DUTIES", "RATER", "RATED_ON", *RATINGS, "UPDATED_AT"]
    rows = []
    for p in (p for p in learners if p.hr_id):
        title, unit, duties = UNITS[0] if p.number == 1 else rng.choice(UNITS)
        over = p.number == 1 or rng.random() < 0.7
        rated = p.number == 1 or over and rng.random() < 0.8
        ratings = [rng.choice("33444555") if rated else "" for _ in RATINGS]
        rows.append([f"SA-{1000 + p.number}", p.hr_id, p.ssn, "Y", p.given, p.family, title, unit, "2023-08-28", "2024-05-10" if over else "",
                     pay(rng, 14), f"{rng.randint(80, 380)}.5", duties, "Supervisor" if rated else "", "2024-05-06" if rated else "", *ratings, "2024-06-01 02:00:00"])
    blank = [""] * len(RATINGS)
    rows.insert(1, ["ST-0001", "E-00017", "900000017", "N", "Ruth", "Calloway", "Department manager", "Department of Biology", "2012-02-01", "", pay(rng, 41), "", "", "",
                    "", *blank, "2024-06-01 02:00:00"])
    rows.append(["SA-9001", "0", "900000018", "Y", "Ben", "Amos", "Peer tutor", "Learning Center", "2024-01-15", "", pay(rng, 14), "", "", "", "", *blank,
                 "2024-06-01 02:00:00"])  # a placeholder: waits
    rows.append(["SA-9002", "E-20411", "900000019", "Y", "Ida", "Moss", "Peer tutor", "", "15.01.2024", "", pay(rng, 14), "", "", "", "", *blank,
                 "2024-06-01 02:00:00"])  # no unit, a date of another country: dead, alone
    return rows_to_csv(header, rows)


def pay(rng, base):
    """Written so that a search for the text is a proof: no other number looks like it."""
    return f"{base + rng.randint(0, 3)}.{rng.randint(10, 99)}7301"


def repository(learners, seed, limit=12):
    """One ListRecords page: theses and works, a deleted record, a creator of whom only the name is known."""
    rng = random.Random(f"{seed}/oai")
    records, works = [], 0
    for p in [p for p in learners if p.orcid][:limit]:
        works += 1
        subject = CATALOGUE[p.program][2]
        title = f"{subject}: {rng.choice(('a field study', 'three cases', 'a survey', 'notes from one summer'))}" if p.number != 1 else "Tidal pools of the north shore"
        kind = "bachelorThesis" if p.number == 1 or rng.random() < 0.6 else "article"
        records.append(record(f"1/{100 + p.number}", title, f"{p.family}, {p.given}; https://orcid.org/{p.orcid}", subject, kind))
    records.append(record("1/901", "Harbour songs, collected", "Marlow, Edda", "Music", "article"))
    records.append(f'    <record>\n      <header status="deleted">\n        <identifier>oai:repository.example.edu:1/902</identifier>\n'
                   '        <datestamp>2024-05-30T08:00:00Z</datestamp>\n      </header>\n    </record>')
    page = "\n".join(records)
    return works, ('<?xml version="1.0" encoding="UTF-8"?>\n<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">\n  <responseDate>2024-06-10T02:00:00Z</responseDate>\n'
                   '  <request verb="ListRecords" metadataPrefix="oai_dc">https://repository.example.edu/oai</request>\n  <ListRecords>\n'
                   f"{page}\n  </ListRecords>\n</OAI-PMH>\n")


def record(handle, title, creator, subject, kind):
    return f"""    <record>
      <header>
        <identifier>oai:repository.example.edu:{handle}</identifier>
        <datestamp>2024-05-28T09:30:00Z</datestamp>
      </header>
      <metadata>
        <oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/">
          <dc:title>{escape(title)}</dc:title>
          <dc:creator>{escape(creator)}</dc:creator>
          <dc:subject>{escape(subject)}</dc:subject>
          <dc:description>Deposited by the author.</dc:description>
          <dc:publisher>Example University</dc:publisher>
          <dc:date>2024-05-20</dc:date>
          <dc:type>info:eu-repo/semantics/{kind}</dc:type>
          <dc:format>application/pdf</dc:format>
          <dc:identifier>https://repository.example.edu/handle/{handle}</dc:identifier>
          <dc:language>en</dc:language>
        </oai_dc:dc>
      </metadata>
    </record>"""
