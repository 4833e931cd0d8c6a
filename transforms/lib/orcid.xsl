<?xml version="1.0" encoding="UTF-8"?>
<!-- ORCID iDs: found in a text, and only when the check digit (ISO 7064 MOD 11-2) is right: a mistyped one names another person. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">

  <!-- The iD in the form 0000-0002-1825-0097, or nothing. -->
  <xsl:template name="orcid">
    <xsl:param name="text"/>
    <xsl:variable name="id" select="f:group($text, '(^|[^0-9])([0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X])($|[^0-9A-Za-z])', 2)"/>
    <xsl:if test="$id != ''">
      <xsl:variable name="check"><xsl:call-template name="orcid-check"><xsl:with-param name="digits" select="translate(substring($id, 1, 18), '-', '')"/></xsl:call-template></xsl:variable>
      <xsl:if test="$check = substring($id, 19)"><xsl:value-of select="$id"/></xsl:if>
    </xsl:if>
  </xsl:template>

  <xsl:template name="orcid-check">
    <xsl:param name="digits"/>
    <xsl:param name="total" select="0"/>
    <xsl:choose>
      <xsl:when test="$digits != ''">
        <xsl:call-template name="orcid-check">
          <xsl:with-param name="digits" select="substring($digits, 2)"/>
          <xsl:with-param name="total" select="(($total + number(substring($digits, 1, 1))) * 2) mod 11"/>
        </xsl:call-template>
      </xsl:when>
      <xsl:otherwise><xsl:value-of select="substring('10X98765432', $total + 1, 1)"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
