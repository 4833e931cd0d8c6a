<?xml version="1.0" encoding="UTF-8"?>
<!-- A GradeEvent of Canvas in the Caliper format: the same statement, under the same key, as grade_change in its own format. The learner is the
     attempt's assignee; the actor is who graded. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">
  <xsl:import href="lib/canvas-grade.xsl"/>

  <xsl:variable name="attempt" select="/json/object"/>
  <xsl:variable name="own" select="$attempt/extensions/com.instructure.canvas"/>
  <xsl:variable name="result" select="/json/generated"/>

  <!-- The envelope names no root account: the host is the one that served the request, and the shard that of the course. -->
  <xsl:variable name="host" select="f:lower(normalize-space(/json/extensions/com.instructure.canvas/hostname))"/>
  <xsl:variable name="course-id" select="f:group(/json/group/id, '^urn:instructure:canvas:course:([0-9]+)$', 1)"/>
  <xsl:variable name="course-sis-id"/>
  <xsl:variable name="shard" select="substring($course-id, 1, string-length($course-id) - 13)"/>
  <xsl:variable name="version">
    <xsl:variable name="time" select="normalize-space(/json/eventTime)"/>
    <xsl:value-of select="concat(substring($time, 1, 19), '.', substring(concat(substring-before(substring-after($time, '.'), 'Z'), '000'), 1, 3), 'Z')"/>
  </xsl:variable>

  <xsl:variable name="student" select="f:group($attempt/assignee/id, '^urn:instructure:canvas:user:([0-9]+)$', 1)"/>
  <xsl:variable name="student-sis-id" select="normalize-space($attempt/assignee/extensions/com.instructure.canvas/sis_id)"/>
  <xsl:variable name="submission" select="f:default(normalize-space($own/entity_id), f:group($attempt/id, '^urn:instructure:canvas:submission:([0-9]+)$', 1))"/>
  <xsl:variable name="assignment" select="f:group($attempt/assignable/id, '^urn:instructure:canvas:assignment:([0-9]+)$', 1)"/>
  <xsl:variable name="score" select="normalize-space($result/scoreGiven)"/>
  <xsl:variable name="possible" select="normalize-space($result/maxScore)"/>
  <xsl:variable name="grade" select="f:default(normalize-space($result/extensions/com.instructure.canvas/grade), normalize-space($own/grade))"/>

  <xsl:template match="/">
    <xsl:call-template name="require"><xsl:with-param name="value" select="/json/eventTime"/><xsl:with-param name="path" select="'/json/eventTime'"/></xsl:call-template>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$host"/><xsl:with-param name="path" select="'/json/extensions/com.instructure.canvas/hostname'"/></xsl:call-template>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$student"/><xsl:with-param name="path" select="'/json/object/assignee/id'"/></xsl:call-template>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$submission"/><xsl:with-param name="path" select="'/json/object/id'"/></xsl:call-template>
    <xsl:call-template name="grade"/>
  </xsl:template>
</xsl:stylesheet>
