<?xml version="1.0" encoding="UTF-8"?>
<!-- grade_change: a submission was graded. A score of the LMS, never a final grade. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">
  <xsl:import href="lib/canvas.xsl"/>

  <xsl:variable name="student" select="f:default(normalize-space($body/student_id), normalize-space($body/user_id))"/>
  <xsl:variable name="score" select="normalize-space($body/score)"/>
  <xsl:variable name="grade" select="normalize-space($body/grade)"/>
  <xsl:variable name="key">
    <xsl:value-of select="concat($host, '|submission|')"/>
    <xsl:call-template name="global-id"><xsl:with-param name="id" select="normalize-space($body/submission_id)"/></xsl:call-template>
  </xsl:variable>

  <xsl:template match="/">
    <xsl:call-template name="check-event"/>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$student"/><xsl:with-param name="path" select="'/json/body/student_id'"/></xsl:call-template>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$body/submission_id"/><xsl:with-param name="path" select="'/json/body/submission_id'"/></xsl:call-template>
    <xsl:choose>
      <!-- A grade that was taken back. -->
      <xsl:when test="$score = '' and $grade = ''">
        <retraction source="canvas" key="{$key}" version="{$version}"><reason>The grade was taken back</reason></retraction>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="graded"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="graded">
    <xsl:variable name="day" select="substring($version, 1, 10)"/>
    <xsl:variable name="assignment"><xsl:call-template name="global-id"><xsl:with-param name="id" select="normalize-space($body/assignment_id)"/></xsl:call-template></xsl:variable>
    <statement source="canvas" key="{$key}" version="{$version}" covers="part">
      <learner>
        <xsl:call-template name="user-identifiers"><xsl:with-param name="id" select="$student"/></xsl:call-template>
        <xsl:if test="normalize-space($body/student_sis_id) != ''"><identifier scheme="sis-id" issuer="{$institution}" value="{normalize-space($body/student_sis_id)}"/></xsl:if>
      </learner>
      <xsl:call-template name="authority"/>
      <achievement key="{$key}" type="Assignment" component="outcomes" official="false">
        <xsl:attribute name="status"><xsl:choose><xsl:when test="$body/grading_complete = 'false'">Provisional</xsl:when><xsl:otherwise>Completed</xsl:otherwise></xsl:choose></xsl:attribute>
        <!-- The event has neither the assignment's title nor the course's: the numbers and the SIS id of the course must do. -->
        <name>Assignment <xsl:value-of select="f:replace(substring($assignment, string-length($assignment) - 12), '^0+', '')"/><xsl:if test="normalize-space($metadata/context_sis_source_id) != ''"> in <xsl:value-of select="normalize-space($metadata/context_sis_source_id)"/></xsl:if></name>
        <xsl:call-template name="course-identifiers"/>
        <xsl:if test="$score != ''">
          <result type="RawScore" name="Score" value="{$score}" min="0" date="{$day}">
            <xsl:if test="f:matches($body/points_possible, '^[0-9]+([.][0-9]+)?$')"><xsl:attribute name="max"><xsl:value-of select="normalize-space($body/points_possible)"/></xsl:attribute></xsl:if>
          </result>
        </xsl:if>
        <!-- What the teacher sees in the gradebook, when it says more than the score. -->
        <xsl:if test="$grade != '' and $grade != $score">
          <result name="Grade" value="{substring($grade, 1, 1000)}" date="{$day}">
            <xsl:attribute name="type"><xsl:choose>
              <xsl:when test="f:matches($grade, '^[0-9]+([.][0-9]+)?%$')">Percent</xsl:when>
              <xsl:when test="f:matches($grade, '^[A-Fa-f][+-]?$')">LetterGrade</xsl:when>
              <xsl:otherwise>Result</xsl:otherwise>
            </xsl:choose></xsl:attribute>
          </result>
        </xsl:if>
      </achievement>
    </statement>
  </xsl:template>
</xsl:stylesheet>
