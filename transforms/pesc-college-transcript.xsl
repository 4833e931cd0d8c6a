<?xml version="1.0" encoding="UTF-8"?>
<!-- PESC College Transcript, any version, to one statement. routes/pesc/README.md says what is carried and why.
     Only the root is in a namespace, so children are read by plain name. Kept cheap: no path inside a predicate, keys for repeats,
     functions for text, no xsl:strip-space (it costs a copy of the input). The social security number and the birth date are read by nothing here but the checks that keep them out. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">
  <xsl:import href="lib/pesc.xsl"/>
  <xsl:import href="lib/pesc-course.xsl"/>
  <xsl:import href="lib/pesc-award.xsl"/>
  <xsl:output method="xml" encoding="UTF-8" indent="no"/>

  <xsl:param name="zone" select="'UTC'"/>
  <xsl:param name="steward"/>

  <!-- ───── what holds for the whole document ───── -->
  <xsl:variable name="transcript" select="/*"/>
  <xsl:variable name="transmission" select="$transcript/TransmissionData"/>
  <xsl:variable name="student" select="$transcript/Student"/>
  <xsl:variable name="sender" select="$transmission/Source/Organization"/>
  <xsl:variable name="source"><xsl:for-each select="$sender"><xsl:call-template name="organization-code"/></xsl:for-each></xsl:variable>
  <xsl:variable name="src" select="string($source)"/>
  <xsl:variable name="sender-name" select="f:upper(normalize-space($sender/OrganizationName))"/>
  <xsl:variable name="codes"><xsl:for-each select="$sender/*[not(self::OrganizationName or self::Contacts or self::Accreditation or self::NoteMessage)]"><xsl:value-of select="concat('|', local-name(), ':', normalize-space(), '|')"/></xsl:for-each></xsl:variable>
  <xsl:variable name="sender-codes" select="string($codes)"/>
  <xsl:variable name="unofficial" select="normalize-space($transmission/DocumentOfficialCode) = 'Unofficial'"/>
  <xsl:variable name="type" select="normalize-space($transmission/DocumentTypeCode)"/>
  <xsl:variable name="partial" select="normalize-space($transmission/DocumentCompleteCode) = 'Partial' or $type = 'TermGrade' or $type = 'TermEnroll'"/>

  <!-- The school's number for the person, unless it is a placeholder or the social security number in disguise (the doors drop SSN, so
       that only its usual form shows it; on an AMQP inbox it can be compared). -->
  <xsl:variable name="number" select="normalize-space($student/Person/SchoolAssignedPersonID)"/>
  <xsl:variable name="no-number" select="$number = '' or translate($number, substring($number, 1, 1), '') = '' or f:code('placeholders', $number) != ''
      or f:matches($number, '^[0-9]{3}-[0-9]{2}-[0-9]{4}$') or ($student/Person/SSN and translate($number, '- ', '') = translate($student/Person/SSN, '- ', ''))"/>
  <!-- Standing goes up each year, the career does not. The first of these that says something: the level of the records, of the
       sessions, of the summaries, of the courses (an undergraduate may take a graduate course, so there undergraduate wins). -->
  <xsl:variable name="careers-1"><xsl:for-each select="$student/AcademicRecord/StudentLevel/StudentLevelCode"><xsl:value-of select="concat(' ', f:code('pesc-student-levels', normalize-space()))"/></xsl:for-each></xsl:variable>
  <xsl:variable name="careers-2"><xsl:for-each select="$student/AcademicRecord/AcademicSession/StudentLevel/StudentLevelCode"><xsl:value-of select="concat(' ', f:code('pesc-student-levels', normalize-space()))"/></xsl:for-each></xsl:variable>
  <xsl:variable name="careers-3"><xsl:for-each select="$student/AcademicRecord/AcademicSummary/AcademicSummaryLevel"><xsl:value-of select="concat(' ', f:code('pesc-credit-levels', normalize-space()))"/></xsl:for-each></xsl:variable>
  <xsl:variable name="careers-4"><xsl:for-each select="$student/AcademicRecord/AcademicSession/Course/CourseCreditLevel | $student/AcademicRecord/Course/CourseCreditLevel"><xsl:value-of select="concat(' ', f:code('pesc-credit-levels', normalize-space()))"/></xsl:for-each></xsl:variable>
  <xsl:variable name="careers">
    <xsl:choose>
      <xsl:when test="contains($careers-1, 'a')"><xsl:value-of select="$careers-1"/></xsl:when>
      <xsl:when test="contains($careers-2, 'a')"><xsl:value-of select="$careers-2"/></xsl:when>
      <xsl:when test="contains($careers-3, 'a')"><xsl:value-of select="$careers-3"/></xsl:when>
      <xsl:when test="contains($careers-4, ' undergraduate')"> undergraduate</xsl:when>
      <xsl:otherwise><xsl:value-of select="$careers-4"/></xsl:otherwise>
    </xsl:choose>
  </xsl:variable>
  <!-- The career that the document begins with: a school that sends one transcript for all careers replaces it as the student goes on, one that
       sends them apart keeps them apart. -->
  <xsl:variable name="career">
    <xsl:choose>
      <xsl:when test="contains($careers, ' undergraduate')">undergraduate</xsl:when>
      <xsl:when test="contains($careers, ' graduate')">graduate</xsl:when>
      <xsl:when test="contains($careers, ' professional')">professional</xsl:when>
    </xsl:choose>
  </xsl:variable>
  <xsl:variable name="level" select="string($career)"/>
  <!-- Without a number nobody can say that two documents tell of one person: then each document stands for itself. -->
  <xsl:variable name="person">
    <xsl:choose>
      <xsl:when test="$no-number">document <xsl:value-of select="normalize-space($transmission/DocumentID)"/></xsl:when>
      <xsl:otherwise><xsl:value-of select="$number"/></xsl:otherwise>
    </xsl:choose>
  </xsl:variable>

  <xsl:key name="record" match="AcademicRecord" use="concat(f:slug(School/OrganizationName), '|', f:code('pesc-student-levels', normalize-space(StudentLevel/StudentLevelCode)))"/>
  <xsl:key name="session" match="AcademicSession" use="normalize-space(concat(AcademicSessionDetail/SessionDesignator, ' ', AcademicSessionDetail/SessionDesignatorSuffix))"/>

  <xsl:template match="/">
    <xsl:if test="local-name(*) != 'CollegeTranscript'">
      <xsl:message terminate="yes">PESC-001|error|/|the root is not a CollegeTranscript</xsl:message>
    </xsl:if>
    <xsl:if test="not($transmission/CreatedDateTime) or not($student/AcademicRecord)">
      <xsl:message terminate="yes">PESC-002|error|/CollegeTranscript|no transmission data or no academic record without namespace</xsl:message>
    </xsl:if>
    <statement source="pesc" key="{concat($src, '|', $person, '|', $level)}">
      <xsl:attribute name="version"><xsl:value-of select="concat(substring(f:utc(f:date-time(normalize-space($transmission/CreatedDateTime), $zone)), 1, 19), 'Z')"/></xsl:attribute>
      <xsl:attribute name="covers"><xsl:choose><xsl:when test="$partial">part</xsl:when><xsl:otherwise>all</xsl:otherwise></xsl:choose></xsl:attribute>
      <document key="{concat($src, '|', normalize-space($transmission/DocumentID), '|', normalize-space($transmission/TransmissionType))}"
                transmission="{normalize-space($transmission/TransmissionType)}" official="{not($unofficial)}" complete="{not($partial)}"/>
      <xsl:apply-templates select="$student/Person"/>
      <authority name="{f:default($steward, f:default(normalize-space($sender/OrganizationName), $src))}"/>
      <organization><xsl:for-each select="$sender"><xsl:call-template name="organization"/></xsl:for-each></organization>
      <xsl:apply-templates select="$student/AcademicRecord"/>
      <xsl:apply-templates select="$student/Tests"/>
      <xsl:apply-templates select="$transcript/NoteMessage | $student/NoteMessage"/>
    </statement>
    <xsl:if test="normalize-space($transmission/TransmissionType) = 'MutuallyDefined'">
      <xsl:message>PESC-101|warning|/CollegeTranscript/TransmissionData/TransmissionType|MutuallyDefined: read like Original</xsl:message>
    </xsl:if>
    <xsl:if test="$no-number">
      <xsl:message>PESC-102|warning|/CollegeTranscript/Student/Person|no usable number of the school for the person: a person must attach it</xsl:message>
    </xsl:if>
  </xsl:template>

  <!-- Every code of the sender may be the one by which the roster knows the number. -->
  <xsl:template match="Person">
    <learner>
      <xsl:if test="not($no-number)">
        <identifier scheme="school-person-id" issuer="{$src}" value="{$number}"/>
        <xsl:for-each select="$sender/OPEID | $sender/IPEDS | $sender/ATP | $sender/FICE | $sender/CEEBACT | $sender/ACT | $sender/CSIS | $sender/USIS | $sender/ESIS | $sender/PSIS | $sender/APAS">
          <xsl:variable name="issuer" select="concat(local-name(), ':', normalize-space())"/>
          <xsl:if test="$issuer != $src"><identifier scheme="school-person-id" issuer="{$issuer}" value="{$number}"/></xsl:if>
        </xsl:for-each>
      </xsl:if>
      <xsl:for-each select="RecipientAssignedID | AgencyIdentifier/AgencyAssignedID">
        <xsl:variable name="value" select="normalize-space()"/>
        <!-- A placeholder of any kind identifies nobody. -->
        <xsl:if test="translate($value, substring($value, 1, 1), '') != '' and f:code('placeholders', $value) = ''">
          <xsl:choose>
            <xsl:when test="self::AgencyAssignedID">
              <identifier scheme="ext:agency-id" issuer="{normalize-space(concat(../AgencyCode, ' ', ../StateProvinceCode, ' ', ../CountryCode))}" value="{$value}"/>
            </xsl:when>
            <xsl:otherwise>
              <xsl:variable name="recipient"><xsl:for-each select="$transmission/Destination/Organization"><xsl:call-template name="organization-code"/></xsl:for-each></xsl:variable>
              <identifier scheme="school-person-id" issuer="{$recipient}" value="{$value}"/>
            </xsl:otherwise>
          </xsl:choose>
        </xsl:if>
      </xsl:for-each>
      <name><xsl:for-each select="Name"><xsl:call-template name="person-name"/></xsl:for-each></name>
    </learner>
  </xsl:template>

  <!-- ───── one achievement for each academic record, holding its summaries ───── -->
  <xsl:template match="AcademicRecord">
    <xsl:variable name="base" select="concat(f:slug(School/OrganizationName), '|', f:code('pesc-student-levels', normalize-space(StudentLevel/StudentLevelCode)))"/>
    <xsl:variable name="key">
      <xsl:value-of select="concat($src, '|record|', $base)"/>
      <xsl:call-template name="repeat"><xsl:with-param name="same" select="key('record', $base)"/></xsl:call-template>
    </xsl:variable>
    <xsl:variable name="summary" select="AcademicSummary"/>
    <achievement key="{$key}" type="LearningProgram" component="academic-record">
      <xsl:call-template name="level-attribute"><xsl:with-param name="code" select="normalize-space(StudentLevel/StudentLevelCode)"/></xsl:call-template>
      <xsl:call-template name="day"><xsl:with-param name="name" select="'begin'"/><xsl:with-param name="value" select="$summary/EntryDate"/></xsl:call-template>
      <xsl:call-template name="day"><xsl:with-param name="name" select="'end'"/><xsl:with-param name="value" select="$summary/ExitDate"/></xsl:call-template>
      <xsl:call-template name="official"/>
      <name>Studies at <xsl:value-of select="f:default(normalize-space(School/OrganizationName), f:default(normalize-space($sender/OrganizationName), $src))"/></name>
      <xsl:call-template name="taught-by"><xsl:with-param name="school" select="School"/></xsl:call-template>
      <xsl:for-each select="$summary/AcademicProgram"><xsl:call-template name="program"/></xsl:for-each>
      <xsl:call-template name="honors"><xsl:with-param name="summaries" select="$summary"/></xsl:call-template>
      <xsl:for-each select="School/SchoolOverrideCode"><tag><xsl:value-of select="normalize-space()"/></tag></xsl:for-each>
      <xsl:apply-templates select="$summary"/>
      <xsl:apply-templates select="NoteMessage | School/NoteMessage | StudentLevel/NoteMessage | $summary/NoteMessage | $summary/GPA/NoteMessage | $summary/AcademicHonors/NoteMessage
          | $summary/AcademicProgram/NoteMessage | AdditionalStudentAchievements/NoteMessage"/>
    </achievement>
    <xsl:variable name="school" select="School"/>
    <xsl:apply-templates select="AcademicAward"><xsl:with-param name="record" select="string($key)"/><xsl:with-param name="school" select="$school"/></xsl:apply-templates>
    <xsl:for-each select="AcademicSession">
      <xsl:call-template name="session"><xsl:with-param name="record" select="string($key)"/><xsl:with-param name="record-school" select="$school"/></xsl:call-template>
    </xsl:for-each>
    <xsl:apply-templates select="Course"><xsl:with-param name="within" select="string($key)"/><xsl:with-param name="school" select="$school"/></xsl:apply-templates>
    <xsl:apply-templates select="AdditionalStudentAchievements"><xsl:with-param name="school" select="$school"/></xsl:apply-templates>
  </xsl:template>

  <!-- ───── a session: itself, then its awards, courses and experiences ───── -->
  <xsl:template name="session">
    <xsl:param name="record"/>
    <xsl:param name="record-school"/>
    <xsl:variable name="detail" select="AcademicSessionDetail"/>
    <xsl:variable name="base" select="normalize-space(concat($detail/SessionDesignator, ' ', $detail/SessionDesignatorSuffix))"/>
    <xsl:variable name="key">
      <xsl:value-of select="concat($src, '|session|', $base)"/>
      <xsl:call-template name="repeat"><xsl:with-param name="same" select="key('session', $base)"/></xsl:call-template>
    </xsl:variable>
    <!-- The session's own school tells more than the record's. -->
    <xsl:variable name="school" select="School | $record-school[not(current()/School)]"/>
    <xsl:variable name="session">
      <session designator="{$base}">
        <xsl:if test="normalize-space($detail/SessionName)"><xsl:attribute name="name"><xsl:value-of select="normalize-space($detail/SessionName)"/></xsl:attribute></xsl:if>
        <xsl:if test="$detail/SessionType"><xsl:attribute name="type"><xsl:value-of select="normalize-space($detail/SessionType)"/></xsl:attribute></xsl:if>
        <xsl:if test="$detail/SessionSchoolYear"><xsl:attribute name="school-year"><xsl:value-of select="normalize-space($detail/SessionSchoolYear)"/></xsl:attribute></xsl:if>
        <xsl:call-template name="day"><xsl:with-param name="name" select="'begin'"/><xsl:with-param name="value" select="$detail/SessionBeginDate"/></xsl:call-template>
        <xsl:call-template name="day"><xsl:with-param name="name" select="'end'"/><xsl:with-param name="value" select="$detail/SessionEndDate"/></xsl:call-template>
      </session>
    </xsl:variable>
    <xsl:variable name="summaries" select="AcademicSummary | AcademicProgram/ProgramSummary"/>
    <achievement key="{$key}" type="ext:AcademicSession" component="academic-record">
      <xsl:call-template name="level-attribute"><xsl:with-param name="code" select="normalize-space(StudentLevel/StudentLevelCode)"/></xsl:call-template>
      <xsl:call-template name="day"><xsl:with-param name="name" select="'begin'"/><xsl:with-param name="value" select="$detail/SessionBeginDate"/></xsl:call-template>
      <xsl:call-template name="day"><xsl:with-param name="name" select="'end'"/><xsl:with-param name="value" select="$detail/SessionEndDate"/></xsl:call-template>
      <xsl:call-template name="official"/>
      <name><xsl:value-of select="f:default(normalize-space($detail/SessionName), concat('Session ', $base))"/></name>
      <xsl:call-template name="taught-by"><xsl:with-param name="school" select="$school"/></xsl:call-template>
      <xsl:copy-of select="$session"/>
      <xsl:for-each select="AcademicProgram | AcademicSummary/AcademicProgram"><xsl:call-template name="program"/></xsl:for-each>
      <xsl:call-template name="honors"><xsl:with-param name="summaries" select="$summaries"/></xsl:call-template>
      <xsl:for-each select="School/SchoolOverrideCode"><tag><xsl:value-of select="normalize-space()"/></tag></xsl:for-each>
      <xsl:apply-templates select="$summaries"/>
      <association type="isPartOf" target="{$record}"/>
      <xsl:apply-templates select="NoteMessage | $detail/NoteMessage | School/NoteMessage | StudentLevel/NoteMessage | AcademicProgram/NoteMessage | AcademicSummary/AcademicProgram/NoteMessage
          | $summaries/NoteMessage | $summaries/GPA/NoteMessage | $summaries/AcademicHonors/NoteMessage"/>
    </achievement>
    <xsl:apply-templates select="AcademicAward"><xsl:with-param name="record" select="$record"/><xsl:with-param name="school" select="$school"/></xsl:apply-templates>
    <xsl:apply-templates select="Course">
      <xsl:with-param name="within" select="string($key)"/>
      <xsl:with-param name="school" select="$school"/>
      <xsl:with-param name="designator" select="$base"/>
      <xsl:with-param name="session" select="$session"/>
      <xsl:with-param name="detail" select="$detail"/>
    </xsl:apply-templates>
    <xsl:apply-templates select="LearningExperience"><xsl:with-param name="within" select="string($key)"/><xsl:with-param name="session" select="$session"/></xsl:apply-templates>
  </xsl:template>

  <!-- ───── shared by awards, courses, sessions ───── -->
  <!-- "#2" for the second of several with one key, "" for the first. -->
  <xsl:template name="repeat">
    <xsl:param name="same"/>
    <xsl:if test="count($same) &gt; 1">
      <xsl:variable name="me" select="."/>
      <xsl:for-each select="$same"><xsl:if test="position() &gt; 1 and count(. | $me) = 1">#<xsl:value-of select="position()"/></xsl:if></xsl:for-each>
    </xsl:if>
  </xsl:template>

  <xsl:template name="official"><xsl:if test="$unofficial"><xsl:attribute name="official">false</xsl:attribute></xsl:if></xsl:template>

  <xsl:template name="level-attribute">
    <xsl:param name="code"/>
    <xsl:if test="$code"><xsl:attribute name="level"><xsl:value-of select="f:default(f:code('pesc-student-levels', $code, 'label'), $code)"/></xsl:attribute></xsl:if>
  </xsl:template>

  <!-- Who taught it, when that is not the sender: the same name or one code in common means the sender. -->
  <xsl:template name="taught-by">
    <xsl:param name="school"/>
    <xsl:if test="$school">
      <xsl:variable name="common"><xsl:for-each select="$school/*"><xsl:if test="normalize-space() and contains($sender-codes, concat('|', local-name(), ':', normalize-space(), '|'))">y</xsl:if></xsl:for-each></xsl:variable>
      <xsl:if test="$common = '' and f:upper(normalize-space($school/OrganizationName)) != $sender-name">
        <source-organization><xsl:for-each select="$school"><xsl:call-template name="organization"/></xsl:for-each></source-organization>
      </xsl:if>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
