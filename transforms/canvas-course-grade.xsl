<?xml version="1.0" encoding="UTF-8"?>
<!-- course_grade_change: the running scores of a course. Only what the student sees: unposted scores are left out. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">
  <xsl:import href="lib/canvas.xsl"/>

  <xsl:variable name="course"><xsl:call-template name="global-id"><xsl:with-param name="id" select="normalize-space($body/course_id)"/></xsl:call-template></xsl:variable>
  <xsl:variable name="user"><xsl:call-template name="global-id"><xsl:with-param name="id" select="normalize-space($body/user_id)"/></xsl:call-template></xsl:variable>
  <xsl:variable name="key" select="concat($host, '|course-score|', $course, '|', $user)"/>

  <xsl:template match="/">
    <xsl:call-template name="check-event"/>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$user"/><xsl:with-param name="path" select="'/json/body/user_id'"/></xsl:call-template>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$course"/><xsl:with-param name="path" select="'/json/body/course_id'"/></xsl:call-template>
    <xsl:choose>
      <xsl:when test="$body/workflow_state = 'deleted' or (normalize-space($body/current_score) = '' and normalize-space($body/final_score) = '')">
        <retraction source="canvas" key="{$key}" version="{$version}"><reason>Canvas no longer holds a score for the course</reason></retraction>
      </xsl:when>
      <xsl:otherwise>
        <statement source="canvas" key="{$key}" version="{$version}" covers="part">
          <learner><xsl:call-template name="user-identifiers"><xsl:with-param name="id" select="normalize-space($body/user_id)"/></xsl:call-template></learner>
          <xsl:call-template name="authority"/>
          <achievement key="{$key}" type="Course" component="outcomes" status="InProgress" official="false">
            <name>Course score in <xsl:value-of select="f:default(normalize-space($metadata/context_sis_source_id), concat('Canvas course ', f:replace(substring($course, string-length($course) - 12), '^0+', '')))"/></name>
            <other-identifier scheme="ext:canvas-course" issuer="{$host}" value="{$course}"/>
            <xsl:if test="normalize-space($metadata/context_sis_source_id) != ''"><other-identifier scheme="ext:sis-course" issuer="{$institution}" value="{normalize-space($metadata/context_sis_source_id)}"/></xsl:if>
            <xsl:if test="normalize-space($body/current_score) != ''"><result type="Percent" name="Current score (graded work)" value="{normalize-space($body/current_score)}" min="0" date="{substring($version, 1, 10)}"/></xsl:if>
            <xsl:if test="normalize-space($body/final_score) != ''"><result type="Percent" name="Course score (missing work counts 0)" value="{normalize-space($body/final_score)}" min="0" date="{substring($version, 1, 10)}"/></xsl:if>
          </achievement>
        </statement>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
