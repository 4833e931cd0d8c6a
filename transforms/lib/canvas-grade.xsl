<?xml version="1.0" encoding="UTF-8"?>
<!-- A graded submission as one statement, or its retraction. Who imports it says: student, student-sis-id, submission, assignment, score,
     possible, grade, partly. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">
  <xsl:import href="canvas.xsl"/>

  <xsl:variable name="student"/>
  <xsl:variable name="student-sis-id"/>
  <xsl:variable name="submission"/>
  <xsl:variable name="assignment"/>
  <xsl:variable name="score"/>
  <xsl:variable name="possible"/>
  <xsl:variable name="grade"/>
  <xsl:variable name="partly" select="false()"/>

  <xsl:template name="grade">
    <xsl:variable name="global-submission"><xsl:call-template name="global-id"><xsl:with-param name="id" select="$submission"/></xsl:call-template></xsl:variable>
    <xsl:variable name="key" select="concat($host, '|submission|', $global-submission)"/>
    <xsl:choose>
      <xsl:when test="$score = '' and $grade = ''">
        <retraction source="canvas" key="{$key}" version="{$version}"><reason>The grade was taken back</reason></retraction>
      </xsl:when>
      <xsl:otherwise>
        <xsl:call-template name="graded"><xsl:with-param name="key" select="$key"/></xsl:call-template>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="graded">
    <xsl:param name="key"/>
    <xsl:variable name="day" select="substring($version, 1, 10)"/>
    <xsl:variable name="global-assignment"><xsl:call-template name="global-id"><xsl:with-param name="id" select="$assignment"/></xsl:call-template></xsl:variable>
    <statement source="canvas" key="{$key}" version="{$version}" covers="part">
      <learner>
        <xsl:call-template name="user-identifiers"><xsl:with-param name="id" select="$student"/></xsl:call-template>
        <xsl:if test="$student-sis-id != ''"><identifier scheme="sis-id" issuer="{$institution}" value="{$student-sis-id}"/></xsl:if>
      </learner>
      <xsl:call-template name="authority"/>
      <achievement key="{$key}" type="Assignment" component="outcomes" official="false">
        <xsl:attribute name="status"><xsl:choose><xsl:when test="$partly">Provisional</xsl:when><xsl:otherwise>Completed</xsl:otherwise></xsl:choose></xsl:attribute>
        <!-- The event has neither the assignment's title nor the course's: the numbers and the SIS id of the course must do. -->
        <name>Assignment <xsl:value-of select="f:replace(substring($global-assignment, string-length($global-assignment) - 12), '^0+', '')"/><xsl:if test="$course-sis-id != ''"> in <xsl:value-of select="$course-sis-id"/></xsl:if></name>
        <xsl:call-template name="course-identifiers"/>
        <xsl:if test="$score != ''">
          <result type="RawScore" name="Score" value="{$score}" min="0" date="{$day}">
            <xsl:if test="f:matches($possible, '^[0-9]+([.][0-9]+)?$')"><xsl:attribute name="max"><xsl:value-of select="$possible"/></xsl:attribute></xsl:if>
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
