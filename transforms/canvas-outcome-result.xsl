<?xml version="1.0" encoding="UTF-8"?>
<!-- learning_outcome_result_created, _updated: a learner was assessed against an outcome. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">
  <xsl:import href="lib/canvas.xsl"/>

  <xsl:variable name="uuid" select="normalize-space($body/user_uuid)"/>
  <xsl:variable name="outcome"><xsl:call-template name="global-id"><xsl:with-param name="id" select="normalize-space($body/learning_outcome_id)"/></xsl:call-template></xsl:variable>
  <xsl:variable name="asset"><xsl:call-template name="global-id"><xsl:with-param name="id" select="normalize-space($body/associated_asset_id)"/></xsl:call-template></xsl:variable>
  <!-- A created result has no id of its own, an updated one may have: outcome, person and what was assessed name it in both. -->
  <xsl:variable name="key" select="concat($host, '|outcome-result|', $outcome, '|', $uuid, '|', normalize-space($body/associated_asset_type), '|', $asset)"/>

  <xsl:template match="/">
    <xsl:call-template name="check-event"/>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$uuid"/><xsl:with-param name="path" select="'/json/body/user_uuid'"/></xsl:call-template>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$outcome"/><xsl:with-param name="path" select="'/json/body/learning_outcome_id'"/></xsl:call-template>
    <xsl:variable name="mastery" select="normalize-space($body/mastery)"/>
    <xsl:variable name="assessed" select="f:default(normalize-space($body/assessed_at), $version)"/>
    <xsl:variable name="score" select="normalize-space($body/score)"/>
    <statement source="canvas" key="{$key}" version="{$version}" covers="part">
      <learner><identifier scheme="canvas-uuid" issuer="{$host}" value="{$uuid}"/></learner>
      <xsl:call-template name="authority"/>
      <achievement key="{$key}" type="Competency" component="outcomes">
        <xsl:attribute name="status"><xsl:choose><xsl:when test="$mastery = 'true'">Completed</xsl:when><xsl:otherwise>InProgress</xsl:otherwise></xsl:choose></xsl:attribute>
        <xsl:if test="$mastery = 'true'"><xsl:attribute name="awarded"><xsl:value-of select="$assessed"/></xsl:attribute></xsl:if>
        <!-- The title is in the outcome's definition. -->
        <name>Learning outcome <xsl:value-of select="f:replace(substring($outcome, string-length($outcome) - 12), '^0+', '')"/></name>
        <definition key="{$host}|outcome|{$outcome}"/>
        <xsl:if test="normalize-space($body/artifact_id) != ''"><other-identifier scheme="ext:canvas-artifact" issuer="{$host}" value="{normalize-space(concat($body/artifact_type, ' ', $body/artifact_id))}"/></xsl:if>
        <xsl:if test="$mastery != ''">
          <result type="RubricCriterionLevel" name="Mastery" date="{substring($assessed, 1, 10)}">
            <xsl:attribute name="value"><xsl:choose><xsl:when test="$mastery = 'true'">Mastered</xsl:when><xsl:otherwise>Not yet mastered</xsl:otherwise></xsl:choose></xsl:attribute>
            <xsl:attribute name="achieved-level"><xsl:choose><xsl:when test="$mastery = 'true'">mastered</xsl:when><xsl:otherwise>not-yet-mastered</xsl:otherwise></xsl:choose></xsl:attribute>
            <level key="mastered" name="Mastered"/>
            <level key="not-yet-mastered" name="Not yet mastered"/>
          </result>
        </xsl:if>
        <xsl:if test="$score != ''">
          <result type="RubricScore" name="Score" value="{$score}" min="0" date="{substring($assessed, 1, 10)}">
            <xsl:if test="f:matches($body/possible, '^[0-9]+([.][0-9]+)?$')"><xsl:attribute name="max"><xsl:value-of select="normalize-space($body/possible)"/></xsl:attribute></xsl:if>
          </result>
        </xsl:if>
      </achievement>
    </statement>
  </xsl:template>
</xsl:stylesheet>
