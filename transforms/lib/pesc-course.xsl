<?xml version="1.0" encoding="UTF-8"?>
<!-- PESC courses with what hangs on them (outcomes, licences), tests, experiences, other achievements. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">

  <!-- Session, subject and number, section; a course without a number goes by its title. -->
  <xsl:key name="course" match="Course" use="concat(normalize-space(concat(../AcademicSessionDetail/SessionDesignator, ' ', ../AcademicSessionDetail/SessionDesignatorSuffix)), '|',
      f:default(f:upper(normalize-space(concat(CourseSubjectAbbreviation, ' ', CourseNumber))), f:slug(CourseTitle)), '|', normalize-space(CourseSectionNumber))"/>
  <xsl:key name="test" match="Tests" use="concat(normalize-space(TestCode | EducationTestCode), '|', normalize-space(TestDate | TestYearMonth | TestYear))"/>
  <xsl:key name="licensure" match="Licensure" use="concat(f:slug(LicensureName), '|', normalize-space(LicensureStateProvinceCode))"/>
  <xsl:key name="rap" match="AdditionalStudentAchievements/*[self::Requirement or self::Attribute or self::Proficiency]" use="concat(f:lower(local-name()), '|', normalize-space(RAPCode), '|', f:slug(concat(RAPName, ' ', RAPSubName)))"/>

  <xsl:template match="Course">
    <xsl:param name="within"/>
    <xsl:param name="school"/>
    <xsl:param name="designator"/>
    <xsl:param name="session"/>
    <xsl:param name="detail" select="/.."/>
    <xsl:variable name="code" select="normalize-space(concat(CourseSubjectAbbreviation, ' ', CourseNumber))"/>
    <xsl:variable name="title" select="normalize-space(CourseTitle)"/>
    <xsl:variable name="base" select="concat($designator, '|', f:default(f:upper($code), f:slug(CourseTitle)), '|', normalize-space(CourseSectionNumber))"/>
    <xsl:variable name="key">
      <xsl:value-of select="concat($src, '|course|', $base)"/>
      <xsl:call-template name="repeat"><xsl:with-param name="same" select="key('course', $base)"/></xsl:call-template>
    </xsl:variable>
    <xsl:variable name="basis" select="normalize-space(CourseCreditBasis)"/>
    <xsl:variable name="grade" select="normalize-space(CourseAcademicGrade)"/>
    <xsl:variable name="status-code" select="normalize-space(CourseAcademicGradeStatusCode)"/>
    <xsl:variable name="status" select="f:default(f:code('pesc-grade-status', $status-code), f:code('pesc-grades', f:upper($grade)))"/>
    <xsl:variable name="repeat" select="normalize-space(CourseRepeatCode)"/>
    <xsl:variable name="levels" select="CourseLevel | CourseCreditLevel"/>
    <xsl:variable name="outcomes" select="LearningOutcome"/>
    <achievement key="{$key}" type="Course" component="academic-record">
      <xsl:if test="$levels"><xsl:attribute name="level"><xsl:value-of select="f:default(normalize-space(CourseLevel), normalize-space(CourseCreditLevel))"/></xsl:attribute></xsl:if>
      <xsl:choose>
        <xsl:when test="$status"><xsl:attribute name="status"><xsl:value-of select="$status"/></xsl:attribute></xsl:when>
        <xsl:when test="CourseCreditEarned &gt; 0"><xsl:attribute name="status">Completed</xsl:attribute></xsl:when>
      </xsl:choose>
      <xsl:call-template name="day"><xsl:with-param name="name" select="'begin'"/><xsl:with-param name="value" select="f:default(CourseBeginDate, $detail/SessionBeginDate)"/></xsl:call-template>
      <xsl:call-template name="day"><xsl:with-param name="name" select="'end'"/><xsl:with-param name="value" select="f:default(CourseEndDate, $detail/SessionEndDate)"/></xsl:call-template>
      <xsl:call-template name="official"/>
      <name><xsl:value-of select="f:default($title, f:default($code, 'Course'))"/></name>
      <xsl:if test="$code"><code><xsl:value-of select="$code"/></code></xsl:if>
      <xsl:if test="normalize-space(CourseDescription)"><description><xsl:value-of select="normalize-space(CourseDescription)"/></description></xsl:if>
      <xsl:call-template name="taught-by"><xsl:with-param name="school" select="CourseOverrideSchool | $school[not(current()/CourseOverrideSchool)]"/></xsl:call-template>
      <xsl:copy-of select="$session"/>
      <credits basis="{$basis}">
        <xsl:for-each select="CourseCreditValue"><xsl:attribute name="available"><xsl:value-of select="normalize-space()"/></xsl:attribute></xsl:for-each>
        <xsl:for-each select="CourseCreditEarned"><xsl:attribute name="earned"><xsl:value-of select="normalize-space()"/></xsl:attribute></xsl:for-each>
        <xsl:for-each select="CourseCreditUnits[normalize-space()]"><xsl:attribute name="units"><xsl:value-of select="normalize-space()"/></xsl:attribute></xsl:for-each>
        <xsl:for-each select="CourseQualityPointsEarned"><xsl:attribute name="quality-points"><xsl:value-of select="normalize-space()"/></xsl:attribute></xsl:for-each>
      </credits>
      <xsl:for-each select="CourseNarrativeExplanationGrade"><xsl:if test="normalize-space()"><narrative><xsl:value-of select="normalize-space()"/></narrative></xsl:if></xsl:for-each>
      <xsl:for-each select="CourseInstructionSiteName"><xsl:if test="normalize-space()"><location><xsl:value-of select="normalize-space()"/></location></xsl:if></xsl:for-each>
      <xsl:for-each select="CourseInstructor/Name"><xsl:variable name="who" select="f:default(normalize-space(CompositeName), normalize-space(concat(FirstName, ' ', LastName)))"/><xsl:if test="$who"><instructor><xsl:value-of select="$who"/></instructor></xsl:if></xsl:for-each>
      <xsl:for-each select="LanguageOfInstruction[1]/LanguageCode"><xsl:if test="f:matches(., '^[A-Za-z]{3}$')"><language><xsl:value-of select="f:lower(.)"/></language></xsl:if></xsl:for-each>
      <xsl:for-each select="CourseCreditLevel[../CourseLevel] | CourseRepeatCode | CourseInstructionSite | CourseInstructionMethod | LearningTopic[position() &lt;= 40]"><xsl:if test="normalize-space()"><tag><xsl:value-of select="normalize-space()"/></tag></xsl:if></xsl:for-each>
      <xsl:for-each select="OriginalCourseID | AgencyCourseID | OverrideSchoolCourseNumber"><xsl:if test="normalize-space()">
        <other-identifier issuer="{$src}" value="{normalize-space()}">
          <xsl:attribute name="scheme"><xsl:choose>
            <xsl:when test="self::OriginalCourseID">ext:original-course-id</xsl:when><xsl:when test="self::AgencyCourseID">ext:agency-course-id</xsl:when><xsl:otherwise>ext:override-course-number</xsl:otherwise>
          </xsl:choose></xsl:attribute>
        </other-identifier></xsl:if></xsl:for-each>
      <xsl:if test="$grade">
        <result name="Final grade" value="{$grade}">
          <xsl:attribute name="type"><xsl:choose><xsl:when test="number($grade) = number($grade)">RawScore</xsl:when><xsl:otherwise>LetterGrade</xsl:otherwise></xsl:choose></xsl:attribute>
          <xsl:for-each select="CourseAcademicGradeScaleCode[normalize-space()]"><xsl:attribute name="scale"><xsl:value-of select="normalize-space()"/></xsl:attribute></xsl:for-each>
          <xsl:if test="CourseGPAApplicabilityCode = 'NotApplicable' or $status-code = 'AuditedCourse' or $repeat = 'RepeatNotCounted' or $repeat = 'ReplacedNotCounted' or $repeat = 'NotCountedOther'">
            <xsl:attribute name="excluded-from-gpa">true</xsl:attribute></xsl:if>
        </result>
      </xsl:if>
      <xsl:if test="$status-code">
        <result type="Status" name="Grade status" value="{f:default(f:code('pesc-grade-status', $status-code, 'label'), $status-code)}">
          <xsl:if test="$status"><xsl:attribute name="status"><xsl:value-of select="$status"/></xsl:attribute></xsl:if>
        </result>
      </xsl:if>
      <xsl:apply-templates select="CourseSupplementalAcademicGrade/CourseSupplementalGrade"/>
      <xsl:for-each select="CourseEquivalentAcademicGrade[normalize-space(EquivalentAcademicGrade)]"><result type="Result" name="Equivalent grade" value="{normalize-space(EquivalentAcademicGrade)}">
        <xsl:if test="normalize-space(EquivalentGradeScaleCode)"><xsl:attribute name="scale"><xsl:value-of select="normalize-space(EquivalentGradeScaleCode)"/></xsl:attribute></xsl:if></result></xsl:for-each>
      <xsl:apply-templates select="CourseCIPCode | CourseCSISCode | CourseUSISCode | CourseNCESCode | CourseSCEDCode | CourseFiveDigitSCEDCode | CourseSubjectAreaCode"/>
      <xsl:apply-templates select="Requirement | Attribute | Proficiency"/>
      <association type="isPartOf" target="{$within}"/>
      <xsl:apply-templates select="NoteMessage | CourseOverrideSchool/NoteMessage | CourseSupplementalAcademicGrade/CourseSupplementalGrade/NoteMessage"/>
    </achievement>
    <xsl:apply-templates select="$outcomes"><xsl:with-param name="course" select="string($key)"/></xsl:apply-templates>
    <xsl:apply-templates select="Licensure"><xsl:with-param name="course" select="string($key)"/></xsl:apply-templates>
  </xsl:template>

  <xsl:template match="CourseSupplementalGrade">
    <xsl:variable name="value" select="f:default(normalize-space(CourseAcademicSupplementalGrade), f:code('pesc-grade-status', normalize-space(CourseAcademicSupplementalGradeStatusCode), 'label'))"/>
    <xsl:if test="$value">
      <result type="Result" name="{normalize-space(concat('Supplemental grade ', SupplementalGradeCode, ' ', SupplementalGradeSubSession))}" value="{$value}">
        <xsl:for-each select="CourseAcademicSupplementalGradeScaleCode[normalize-space()]"><xsl:attribute name="scale"><xsl:value-of select="normalize-space()"/></xsl:attribute></xsl:for-each>
      </result>
    </xsl:if>
  </xsl:template>

  <!-- What kind of subject it is, in somebody's classification. -->
  <xsl:template match="CourseCIPCode | CourseCSISCode | CourseUSISCode | CourseNCESCode | CourseSCEDCode | CourseFiveDigitSCEDCode | CourseSubjectAreaCode">
    <xsl:variable name="code" select="normalize-space()"/>
    <xsl:if test="$code">
      <xsl:variable name="framework"><xsl:choose>
        <xsl:when test="self::CourseCIPCode">CIP</xsl:when><xsl:when test="self::CourseCSISCode">CSIS</xsl:when><xsl:when test="self::CourseUSISCode">USIS</xsl:when>
        <xsl:when test="self::CourseNCESCode">NCES</xsl:when><xsl:when test="self::CourseSubjectAreaCode">SubjectArea</xsl:when><xsl:otherwise>SCED</xsl:otherwise></xsl:choose></xsl:variable>
      <alignment name="{$framework} {$code}" code="{$code}" framework="{$framework}">
        <xsl:if test="self::CourseCIPCode"><xsl:attribute name="url">https://nces.ed.gov/ipeds/cipcode</xsl:attribute></xsl:if>
      </alignment>
    </xsl:if>
  </xsl:template>

  <!-- A requirement, attribute or proficiency that the course meets. -->
  <xsl:template match="Course/Requirement | Course/Attribute | Course/Proficiency">
    <xsl:variable name="name" select="f:default(normalize-space(concat(RAPName, ' ', RAPSubName)), normalize-space(RAPCode))"/>
    <xsl:if test="$name">
      <alignment name="{$name}" framework="{local-name()}">
        <xsl:if test="normalize-space(RAPCode)"><xsl:attribute name="code"><xsl:value-of select="normalize-space(RAPCode)"/></xsl:attribute></xsl:if>
        <xsl:if test="ConditionsMetCode | NoteMessage[normalize-space()]"><xsl:attribute name="description">
          <xsl:if test="ConditionsMetCode">Conditions met: <xsl:value-of select="normalize-space(ConditionsMetCode)"/></xsl:if>
          <xsl:for-each select="NoteMessage[normalize-space()]"><xsl:value-of select="concat('. ', normalize-space())"/></xsl:for-each>
        </xsl:attribute></xsl:if>
      </alignment>
    </xsl:if>
  </xsl:template>

  <xsl:template match="LearningOutcome">
    <xsl:param name="course"/>
    <xsl:variable name="text" select="normalize-space(LearningOutcomeDescription)"/>
    <achievement key="{$course}|outcome|{position()}|{substring(f:sha256($text), 1, 16)}" type="Competency" component="outcomes">
      <xsl:call-template name="official"/>
      <name><xsl:value-of select="f:default($text, 'Learning outcome')"/></name>
      <xsl:for-each select="LearningOutcomeQualificationAssessment">
        <result type="PerformanceLevel" name="{normalize-space(LearningOutcomeSkillCode)}" value="{normalize-space(LearningOutcomeProficiencyCode)}"/>
      </xsl:for-each>
      <xsl:for-each select="AlternateOutcomeFramework">
        <xsl:variable name="url" select="normalize-space(FrameworkSourceReference/URLAddress)"/>
        <xsl:for-each select="FrameworkOutcome[normalize-space(concat(FrameworkOutcomeValue, FrameworkOutcomeId))]">
          <alignment name="{f:default(normalize-space(FrameworkOutcomeValue), normalize-space(FrameworkOutcomeId))}">
            <xsl:if test="(starts-with($url, 'http://') or starts-with($url, 'https://')) and not(contains($url, ' '))"><xsl:attribute name="url"><xsl:value-of select="$url"/></xsl:attribute></xsl:if>
            <xsl:if test="normalize-space(FrameworkOutcomeId)"><xsl:attribute name="code"><xsl:value-of select="normalize-space(FrameworkOutcomeId)"/></xsl:attribute></xsl:if>
          </alignment>
        </xsl:for-each>
      </xsl:for-each>
      <association type="isChildOf" target="{$course}"/>
    </achievement>
  </xsl:template>

  <xsl:template match="Licensure">
    <xsl:param name="course"/>
    <xsl:variable name="base" select="concat(f:slug(LicensureName), '|', normalize-space(LicensureStateProvinceCode))"/>
    <xsl:variable name="fulfilled" select="normalize-space(LicensureFulfillmentCode)"/>
    <achievement type="License" component="licensures">
      <xsl:attribute name="key">
        <xsl:value-of select="concat($src, '|license|', $base)"/>
        <xsl:call-template name="repeat"><xsl:with-param name="same" select="key('licensure', $base)"/></xsl:call-template>
      </xsl:attribute>
      <xsl:choose>
        <xsl:when test="$fulfilled = 'Partial' or $fulfilled = 'Contribute'"><xsl:attribute name="status">InProgress</xsl:attribute></xsl:when>
        <xsl:when test="$fulfilled = 'Complete' or LicensurePassageDate"><xsl:attribute name="status">Completed</xsl:attribute></xsl:when>
      </xsl:choose>
      <xsl:call-template name="day"><xsl:with-param name="name" select="'awarded'"/><xsl:with-param name="value" select="LicensurePassageDate"/></xsl:call-template>
      <xsl:call-template name="official"/>
      <name><xsl:value-of select="f:default(normalize-space(LicensureName), 'License')"/></name>
      <xsl:if test="LicensureStateProvinceCode"><location><xsl:value-of select="normalize-space(LicensureStateProvinceCode)"/></location></xsl:if>
      <xsl:if test="$course"><association type="isRelatedTo" target="{$course}"/></xsl:if>
      <xsl:apply-templates select="NoteMessage"/>
    </achievement>
  </xsl:template>

  <!-- Beyond courses: program requirements, attributes and proficiencies of the student, licences. -->
  <xsl:template match="AdditionalStudentAchievements">
    <xsl:param name="school"/>
    <xsl:for-each select="Requirement | Attribute | Proficiency">
      <xsl:variable name="base" select="concat(f:lower(local-name()), '|', normalize-space(RAPCode), '|', f:slug(concat(RAPName, ' ', RAPSubName)))"/>
      <xsl:variable name="met" select="normalize-space(ConditionsMetCode)"/>
      <achievement>
        <xsl:attribute name="key">
          <xsl:value-of select="concat($src, '|', $base)"/>
          <xsl:call-template name="repeat"><xsl:with-param name="same" select="key('rap', $base)"/></xsl:call-template>
        </xsl:attribute>
        <xsl:attribute name="type"><xsl:choose><xsl:when test="self::Proficiency">Competency</xsl:when><xsl:otherwise>Achievement</xsl:otherwise></xsl:choose></xsl:attribute>
        <xsl:attribute name="component"><xsl:choose><xsl:when test="self::Proficiency">outcomes</xsl:when><xsl:when test="self::Requirement">programs</xsl:when><xsl:otherwise>academic-record</xsl:otherwise></xsl:choose></xsl:attribute>
        <xsl:choose>
          <xsl:when test="$met = 'Yes'"><xsl:attribute name="status">Completed</xsl:attribute></xsl:when>
          <xsl:when test="$met = 'No'"><xsl:attribute name="status">InProgress</xsl:attribute></xsl:when>
          <xsl:when test="$met = 'Conditional'"><xsl:attribute name="status">Provisional</xsl:attribute></xsl:when>
        </xsl:choose>
        <xsl:call-template name="day"><xsl:with-param name="name" select="'awarded'"/><xsl:with-param name="value" select="ConditionsMetDate"/></xsl:call-template>
        <xsl:call-template name="official"/>
        <name><xsl:value-of select="f:default(normalize-space(concat(RAPName, ' ', RAPSubName)), f:default(normalize-space(RAPCode), local-name()))"/></name>
        <xsl:if test="normalize-space(RAPCode)"><code><xsl:value-of select="normalize-space(RAPCode)"/></code></xsl:if>
        <xsl:call-template name="taught-by"><xsl:with-param name="school" select="$school"/></xsl:call-template>
        <xsl:apply-templates select="NoteMessage"/>
      </achievement>
    </xsl:for-each>
    <xsl:apply-templates select="Licensure"/>
  </xsl:template>

  <xsl:template match="LearningExperience">
    <xsl:param name="within"/>
    <xsl:param name="session"/>
    <xsl:variable name="sponsor" select="normalize-space(SponsorOrganization)"/>
    <achievement key="{$within}|experience|{position()}|{substring(f:slug($sponsor), 1, 60)}" type="Fieldwork" component="internships">
      <xsl:call-template name="official"/>
      <name><xsl:choose><xsl:when test="$sponsor">Learning experience at <xsl:value-of select="substring($sponsor, 1, 900)"/></xsl:when><xsl:otherwise>Learning experience</xsl:otherwise></xsl:choose></name>
      <xsl:if test="$sponsor"><source-organization name="{substring($sponsor, 1, 1000)}"/></xsl:if>
      <xsl:copy-of select="$session"/>
      <xsl:if test="normalize-space(LearningReflection)"><narrative><xsl:value-of select="substring(normalize-space(LearningReflection), 1, 20000)"/></narrative></xsl:if>
      <xsl:if test="normalize-space(PlacementLocation)"><location><xsl:value-of select="substring(normalize-space(PlacementLocation), 1, 1000)"/></location></xsl:if>
      <xsl:for-each select="Mentor/Name"><xsl:variable name="who" select="f:default(normalize-space(CompositeName), normalize-space(concat(FirstName, ' ', LastName)))"/><xsl:if test="$who"><instructor><xsl:value-of select="$who"/></instructor></xsl:if></xsl:for-each>
      <association type="isPartOf" target="{$within}"/>
      <xsl:apply-templates select="NoteMessage"/>
    </achievement>
  </xsl:template>

  <!-- A test that the student reported himself is no official result; an invalidated score is told, not shown. -->
  <xsl:template match="Tests">
    <xsl:variable name="code" select="normalize-space(TestCode | EducationTestCode)"/>
    <xsl:variable name="when" select="normalize-space(TestDate | TestYearMonth | TestYear)"/>
    <xsl:variable name="base" select="concat($code, '|', $when)"/>
    <xsl:variable name="scores" select="Subtest/TestScores"/>
    <achievement type="Assessment" component="academic-record">
      <xsl:attribute name="key">
        <xsl:value-of select="concat($src, '|test|', $base)"/>
        <xsl:call-template name="repeat"><xsl:with-param name="same" select="key('test', $base)"/></xsl:call-template>
      </xsl:attribute>
      <xsl:if test="f:matches($when, '^[0-9]{4}(-[0-9]{2}){0,2}')"><xsl:attribute name="awarded"><xsl:value-of select="f:group($when, '^([0-9]{4}(-[0-9]{2}){0,2})', 1)"/></xsl:attribute></xsl:if>
      <xsl:if test="$unofficial or $scores[ScoreSelfreportedIndicator = 'true' or ScoreSelfreportedIndicator = '1' or ScoreSelfreportedIndicator = 'True']"><xsl:attribute name="official">false</xsl:attribute></xsl:if>
      <name><xsl:value-of select="f:default(normalize-space(TestName), f:default($code, 'Test'))"/></name>
      <xsl:if test="$code"><code><xsl:value-of select="$code"/></code></xsl:if>
      <xsl:for-each select="Subtest">
        <xsl:variable name="subtest" select="f:default(normalize-space(SubtestName), normalize-space(SubtestCode | EducationSubtestCode))"/>
        <xsl:for-each select="TestScores[not(ScoreInvalidatedIndicator = 'true' or ScoreInvalidatedIndicator = '1' or ScoreInvalidatedIndicator = 'True')]">
          <xsl:if test="normalize-space(ScoreValue)">
            <result type="{f:default(f:code('pesc-score-methods', normalize-space(TestScoreMethod)), 'Result')}" name="{normalize-space(concat(f:default($subtest, 'Score'), ' ', TestScoreMethod))}" value="{normalize-space(ScoreValue)}"/>
          </xsl:if>
        </xsl:for-each>
      </xsl:for-each>
      <xsl:for-each select="$scores[ScoreInvalidatedIndicator = 'true' or ScoreInvalidatedIndicator = '1' or ScoreInvalidatedIndicator = 'True']"><note>A score was invalidated: <xsl:value-of select="f:default(normalize-space(../SubtestName), normalize-space(../SubtestCode | ../EducationSubtestCode))"/></note></xsl:for-each>
      <xsl:apply-templates select="NoteMessage | StudentLevel/NoteMessage | Subtest/NoteMessage | Subtest/TestScores/NoteMessage"/>
    </achievement>
  </xsl:template>
</xsl:stylesheet>
