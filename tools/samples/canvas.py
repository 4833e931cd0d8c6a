"""Canvas Live Events: outcome definitions, grades, completed courses, outcome results. The actor is the teacher, never the student."""

import random

from .world import CANVAS_HOST, CATALOGUE, OUTCOMES, SHARD

ACCOUNT_UUID = "Kq8ZtR2vXy5LmWn3Pb7Jd9Hf4Gs6TcAe1UoYiQxB"
TEACHER = str(SHARD + 987)


def metadata(name, time, context=None):
    data = {"event_name": name, "event_time": time, "producer": "canvas", "root_account_id": str(SHARD + 1),
            "root_account_lti_guid": f"{ACCOUNT_UUID}.{CANVAS_HOST}", "root_account_uuid": ACCOUNT_UUID, "hostname": CANVAS_HOST}
    if context:
        data |= {"context_type": "Course", "context_id": context, "context_role": "TeacherEnrollment", "user_id": TEACHER, "user_login": "teacher@example.edu"}
    return data


def outcome_definitions():
    for number, title, description in OUTCOMES:
        yield f"outcome-{number}", {
            "metadata": metadata("learning_outcome_created", "2023-08-14T12:00:00.000Z"),
            "body": {"learning_outcome_id": str(SHARD + number), "title": title, "short_description": title, "description": f"<p>{description}</p>",
                     "context_type": "Account", "context_id": str(SHARD + 1), "workflow_state": "active", "calculation_method": "decaying_average", "calculation_int": 65,
                     "rubric_criterion": {"description": title, "points_possible": 5, "mastery_points": 3,
                                          "ratings": [{"description": "Exceeds", "points": 5}, {"description": "Meets", "points": 3}, {"description": "Not yet", "points": 0}]}}}


def grade_change(learner, course, assignment, score, possible, time, student_id=None):
    student = student_id or learner.canvas_global_id
    return {"metadata": metadata("grade_change", time, str(SHARD + course)),
            "body": {"assignment_id": str(SHARD + assignment), "grade": f"{score:g}", "grader_id": TEACHER, "grading_complete": True, "muted": False,
                     "old_grade": None, "old_score": None, "points_possible": possible, "old_points_possible": possible, "score": score, "student_id": student,
                     "student_sis_id": learner.sis_id if student_id is None else None, "submission_id": str(SHARD + 90_000 + assignment * 100 + learner.number), "user_id": student}}


def course_completed(learner, course, name, time):
    return {"metadata": metadata("course_completed", time, str(SHARD + course)),
            "body": {"course": {"account_id": "1", "id": str(course), "name": name, "sis_source_id": f"2024.{course}-1"},
                     "progress": {"completed_at": time, "next_requirement_url": None, "requirement_completed_count": 8, "requirement_count": 8},
                     "user": {"email": learner.email, "id": str(learner.canvas_id), "name": f"{learner.given} {learner.family}"}}}


def outcome_result(learner, outcome, asset, score, time):
    return {"metadata": metadata("learning_outcome_result_created", time),
            "body": {"assessed_at": time, "attempt": 1, "created_at": time, "learning_outcome_id": str(SHARD + outcome), "mastery": score >= 3,
                     "original_mastery": False, "original_possible": 5, "original_score": score, "percent": score / 5, "possible": 5, "score": score,
                     "user_uuid": learner.canvas_uuid, "artifact_id": str(2200 + learner.number), "artifact_type": "RubricAssessment",
                     "associated_asset_id": str(asset), "associated_asset_type": "Assignment"}}


def events(learners, seed, share=0.5):
    """(name, event) for part of the learners; the first gets a completed course, two grades and a mastered outcome."""
    rng = random.Random(f"{seed}/canvas")
    for learner in learners:
        first = learner.number == 1
        if not first and rng.random() > share:
            continue
        course = 560 + learner.program
        title = CATALOGUE[learner.program][3][0][1]
        stamp = f"2024-05-{rng.randint(1, 28):02d}T15:{rng.randint(10, 59)}:00.000Z"
        yield f"grade-{learner.number}-1", grade_change(learner, course, 350 + learner.program, rng.randint(14, 20), 20, stamp)
        if first or rng.random() < 0.5:
            yield f"completed-{learner.number}", course_completed(learner, course, title, stamp)
        if first or rng.random() < 0.5:
            yield f"outcome-{learner.number}", outcome_result(learner, OUTCOMES[0][0], 350 + learner.program, 5 if first else rng.randint(1, 5), stamp)
    # A student whom nobody knows: waits for the roster.
    yield "grade-unknown", grade_change(learners[0], 560, 350, 12, 20, "2024-05-20T10:00:00.000Z", student_id=str(SHARD + 999_999))


def event_without_student():
    """Dead-lettered with the place of what is missing."""
    return {"metadata": metadata("grade_change", "2024-05-20T10:00:00.000Z", str(SHARD + 560)),
            "body": {"assignment_id": str(SHARD + 350), "grade": "12", "score": 12, "points_possible": 20, "muted": False, "submission_id": str(SHARD + 90_001)}}
