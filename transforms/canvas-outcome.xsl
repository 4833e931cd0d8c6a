<?xml version="1.0" encoding="UTF-8"?>
<!-- learning_outcome_created, _updated: an outcome of the catalogue, with its rubric. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">
  <xsl:import href="lib/canvas.xsl"/>

  <xsl:template match="/">
    <xsl:call-template name="check-event"/>
    <xsl:variable name="outcome"><xsl:call-template name="global-id"><xsl:with-param name="id" select="normalize-space($body/learning_outcome_id)"/></xsl:call-template></xsl:variable>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$outcome"/><xsl:with-param name="path" select="'/json/body/learning_outcome_id'"/></xsl:call-template>
    <xsl:variable name="title" select="f:default(normalize-space($body/title), normalize-space($body/short_description))"/>
    <xsl:call-template name="require"><xsl:with-param name="value" select="$title"/><xsl:with-param name="path" select="'/json/body/title'"/></xsl:call-template>
    <xsl:variable name="rubric" select="$body/rubric_criterion"/>
    <xsl:variable name="method" select="normalize-space($body/calculation_method)"/>
    <definition source="canvas" key="{$host}|outcome|{$outcome}" version="{$version}" type="Competency" component="outcomes" deleted="{normalize-space($body/workflow_state) = 'deleted'}">
      <name><xsl:value-of select="substring($title, 1, 1000)"/></name>
      <!-- Canvas lets people write HTML here. -->
      <xsl:variable name="text" select="normalize-space(f:replace(f:replace(f:replace(substring($body/description, 1, 15000), '&lt;[^&lt;&gt;]*&gt;', ' '), '&amp;nbsp;', ' '), '&amp;amp;', '&amp;'))"/>
      <xsl:if test="$text != ''"><description><xsl:value-of select="$text"/></description></xsl:if>
      <xsl:if test="normalize-space($rubric/mastery_points) != ''"><criteria>Mastery from <xsl:value-of select="normalize-space($rubric/mastery_points)"/> points</criteria></xsl:if>
      <xsl:if test="$method != ''"><assessment>Calculation in Canvas: <xsl:value-of select="normalize-space(concat($method, ' ', $body/calculation_int))"/></assessment></xsl:if>
      <xsl:call-template name="authority"/>
      <xsl:if test="normalize-space($body/vendor_guid) != ''"><other-identifier scheme="ext:vendor-guid" issuer="{$host}" value="{normalize-space($body/vendor_guid)}"/></xsl:if>
      <xsl:if test="$rubric">
        <scale type="RubricScore" name="Score" min="0">
          <xsl:if test="f:matches($rubric/points_possible, '^[0-9]+([.][0-9]+)?$')"><xsl:attribute name="max"><xsl:value-of select="normalize-space($rubric/points_possible)"/></xsl:attribute></xsl:if>
          <xsl:if test="normalize-space($rubric/mastery_points) != ''"><xsl:attribute name="required"><xsl:value-of select="normalize-space($rubric/mastery_points)"/></xsl:attribute></xsl:if>
          <xsl:for-each select="$rubric/ratings[not(@type = 'array')][normalize-space(description) != '']">
            <level key="{position()}" name="{substring(normalize-space(description), 1, 1000)}">
              <xsl:if test="f:matches(points, '^-?[0-9]+([.][0-9]+)?$')"><xsl:attribute name="points"><xsl:value-of select="normalize-space(points)"/></xsl:attribute></xsl:if>
            </level>
          </xsl:for-each>
        </scale>
      </xsl:if>
    </definition>
  </xsl:template>
</xsl:stylesheet>
