<?xml version="1.0" encoding="UTF-8"?>
<!-- A student position to one statement: the job, and its ratings against the workplace outcomes of conf/codes/workplace-outcomes.csv. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">
  <xsl:output method="xml" encoding="UTF-8" indent="no"/>

  <xsl:param name="zone" select="'UTC'"/>
  <xsl:param name="steward" select="'Human Resources'"/>
  <xsl:param name="accepted-at"/>
  <xsl:param name="institution" select="'FICE:003658'"/>  <!-- issuer of the employee numbers -->
  <xsl:param name="framework" select="'Workplace outcomes'"/>

  <xsl:variable name="row" select="/row"/>
  <xsl:variable name="begin"><xsl:call-template name="day"><xsl:with-param name="text" select="$row/START_DATE"/></xsl:call-template></xsl:variable>
  <xsl:variable name="end"><xsl:call-template name="day"><xsl:with-param name="text" select="$row/END_DATE"/></xsl:call-template></xsl:variable>
  <xsl:variable name="rated"><xsl:call-template name="day"><xsl:with-param name="text" select="$row/RATED_ON"/></xsl:call-template></xsl:variable>

  <xsl:template match="/">
    <xsl:if test="not($row)"><xsl:message terminate="yes">HR-001|error|/|the root is not a row</xsl:message></xsl:if>
    <xsl:if test="not(f:is-date($begin))"><xsl:message terminate="yes">HR-003|error|/row/START_DATE|no day of the calendar</xsl:message></xsl:if>
    <xsl:if test="$end != '' and not(f:is-date($end))"><xsl:message terminate="yes">HR-003|error|/row/END_DATE|no day of the calendar</xsl:message></xsl:if>
    <xsl:if test="$rated != '' and not(f:is-date($rated))"><xsl:message terminate="yes">HR-003|error|/row/RATED_ON|no day of the calendar</xsl:message></xsl:if>
    <xsl:if test="$end != '' and translate($end, '-', '') &lt; translate($begin, '-', '')">
      <xsl:message terminate="yes">HR-002|error|/row/END_DATE|the position ends before it begins</xsl:message>
    </xsl:if>
    <xsl:variable name="key" select="concat(normalize-space($row/POSITION_ID), '|', normalize-space($row/EMPLOYEE_ID))"/>
    <xsl:variable name="unit" select="normalize-space($row/UNIT)"/>
    <!-- A day that is still to come ends nothing yet. -->
    <xsl:variable name="over" select="$end != '' and not($accepted-at != '' and translate($end, '-', '') &gt; translate(substring($accepted-at, 1, 10), '-', ''))"/>
    <statement source="hr" key="{$key}" covers="all">
      <xsl:if test="normalize-space($row/UPDATED_AT) != ''">
        <xsl:attribute name="version"><xsl:value-of select="concat(substring(f:utc(f:date-time(translate(normalize-space($row/UPDATED_AT), ' ', 'T'), $zone)), 1, 19), 'Z')"/></xsl:attribute>
      </xsl:if>
      <learner>
        <identifier scheme="hr-id" issuer="{$institution}" value="{normalize-space($row/EMPLOYEE_ID)}"/>
        <xsl:if test="normalize-space(concat($row/GIVEN_NAME, $row/FAMILY_NAME)) != ''">
          <name>
            <xsl:if test="normalize-space($row/GIVEN_NAME) != ''"><xsl:attribute name="given"><xsl:value-of select="normalize-space($row/GIVEN_NAME)"/></xsl:attribute></xsl:if>
            <xsl:if test="normalize-space($row/FAMILY_NAME) != ''"><xsl:attribute name="family"><xsl:value-of select="normalize-space($row/FAMILY_NAME)"/></xsl:attribute></xsl:if>
          </name>
        </xsl:if>
      </learner>
      <authority name="{f:default($steward, 'Human Resources')}" unit="{$unit}"/>
      <achievement key="{$key}" type="ext:Employment" component="employment" begin="{$begin}">
        <xsl:attribute name="status"><xsl:choose><xsl:when test="$over">Completed</xsl:when><xsl:otherwise>InProgress</xsl:otherwise></xsl:choose></xsl:attribute>
        <xsl:if test="$end != ''"><xsl:attribute name="end"><xsl:value-of select="$end"/></xsl:attribute></xsl:if>
        <name><xsl:value-of select="normalize-space($row/TITLE)"/></name>
        <code><xsl:value-of select="normalize-space($row/POSITION_ID)"/></code>
        <xsl:if test="normalize-space($row/DUTIES) != ''"><description><xsl:value-of select="normalize-space($row/DUTIES)"/></description></xsl:if>
        <source-organization name="{$unit}"/>
        <role><xsl:value-of select="normalize-space($row/TITLE)"/></role>
        <xsl:if test="normalize-space($row/TOTAL_HOURS) != ''"><hours><xsl:value-of select="normalize-space($row/TOTAL_HOURS)"/></hours></xsl:if>
        <xsl:for-each select="$row/*[string-length(normalize-space()) = 1 and contains('12345', normalize-space())]">
          <xsl:variable name="outcome" select="f:replace(f:lower(local-name()), '_', '-')"/>
          <xsl:variable name="title" select="f:code('workplace-outcomes', $outcome, 'name')"/>
          <xsl:if test="$title != ''">
            <result type="RubricCriterionLevel" name="{$title}" value="{f:code('workplace-ratings', normalize-space(), 'name')}" achieved-level="{normalize-space()}">
              <xsl:if test="$rated != ''"><xsl:attribute name="date"><xsl:value-of select="$rated"/></xsl:attribute></xsl:if>
              <xsl:if test="normalize-space($row/RATER) != ''"><xsl:attribute name="rater"><xsl:value-of select="normalize-space($row/RATER)"/></xsl:attribute></xsl:if>
              <xsl:call-template name="levels"/>
              <alignment name="{$title}" url="{f:code('workplace-outcomes', $outcome, 'url')}" code="{$outcome}" framework="{$framework}" type="ceasn:Competency"
                         description="{f:code('workplace-outcomes', $outcome, 'description')}"/>
            </result>
          </xsl:if>
        </xsl:for-each>
      </achievement>
    </statement>
  </xsl:template>

  <xsl:template name="levels">
    <xsl:param name="n" select="1"/>
    <xsl:if test="f:code('workplace-ratings', string($n), 'name') != ''">
      <level key="{$n}" name="{f:code('workplace-ratings', string($n), 'name')}" points="{$n}" description="{f:code('workplace-ratings', string($n), 'description')}"/>
      <xsl:call-template name="levels"><xsl:with-param name="n" select="$n + 1"/></xsl:call-template>
    </xsl:if>
  </xsl:template>

  <!-- 2024-08-19 or 8/19/2024 as 2024-08-19. -->
  <xsl:template name="day">
    <xsl:param name="text"/>
    <xsl:variable name="date" select="normalize-space($text)"/>
    <xsl:choose>
      <xsl:when test="contains($date, '/')">
        <xsl:variable name="rest" select="substring-after($date, '/')"/>
        <xsl:value-of select="concat(substring-after($rest, '/'), '-', format-number(substring-before($date, '/'), '00'), '-', format-number(substring-before($rest, '/'), '00'))"/>
      </xsl:when>
      <xsl:otherwise><xsl:value-of select="$date"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
