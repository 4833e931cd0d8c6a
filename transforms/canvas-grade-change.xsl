<?xml version="1.0" encoding="UTF-8"?>
<!-- grade_change: a submission was graded. A score of the LMS, never a final grade. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">
  <xsl:import href="lib/canvas-grade.xsl"/>

  <xsl:variable name="student" select="f:default(normalize-space($body/student_id), normalize-space($body/user_id))"/>
  <xsl:variable name="student-sis-id" select="normalize-space($body/student_sis_id)"/>
  <xsl:variable name="submission" select="normalize-space($body/submission_id)"/>
  <xsl:variable name="assignment" select="normalize-space($body/assignment_id)"/>
  <xsl:variable name="score" select="normalize-space($body/score)"/>
  <xsl:variable name="possible" select="normalize-space($body/points_possible)"/>
  <xsl:variable name="grade" select="normalize-space($body/grade)"/>
  <xsl:variable name="partly" select="$body/grading_complete = 'false'"/>

  <xsl:template match="/">
    <xsl:call-template name="check-event"/>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$student"/><xsl:with-param name="path" select="'/json/body/student_id'"/></xsl:call-template>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$submission"/><xsl:with-param name="path" select="'/json/body/submission_id'"/></xsl:call-template>
    <xsl:call-template name="grade"/>
  </xsl:template>
</xsl:stylesheet>
