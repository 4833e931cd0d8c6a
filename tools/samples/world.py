"""Who and what there is: schools, learners with their numbers in every system, a catalogue. Everything follows from one seed."""

import random
import string
from dataclasses import dataclass, field

OWN = "FICE:003658"
CANVAS_HOST = "canvas.example.edu"
SHARD = 21070000000000000

GIVEN = ("Maya Noor Elias Priya Tomas Ingrid Kofi Lena Mateo Aisha Jonas Mei Omar Clara Dario Freya Hassan Iris Jamal Keiko Luca Nadia Oskar Paula "
         "Quentin Rosa Samir Tara Ugo Vera Wendell Ximena Yusuf Zelda Anouk Bilal Camila Dmitri Esther Farid").split()
FAMILY = ("Lindqvist Haddad Okafor Raman Novak Berg Mensah Fischer Alvarez Karim Holm Chen Farouk Duarte Moretti Dahl Rahman Quist Baker Tanaka "
          "Ferri Aziz Nilsson Ortega Marchand Delgado Saleh Byrne Bianchi Sokolova Crane Fuentes Demir Stern Dubois Hakim Rivera Petrov Adler Nasser").split()


@dataclass(frozen=True)
class School:
    code_type: str
    code: str
    name: str
    version: str  # of the PESC documents that it sends; "" = without namespace
    prefix: str = "ColTrn"
    encoding: str = "UTF-8"

    @property
    def key(self):
        return f"{self.code_type}:{self.code}"


SCHOOLS = (
    School("FICE", "003658", "Example University", "1.8"),
    School("FICE", "009101", "Lakeshore College", "1.3", "ns0"),
    School("OPEID", "00920200", "Northfield State University", "1.6", "ns2", "UTF-16"),
    School("ATP", "009303", "Harbor Community College", "1.4"),
    School("PSID", "11000000", "Saltmarsh School of Arts", ""),
    School("FICE", "009606", "Cedar Valley Institute", "1.9", "q1"),
    School("CSIS", "970700", "Collège technique de la Prairie", "1.0", "ns1"),
)

# subject, CIP, program, [(number, title, credits)]
CATALOGUE = (
    ("BIOL", "26.0101", "Biology", [("101", "Principles of biology", 4), ("210", "Genetics", 4), ("310", "Experimental biology", 4), ("330", "Ecology", 3), ("420", "Marine biology", 3)]),
    ("CSCI", "11.0701", "Computer Science", [("110", "Programming I", 4), ("210", "Data structures", 4), ("320", "Operating systems", 3), ("340", "Databases", 3), ("450", "Distributed systems", 3)]),
    ("HIST", "54.0101", "History", [("120", "The Atlantic world", 3), ("205", "Cities and trade", 3), ("310", "Archives and evidence", 3), ("360", "Oral history", 3)]),
    ("MATH", "27.0101", "Mathematics", [("151", "Calculus I", 4), ("152", "Calculus II", 4), ("220", "Linear algebra", 3), ("310", "Probability", 3)]),
    ("ENGL", "23.0101", "English", [("101", "College writing", 3), ("215", "The short story", 3), ("320", "Rhetoric", 3)]),
    ("CHEM", "40.0501", "Chemistry", [("111", "General chemistry", 4), ("221", "Organic chemistry", 4), ("331", "Analytical chemistry", 4)]),
    ("MUSI", "50.0901", "Music", [("100", "Ensemble", 1), ("140", "Harmony", 3), ("280", "Music of the Andes", 3)]),
    ("SOCI", "45.1101", "Sociology", [("101", "Introduction to sociology", 3), ("250", "Survey methods", 3), ("340", "Migration", 3)]),
)

OUTCOMES = (
    (601, "Interprets quantitative data", "Reads tables and graphs and says what they show and what not."),
    (602, "Writes for a reader", "States a claim, supports it, and cites what it rests on."),
    (603, "Works in a team", "Divides work, keeps promises, and settles differences."),
)


@dataclass
class Learner:
    number: int
    given: str
    family: str
    birth: str
    institution_id: str
    sis_id: str
    canvas_id: int
    canvas_uuid: str
    ssn: str
    hr_id: str = ""
    orcid: str = ""
    blocked: bool = False
    program: int = 0
    schools: dict = field(default_factory=dict)  # School.key -> the number there
    note: str = ""

    @property
    def email(self):
        return f"{self.given}.{self.family}.{self.number}@example.edu".lower()

    @property
    def canvas_global_id(self):
        return str(SHARD + self.canvas_id)


def orcid_of(number):
    """An ORCID iD with its right check digit (ISO 7064, mod 11-2)."""
    digits = f"{number:015d}"
    total = 0
    for d in digits:
        total = (total + int(d)) * 2
    check = (12 - total % 11) % 11
    text = digits + ("X" if check == 10 else str(check))
    return "-".join(text[i:i + 4] for i in range(0, 16, 4))


def make_learners(count, seed):
    """The first is known to all five systems; 2 and 3 are twins by name and birth date; 4 asked for no release."""
    rng = random.Random(f"{seed}/learners")
    letters = string.ascii_letters + string.digits
    learners = []
    for i in range(1, count + 1):
        given, family = GIVEN[(i - 1) % len(GIVEN)], FAMILY[((i - 1) + (i - 1) // len(GIVEN) * 7) % len(FAMILY)]
        learner = Learner(i, given, family, f"{rng.randint(1998, 2004)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}", f"U{1000400 + i * 7}",
                          str(70010000 + i * 37), 4800 + i * 3, "".join(rng.choice(letters) for _ in range(40)), f"9{rng.randint(0, 99999999):08d}",
                          program=rng.randrange(len(CATALOGUE)))
        if i == 1 or rng.random() < 0.4:
            learner.hr_id = f"E-{20400 + i * 11}"
        if i == 1 or rng.random() < 0.25:
            learner.orcid = orcid_of(40_000_000 + i * 131)
        for school in SCHOOLS[1:]:
            if rng.random() < 0.2:
                learner.schools[school.key] = str(rng.randint(10_000_000, 98_765_432))
        learners.append(learner)
    first = learners[0]
    first.program, first.note = 0, "known to all five systems"
    first.schools[SCHOOLS[1].key] = "60120457"
    if count >= 4:
        one, two, blocked = learners[1:4]
        two.given, two.family, two.birth = one.given, one.family, one.birth
        one.note = two.note = "twins: same name, same birth date"
        one.schools[SCHOOLS[3].key], two.schools[SCHOOLS[3].key] = "31450081", "31450082"
        blocked.blocked, blocked.note = True, "asked for no release"
        blocked.hr_id = blocked.hr_id or f"E-{20400 + 4 * 11}"
    return learners
