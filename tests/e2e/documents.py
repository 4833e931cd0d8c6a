"""Small documents of the five kinds about people of one's own choice, for the end-to-end tests. Invented; deterministic."""


def person(n, updated='2024-06-10 06:00:00', blocked='N'):
    return ('institution_id,sis_id,canvas_id,canvas_global_id,canvas_uuid,hr_id,orcid,email,given_name,family_name,blocked,school_person_ids,updated_at\r\n'
            'U%07d,7%07d,%d,2107000%010d,,E-%06d,%s,p%d@example.edu,Given%d,Family%d,%s,,%s\r\n'
            % (1000000 + n, 1000000 + n, n, n, n, orcid(n), n, n, n, blocked, updated)).encode()


def orcid(n):
    digits = '0000%011d' % (90000000 + n)
    total = 0
    for d in digits:
        total = (total + int(d)) * 2
    check = (12 - total % 11) % 11
    text = digits + ('X' if check == 10 else str(check))
    return '-'.join(text[i:i + 4] for i in range(0, 16, 4))


def transcript(n, grade='B', created='2024-06-10T09:00:00-05:00', number=None, unit='Semester', document=None, kind='Original'):
    return ('''<?xml version="1.0" encoding="UTF-8"?>
<ColTrn:CollegeTranscript xmlns:ColTrn="urn:org:pesc:message:CollegeTranscript:v1.8.0">
  <TransmissionData>
    <DocumentID>%s</DocumentID>
    <CreatedDateTime>%s</CreatedDateTime>
    <DocumentTypeCode>StudentRequest</DocumentTypeCode>
    <TransmissionType>%s</TransmissionType>
    <Source><Organization><FICE>003658</FICE><OrganizationName>Example University</OrganizationName></Organization></Source>
    <Destination><Organization><FICE>003658</FICE><OrganizationName>Example University</OrganizationName></Organization></Destination>
  </TransmissionData>
  <Student>
    <Person>
      <SchoolAssignedPersonID>%s</SchoolAssignedPersonID>
      <Name><FirstName>Given%d</FirstName><LastName>Family%d</LastName></Name>
    </Person>
    <AcademicRecord>
      <StudentLevel><StudentLevelCode>CollegeJunior</StudentLevelCode></StudentLevel>
      <AcademicSession>
        <AcademicSessionDetail><SessionDesignator>2024-01</SessionDesignator><SessionName>Spring 2024</SessionName></AcademicSessionDetail>
        <Course>
          <CourseCreditBasis>Regular</CourseCreditBasis>
          <CourseCreditUnits>%s</CourseCreditUnits>
          <CourseCreditValue>3</CourseCreditValue>
          <CourseCreditEarned>3</CourseCreditEarned>
          <CourseAcademicGrade>%s</CourseAcademicGrade>
          <CourseSubjectAbbreviation>BIOL</CourseSubjectAbbreviation>
          <CourseNumber>101</CourseNumber>
          <CourseTitle>Foundations of Biology</CourseTitle>
        </Course>
      </AcademicSession>
    </AcademicRecord>
  </Student>
</ColTrn:CollegeTranscript>
''' % (document or 'D-%d' % n, created, kind, number or '7%07d' % (1000000 + n), n, n, unit, grade)).encode()


def grade_event(n, score=5, time='2024-05-01T10:00:00Z', submission=None):
    return ('{"metadata":{"event_name":"grade_change","event_time":"%s","producer":"canvas","context_type":"Course","context_id":"565",'
            '"context_role":"TeacherEnrollment","hostname":"canvas.example.edu","root_account_lti_guid":"guid.canvas.example.edu","root_account_id":"21070000000000001",'
            '"root_account_uuid":"guid","user_id":"21070000000000987"},'
            '"body":{"assignment_id":"355","grade":"%s","score":%s,"points_possible":10,"grading_complete":true,"muted":false,'
            '"student_id":"2107000%010d","submission_id":"%s","user_id":"2107000%010d","grader_id":"21070000000000987"}}'
            % (time, score, score, n, submission or 50000 + n, n)).encode()


JOB_HEADER = ('POSITION_ID,EMPLOYEE_ID,SSN,STUDENT_WORKER,GIVEN_NAME,FAMILY_NAME,TITLE,UNIT,START_DATE,END_DATE,RATE,TOTAL_HOURS,DUTIES,RATER,RATED_ON,'
              'CUSTOMER_FOCUS,COMMUNICATION_ORAL,COMMUNICATION_WRITTEN,DIVERSITY,RESPECT,POLICY_ACCOUNTABILITY,ACCURACY,PROBLEM_SOLVING,APPLYING_KNOWLEDGE,'
              'LEADERSHIP,UPDATED_AT\r\n')


def job(n, header=True, updated='2024-06-01 02:00:00', student='Y'):
    return ((JOB_HEADER if header else '') + 'SA-%d,E-%06d,9%08d,%s,Given%d,Family%d,Laboratory assistant,Department of Biology,2023-08-28,2024-05-10,15.36%04d,'
            '126.5,Prepares laboratories.,Supervisor,2024-05-06,4,3,3,4,4,5,4,5,3,5,%s\r\n' % (n, n, n, student, n, n, n % 10000, updated)).encode()


def reduced_job(n, **more):
    """As the door of hr-csv leaves it: without pay and social security number."""
    rows = [row.split(',') for row in job(n, **more).decode().split('\r\n')]
    return '\r\n'.join(','.join(f for i, f in enumerate(row) if i not in (2, 10)) for row in rows).encode()


def thesis(n, deleted=False, stamp='2024-05-28T09:30:00Z', creator=None):
    status = ' status="deleted"' if deleted else ''
    metadata = '' if deleted else '''<metadata><oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title>Tidal pools, part %d</dc:title><dc:creator>%s</dc:creator><dc:publisher>Example University</dc:publisher><dc:date>2024-05-20</dc:date>
<dc:type>info:eu-repo/semantics/bachelorThesis</dc:type><dc:format>application/pdf</dc:format>
<dc:identifier>https://repository.example.edu/handle/1/%d</dc:identifier><dc:language>en</dc:language></oai_dc:dc></metadata>''' % (
        n, creator or 'Family%d, Given%d; https://orcid.org/%s' % (n, n, orcid(n)), n)
    return ('''<?xml version="1.0" encoding="UTF-8"?>
<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><responseDate>2024-06-10T02:00:00Z</responseDate>
<request verb="ListRecords" metadataPrefix="oai_dc">https://repository.example.edu/oai</request><ListRecords>
<record><header%s><identifier>oai:repository.example.edu:1/%d</identifier><datestamp>%s</datestamp></header>%s</record></ListRecords></OAI-PMH>
''' % (status, n, stamp, metadata)).encode()
