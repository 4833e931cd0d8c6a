<?xml version="1.0" encoding="UTF-8"?>
<!-- A row of the roster to one person. routes/people/README.md says what becomes of each column. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">
  <xsl:import href="lib/orcid.xsl"/>
  <xsl:output method="xml" encoding="UTF-8" indent="no"/>

  <xsl:param name="zone" select="'UTC'"/>
  <xsl:param name="institution" select="'FICE:003658'"/>  <!-- our own code: issuer of our numbers -->
  <xsl:param name="canvas-host" select="'canvas.example.edu'"/>  <!-- as in root_account_lti_guid of Canvas events -->

  <xsl:template match="/">
    <xsl:variable name="id" select="normalize-space(row/institution_id)"/>
    <xsl:if test="not(row)"><xsl:message terminate="yes">PEOPLE-001|error|/|the root is not a row</xsl:message></xsl:if>
    <xsl:if test="$id = '' or translate($id, substring($id, 1, 1), '') = '' or f:code('placeholders', $id) != ''">
      <xsl:message terminate="yes">PEOPLE-002|error|/row/institution_id|a placeholder is no number of a person</xsl:message>
    </xsl:if>
    <xsl:variable name="orcid"><xsl:call-template name="orcid"><xsl:with-param name="text" select="normalize-space(row/orcid)"/></xsl:call-template></xsl:variable>
    <xsl:if test="normalize-space(row/orcid) != '' and $orcid = ''">
      <xsl:message terminate="yes">PEOPLE-003|error|/row/orcid|the check digit of the ORCID iD is wrong</xsl:message>
    </xsl:if>
    <person source="people" key="{$id}" blocked="{boolean(row/blocked[. = 'Y' or . = 'true' or . = '1'])}" deleted="{boolean(row/deleted[. = 'Y' or . = 'true' or . = '1'])}">
      <xsl:if test="normalize-space(row/updated_at) != ''">
        <xsl:attribute name="version"><xsl:value-of select="concat(substring(f:utc(f:date-time(translate(normalize-space(row/updated_at), ' ', 'T'), $zone)), 1, 19), 'Z')"/></xsl:attribute>
      </xsl:if>
      <identifier scheme="institution-id" issuer="{$institution}" value="{$id}"/>
      <xsl:apply-templates select="row/sis_id" mode="id"><xsl:with-param name="scheme" select="'sis-id'"/><xsl:with-param name="issuer" select="$institution"/></xsl:apply-templates>
      <!-- Our own transcripts name a person by the number of the SIS. -->
      <xsl:apply-templates select="row/sis_id" mode="id"><xsl:with-param name="scheme" select="'school-person-id'"/><xsl:with-param name="issuer" select="$institution"/></xsl:apply-templates>
      <xsl:apply-templates select="row/canvas_id" mode="id"><xsl:with-param name="scheme" select="'canvas-id'"/><xsl:with-param name="issuer" select="$canvas-host"/></xsl:apply-templates>
      <xsl:apply-templates select="row/canvas_global_id" mode="id"><xsl:with-param name="scheme" select="'canvas-global-id'"/><xsl:with-param name="issuer" select="$canvas-host"/></xsl:apply-templates>
      <xsl:apply-templates select="row/canvas_uuid" mode="id"><xsl:with-param name="scheme" select="'canvas-uuid'"/><xsl:with-param name="issuer" select="$canvas-host"/></xsl:apply-templates>
      <xsl:apply-templates select="row/hr_id" mode="id"><xsl:with-param name="scheme" select="'hr-id'"/><xsl:with-param name="issuer" select="$institution"/></xsl:apply-templates>
      <xsl:if test="$orcid != ''"><identifier scheme="orcid" issuer="orcid.org" value="{$orcid}"/></xsl:if>
      <xsl:if test="normalize-space(row/email) != ''"><identifier scheme="email" issuer="*" value="{f:lower(normalize-space(row/email))}"/></xsl:if>
      <xsl:call-template name="school-numbers"><xsl:with-param name="list" select="translate(normalize-space(row/school_person_ids), ' ', '')"/></xsl:call-template>
      <xsl:if test="normalize-space(concat(row/given_name, row/family_name)) != ''">
        <name>
          <xsl:if test="normalize-space(row/given_name) != ''"><xsl:attribute name="given"><xsl:value-of select="normalize-space(row/given_name)"/></xsl:attribute></xsl:if>
          <xsl:if test="normalize-space(row/family_name) != ''"><xsl:attribute name="family"><xsl:value-of select="normalize-space(row/family_name)"/></xsl:attribute></xsl:if>
        </name>
      </xsl:if>
      <xsl:if test="normalize-space(row/email) != ''"><email><xsl:value-of select="f:lower(normalize-space(row/email))"/></email></xsl:if>
    </person>
  </xsl:template>

  <!-- A number that is none (conf/codes/placeholders.csv, one repeated digit) identifies nobody. -->
  <xsl:template match="*" mode="id">
    <xsl:param name="scheme"/>
    <xsl:param name="issuer"/>
    <xsl:variable name="value" select="normalize-space()"/>
    <xsl:if test="$value != '' and f:code('placeholders', $value) = '' and (starts-with($scheme, 'canvas-') or translate($value, substring($value, 1, 1), '') != '')">
      <identifier scheme="{$scheme}" issuer="{$issuer}" value="{$value}"/>
    </xsl:if>
  </xsl:template>

  <xsl:template name="school-numbers">
    <xsl:param name="list"/>
    <xsl:if test="$list != ''">
      <xsl:variable name="first" select="substring-before(concat($list, ';'), ';')"/>
      <xsl:variable name="value" select="substring-after($first, '=')"/>
      <xsl:if test="$value != '' and f:code('placeholders', $value) = '' and translate($value, substring($value, 1, 1), '') != ''">
        <identifier scheme="school-person-id" issuer="{substring-before($first, '=')}" value="{$value}"/>
      </xsl:if>
      <xsl:call-template name="school-numbers"><xsl:with-param name="list" select="substring-after($list, ';')"/></xsl:call-template>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
