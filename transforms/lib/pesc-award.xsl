<?xml version="1.0" encoding="UTF-8"?>
<!-- PESC awards, programs, honours and summaries (GPA, credit hours, class rank). -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">

  <!-- A title may have 400 characters: behind the 80th its hash tells titles apart. -->
  <xsl:key name="award" match="AcademicAward" use="concat(normalize-space(AcademicAwardLevel), '|', substring(f:slug(concat(AcademicAwardTitle, ' ', AcademicAwardProgram/AcademicProgramName)), 1, 80),
      substring(f:sha256(f:slug(concat(AcademicAwardTitle, ' ', AcademicAwardProgram/AcademicProgramName))), 1, 16 * (string-length(f:slug(concat(AcademicAwardTitle, ' ', AcademicAwardProgram/AcademicProgramName))) &gt; 80)))"/>

  <!-- The date is no part of the key: an award that is expected today is the same one when it is conferred. -->
  <xsl:template match="AcademicAward">
    <xsl:param name="record"/>
    <xsl:param name="school"/>
    <xsl:variable name="level" select="normalize-space(AcademicAwardLevel)"/>
    <xsl:variable name="slug" select="f:slug(concat(AcademicAwardTitle, ' ', AcademicAwardProgram/AcademicProgramName))"/>
    <xsl:variable name="base" select="concat($level, '|', substring($slug, 1, 80), substring(f:sha256($slug), 1, 16 * (string-length($slug) &gt; 80)))"/>
    <xsl:variable name="done" select="normalize-space(AcademicCompletionIndicator)"/>
    <xsl:variable name="date" select="f:default(normalize-space(AcademicAwardDate), normalize-space(AcademicCompletionDate))"/>
    <xsl:variable name="open" select="$done = 'false' or $done = '0' or $done = 'False' or ($done = '' and $date = '')"/>
    <achievement component="academic-record">
      <xsl:attribute name="key">
        <xsl:value-of select="concat($src, '|award|', $base)"/>
        <xsl:call-template name="repeat"><xsl:with-param name="same" select="key('award', $base)"/></xsl:call-template>
      </xsl:attribute>
      <xsl:attribute name="type"><xsl:choose>
        <xsl:when test="$level"><xsl:value-of select="f:default(f:code('pesc-award-levels', $level), 'Achievement')"/></xsl:when>
        <xsl:when test="$open">LearningProgram</xsl:when>
        <xsl:otherwise>Achievement</xsl:otherwise>
      </xsl:choose></xsl:attribute>
      <xsl:if test="$level"><xsl:attribute name="level"><xsl:value-of select="f:default(f:code('pesc-award-levels', $level, 'label'), $level)"/></xsl:attribute></xsl:if>
      <xsl:attribute name="status"><xsl:choose><xsl:when test="$open">InProgress</xsl:when><xsl:otherwise>Completed</xsl:otherwise></xsl:choose></xsl:attribute>
      <xsl:if test="not($open)"><xsl:call-template name="day"><xsl:with-param name="name" select="'awarded'"/><xsl:with-param name="value" select="$date"/></xsl:call-template></xsl:if>
      <xsl:if test="$open"><xsl:call-template name="day"><xsl:with-param name="name" select="'end'"/><xsl:with-param name="value" select="$date"/></xsl:call-template></xsl:if>
      <xsl:call-template name="official"/>
      <name><xsl:value-of select="f:default(normalize-space(AcademicAwardTitle),
          f:default(normalize-space(AcademicAwardProgram/AcademicProgramName), f:default(f:code('pesc-award-levels', $level, 'label'), 'Award')))"/></name>
      <xsl:if test="$level"><code><xsl:value-of select="$level"/></code></xsl:if>
      <xsl:call-template name="taught-by"><xsl:with-param name="school" select="$school"/></xsl:call-template>
      <xsl:for-each select="AcademicAwardProgram | AcademicSummary/AcademicProgram"><xsl:call-template name="program"/></xsl:for-each>
      <xsl:variable name="major" select="AcademicAwardProgram[AcademicProgramType = 'Major']"/>
      <xsl:variable name="special" select="AcademicAwardProgram[AcademicProgramType = 'Concentration' or AcademicProgramType = 'Specialization' or AcademicProgramType = 'Focus']"/>
      <xsl:if test="normalize-space($major/AcademicProgramName)"><field-of-study><xsl:value-of select="normalize-space($major/AcademicProgramName)"/></field-of-study></xsl:if>
      <xsl:if test="normalize-space($special/AcademicProgramName)"><specialization><xsl:value-of select="normalize-space($special/AcademicProgramName)"/></specialization></xsl:if>
      <xsl:variable name="summaries" select="AcademicSummary | AcademicAwardProgram/ProgramSummary"/>
      <xsl:call-template name="honors"><xsl:with-param name="summaries" select=". | $summaries"/></xsl:call-template>
      <xsl:apply-templates select="$summaries"/>
      <xsl:apply-templates select="AcademicDegreeRequirement"/>
      <association type="isRelatedTo" target="{$record}"/>
      <xsl:apply-templates select="NoteMessage | AcademicHonors/NoteMessage | AcademicAwardProgram/NoteMessage | AcademicDegreeRequirement/NoteMessage | AcademicSummary/AcademicProgram/NoteMessage
          | $summaries/NoteMessage | $summaries/GPA/NoteMessage | $summaries/AcademicHonors/NoteMessage"/>
    </achievement>
  </xsl:template>

  <!-- A thesis or dissertation proves the award. -->
  <xsl:template match="AcademicDegreeRequirement">
    <xsl:variable name="title" select="normalize-space(ThesisDissertationTitle)"/>
    <xsl:variable name="url" select="normalize-space(URLAddress)"/>
    <xsl:if test="$title or $url">
      <evidence name="{substring(f:default($title, 'Thesis or dissertation'), 1, 1000)}" genre="thesis">
        <xsl:if test="(starts-with($url, 'http://') or starts-with($url, 'https://')) and not(contains($url, ' '))"><xsl:attribute name="url"><xsl:value-of select="$url"/></xsl:attribute></xsl:if>
        <xsl:if test="normalize-space(ThesisDissertationAdvisor)"><xsl:attribute name="narrative">Advisor: <xsl:value-of select="normalize-space(ThesisDissertationAdvisor)"/></xsl:attribute></xsl:if>
      </evidence>
    </xsl:if>
  </xsl:template>

  <!-- Context: any kind of program. Without a name its code names it. -->
  <xsl:template name="program">
    <xsl:variable name="cip" select="normalize-space(ProgramCIPCode)"/>
    <xsl:variable name="other" select="normalize-space(ProgramSecondarySchoolCode | ProgramHEGISCode | ProgramCSISCode | ProgramUSISCode | ProgramESISCode | ProgramLocalCode)"/>
    <xsl:variable name="name" select="f:default(normalize-space(AcademicProgramName), f:default($cip, $other))"/>
    <xsl:if test="$name">
      <program name="{$name}">
        <xsl:if test="normalize-space(AcademicProgramType)"><xsl:attribute name="type"><xsl:value-of select="normalize-space(AcademicProgramType)"/></xsl:attribute></xsl:if>
        <xsl:if test="$cip"><xsl:attribute name="cip"><xsl:value-of select="$cip"/></xsl:attribute></xsl:if>
        <xsl:if test="$other"><xsl:attribute name="code"><xsl:value-of select="$other"/></xsl:attribute></xsl:if>
      </program>
    </xsl:if>
  </xsl:template>

  <!-- Honours and prizes of an award and of summaries. -->
  <xsl:template name="honors">
    <xsl:param name="summaries"/>
    <xsl:for-each select="$summaries/AcademicHonors">
      <xsl:variable name="title" select="f:default(normalize-space(HonorsTitle), normalize-space(HonorsLevel))"/>
      <xsl:if test="$title">
        <honors title="{$title}">
          <xsl:if test="normalize-space(HonorsLevel)"><xsl:attribute name="level"><xsl:value-of select="normalize-space(HonorsLevel)"/></xsl:attribute></xsl:if>
        </honors>
      </xsl:if>
    </xsl:for-each>
    <xsl:for-each select="$summaries/Prize"><xsl:if test="normalize-space()"><honors title="{normalize-space()}" level="Prize"/></xsl:if></xsl:for-each>
  </xsl:template>

  <!-- ───── summaries: results named by kind and level, "GPA (SenderOnly, Undergraduate)" ───── -->
  <xsl:template match="AcademicSummary | ProgramSummary">
    <xsl:variable name="gpa" select="GPA"/>
    <xsl:variable name="kind" select="f:replace(normalize-space(concat(AcademicSummaryType, ' ', AcademicSummaryLevel, ' ', $gpa/GPAScopeCode)), ' ', ', ')"/>
    <xsl:variable name="of" select="substring(concat(' (', $kind, ')'), 1, (string-length($kind) + 3) * ($kind != ''))"/>
    <xsl:if test="$gpa">
      <xsl:if test="$gpa/GradePointAverage">
        <result type="GradePointAverage" name="GPA{$of}" value="{normalize-space($gpa/GradePointAverage)}">
          <xsl:if test="$gpa/GPARangeMinimum"><xsl:attribute name="min"><xsl:value-of select="normalize-space($gpa/GPARangeMinimum)"/></xsl:attribute></xsl:if>
          <xsl:if test="$gpa/GPARangeMaximum"><xsl:attribute name="max"><xsl:value-of select="normalize-space($gpa/GPARangeMaximum)"/></xsl:attribute></xsl:if>
        </result>
      </xsl:if>
      <xsl:for-each select="$gpa/CreditHoursAttempted"><result type="Result" name="Credit hours attempted{$of}" value="{normalize-space()}"/></xsl:for-each>
      <xsl:for-each select="$gpa/CreditHoursEarned"><result type="Result" name="Credit hours earned{$of}" value="{normalize-space()}"/></xsl:for-each>
      <xsl:for-each select="$gpa/CreditHoursRequired"><result type="Result" name="Credit hours required{$of}" value="{normalize-space()}"/></xsl:for-each>
      <xsl:for-each select="$gpa/CreditHoursforGPA"><result type="Result" name="Credit hours for GPA{$of}" value="{normalize-space()}"/></xsl:for-each>
      <xsl:for-each select="$gpa/TotalQualityPoints"><result type="Result" name="Quality points{$of}" value="{normalize-space()}"/></xsl:for-each>
      <xsl:for-each select="$gpa/CreditUnit"><result type="Result" name="Credit unit{$of}" value="{normalize-space()}"/></xsl:for-each>
    </xsl:if>
    <xsl:if test="ClassRank">
      <result type="Result" name="Class rank{$of}">
        <xsl:attribute name="value"><xsl:value-of select="normalize-space(ClassRank)"/><xsl:if test="ClassSize"> of <xsl:value-of select="normalize-space(ClassSize)"/></xsl:if></xsl:attribute>
      </result>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
