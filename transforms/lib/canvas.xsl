<?xml version="1.0" encoding="UTF-8"?>
<!-- What all Canvas events share. The person is always the one that the body names: the user in the metadata is who acted, for a grade the teacher. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">
  <xsl:output method="xml" encoding="UTF-8" indent="no"/>

  <xsl:param name="steward" select="'Canvas'"/>
  <xsl:param name="institution" select="'FICE:003658'"/>  <!-- issuer of the SIS ids that Canvas carries -->

  <xsl:variable name="metadata" select="/json/metadata"/>
  <xsl:variable name="body" select="/json/body"/>

  <!-- Who gave the ids: the host of the root account. It is in every event, also in those of background jobs, which have no hostname, and stays
       the same when people come by another name of the site. -->
  <xsl:variable name="host">
    <xsl:variable name="guid" select="normalize-space($metadata/root_account_lti_guid)"/>
    <xsl:value-of select="f:lower(f:default(substring-after($guid, '.'), normalize-space($metadata/hostname)))"/>
  </xsl:variable>

  <!-- A global id is shard and local id: 2107 0000000000048. Ids are text throughout: they do not fit a number. -->
  <xsl:variable name="shard" select="substring(normalize-space($metadata/root_account_id), 1, string-length(normalize-space($metadata/root_account_id)) - 13)"/>

  <xsl:variable name="version">
    <xsl:variable name="time" select="normalize-space($metadata/event_time)"/>
    <xsl:value-of select="concat(substring($time, 1, 19), '.', substring(concat(substring-before(substring-after($time, '.'), 'Z'), '000'), 1, 3), 'Z')"/>
  </xsl:variable>

  <xsl:template name="require">
    <xsl:param name="value"/>
    <xsl:param name="path"/>
    <xsl:if test="normalize-space($value) = ''">
      <xsl:message terminate="yes">CANVAS-002|error|<xsl:value-of select="$path"/>|the event does not say it, and it cannot be recorded without</xsl:message>
    </xsl:if>
  </xsl:template>

  <!-- What every event must say. -->
  <xsl:template name="check-event">
    <xsl:if test="not(f:matches($metadata/event_time, '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z$'))">
      <xsl:message terminate="yes">CANVAS-001|error|/json/metadata/event_time|no time in UTC</xsl:message>
    </xsl:if>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$host"/><xsl:with-param name="path" select="'/json/metadata/root_account_lti_guid'"/></xsl:call-template>
  </xsl:template>

  <xsl:template name="global-id">
    <xsl:param name="id"/>
    <xsl:choose>
      <xsl:when test="string-length($id) &gt; 13 or $id = '' or $shard = ''"><xsl:value-of select="$id"/></xsl:when>
      <xsl:otherwise><xsl:value-of select="concat($shard, substring('0000000000000', 1, 13 - string-length($id)), $id)"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- Identifiers of a person by any id of Canvas: both forms, so that a crosswalk may hold either. The local form only for a person of this
       account's own shard: elsewhere the same digits are somebody else. -->
  <xsl:template name="user-identifiers">
    <xsl:param name="id"/>
    <xsl:variable name="global"><xsl:call-template name="global-id"><xsl:with-param name="id" select="$id"/></xsl:call-template></xsl:variable>
    <xsl:if test="string-length($global) &gt; 13"><identifier scheme="canvas-global-id" issuer="{$host}" value="{$global}"/></xsl:if>
    <xsl:variable name="own" select="string-length($global) &gt; 13 and substring($global, 1, string-length($global) - 13) = $shard"/>
    <xsl:if test="$own or (string-length($id) &lt; 14 and $shard = '')">
      <xsl:variable name="digits"><xsl:choose><xsl:when test="$own"><xsl:value-of select="substring($global, string-length($global) - 12)"/></xsl:when><xsl:otherwise><xsl:value-of select="$id"/></xsl:otherwise></xsl:choose></xsl:variable>
      <identifier scheme="canvas-id" issuer="{$host}" value="{f:replace($digits, '^0+', '')}"/>
    </xsl:if>
  </xsl:template>

  <xsl:template name="authority"><authority name="{f:default($steward, 'Canvas')}"/></xsl:template>

  <!-- The course in which it happened. -->
  <xsl:variable name="course-id" select="normalize-space($metadata[normalize-space(context_type) = 'Course']/context_id)"/>
  <xsl:variable name="course-sis-id" select="normalize-space($metadata[normalize-space(context_type) = 'Course']/context_sis_source_id)"/>
  <xsl:template name="course-identifiers">
    <xsl:if test="$course-id != ''"><other-identifier scheme="ext:canvas-course" issuer="{$host}" value="{$course-id}"/></xsl:if>
    <xsl:if test="$course-sis-id != ''"><other-identifier scheme="ext:sis-course" issuer="{$institution}" value="{$course-sis-id}"/></xsl:if>
  </xsl:template>
</xsl:stylesheet>
