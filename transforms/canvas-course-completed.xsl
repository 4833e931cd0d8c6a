<?xml version="1.0" encoding="UTF-8"?>
<!-- course_completed: all module requirements of a course are met. Says nothing of a grade. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">
  <xsl:import href="lib/canvas.xsl"/>

  <xsl:variable name="course"><xsl:call-template name="global-id"><xsl:with-param name="id" select="normalize-space($body/course/id)"/></xsl:call-template></xsl:variable>
  <xsl:variable name="user"><xsl:call-template name="global-id"><xsl:with-param name="id" select="normalize-space($body/user/id)"/></xsl:call-template></xsl:variable>
  <xsl:variable name="key" select="concat($host, '|course-completed|', $course, '|', $user)"/>

  <xsl:template match="/">
    <xsl:call-template name="check-event"/>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$user"/><xsl:with-param name="path" select="'/json/body/user/id'"/></xsl:call-template>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$course"/><xsl:with-param name="path" select="'/json/body/course/id'"/></xsl:call-template>
    <xsl:variable name="done" select="normalize-space($body/progress/requirement_completed_count)"/>
    <xsl:variable name="all" select="normalize-space($body/progress/requirement_count)"/>
    <xsl:variable name="completed" select="normalize-space($body/progress/completed_at)"/>
    <statement source="canvas" key="{$key}" version="{$version}" covers="part">
      <learner>
        <xsl:call-template name="user-identifiers"><xsl:with-param name="id" select="normalize-space($body/user/id)"/></xsl:call-template>
        <xsl:if test="normalize-space($body/user/name) != ''"><name full="{substring(normalize-space($body/user/name), 1, 1000)}"/></xsl:if>
      </learner>
      <xsl:call-template name="authority"/>
      <achievement key="{$key}" type="Course" component="outcomes" official="false">
        <xsl:attribute name="status"><xsl:choose><xsl:when test="$completed = ''">InProgress</xsl:when><xsl:otherwise>Completed</xsl:otherwise></xsl:choose></xsl:attribute>
        <xsl:if test="$completed != ''"><xsl:attribute name="awarded"><xsl:value-of select="$completed"/></xsl:attribute></xsl:if>
        <name><xsl:value-of select="f:default(substring(normalize-space($body/course/name), 1, 1000), concat('Canvas course ', f:replace(substring($course, string-length($course) - 12), '^0+', '')))"/></name>
        <xsl:if test="normalize-space($body/course/sis_source_id) != ''"><code><xsl:value-of select="normalize-space($body/course/sis_source_id)"/></code></xsl:if>
        <criteria>All module requirements of the course in Canvas</criteria>
        <other-identifier scheme="ext:canvas-course" issuer="{$host}" value="{$course}"/>
        <xsl:if test="$done != ''">
          <result type="RawScore" name="Module requirements met" value="{$done}" min="0"><xsl:if test="f:matches($all, '^[0-9]+$')"><xsl:attribute name="max"><xsl:value-of select="$all"/></xsl:attribute></xsl:if></result>
        </xsl:if>
      </achievement>
    </statement>
  </xsl:template>
</xsl:stylesheet>
