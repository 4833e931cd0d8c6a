<?xml version="1.0" encoding="UTF-8"?>
<!-- What every PESC stylesheet needs: organizations, people, notes, days. Context nodes are PESC elements in no namespace. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f">

  <!-- Code of an Organization or School as TYPE:code. The first that it has, the most widely shared first; without any its name. -->
  <xsl:template name="organization-code">
    <xsl:choose>
      <xsl:when test="FICE">FICE:<xsl:value-of select="normalize-space(FICE)"/></xsl:when>
      <xsl:when test="OPEID">OPEID:<xsl:value-of select="normalize-space(OPEID)"/></xsl:when>
      <xsl:when test="IPEDS">IPEDS:<xsl:value-of select="normalize-space(IPEDS)"/></xsl:when>
      <xsl:when test="ATP">ATP:<xsl:value-of select="normalize-space(ATP)"/></xsl:when>
      <xsl:when test="CEEBACT">CEEBACT:<xsl:value-of select="normalize-space(CEEBACT)"/></xsl:when>
      <xsl:when test="ACT">ACT:<xsl:value-of select="normalize-space(ACT)"/></xsl:when>
      <xsl:when test="CSIS">CSIS:<xsl:value-of select="normalize-space(CSIS)"/></xsl:when>
      <xsl:when test="USIS">USIS:<xsl:value-of select="normalize-space(USIS)"/></xsl:when>
      <xsl:when test="ESIS">ESIS:<xsl:value-of select="normalize-space(ESIS)"/></xsl:when>
      <xsl:when test="PSIS">PSIS:<xsl:value-of select="normalize-space(PSIS)"/></xsl:when>
      <xsl:when test="PSID">PSID:<xsl:value-of select="normalize-space(PSID)"/></xsl:when>
      <xsl:when test="CCD">CCD:<xsl:value-of select="normalize-space(CCD)"/></xsl:when>
      <xsl:when test="PSS">PSS:<xsl:value-of select="normalize-space(PSS)"/></xsl:when>
      <xsl:when test="DUNS">DUNS:<xsl:value-of select="normalize-space(DUNS)"/></xsl:when>
      <xsl:when test="APAS">APAS:<xsl:value-of select="normalize-space(APAS)"/></xsl:when>
      <xsl:when test="NCHELPID">NCHELPID:<xsl:value-of select="normalize-space(NCHELPID)"/></xsl:when>
      <xsl:when test="GEOCode | GeoCode">GEOCode:<xsl:value-of select="normalize-space(GEOCode | GeoCode)"/></xsl:when>
      <xsl:when test="LocalOrganizationID"><xsl:value-of select="concat('Local-', normalize-space(LocalOrganizationID/LocalOrganizationIDQualifier), ':', normalize-space(LocalOrganizationID/LocalOrganizationIDCode))"/></xsl:when>
      <xsl:when test="MutuallyDefined">MutuallyDefined:<xsl:value-of select="normalize-space(MutuallyDefined)"/></xsl:when>
      <xsl:otherwise>name:<xsl:value-of select="f:slug(OrganizationName)"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- The attributes and codes of an Organization or School, inside the element that names its part. -->
  <xsl:template name="organization">
    <xsl:if test="normalize-space(OrganizationName)"><xsl:attribute name="name"><xsl:value-of select="normalize-space(OrganizationName)"/></xsl:attribute></xsl:if>
    <xsl:for-each select="OPEID | NCHELPID | IPEDS | ATP | FICE | ACT | CCD | CEEBACT | CSIS | USIS | ESIS | PSIS | PSS | DUNS | MutuallyDefined | APAS | GEOCode">
      <xsl:if test="normalize-space()"><code scheme="{local-name()}" value="{normalize-space()}"/></xsl:if>
    </xsl:for-each>
    <xsl:for-each select="(GeoCode | PSID)[normalize-space()]">
      <code value="{normalize-space()}"><xsl:attribute name="scheme"><xsl:choose><xsl:when test="self::PSID">PSID</xsl:when><xsl:otherwise>GEOCode</xsl:otherwise></xsl:choose></xsl:attribute></code>
    </xsl:for-each>
    <xsl:for-each select="LocalOrganizationID[normalize-space(LocalOrganizationIDCode)]">
      <code scheme="Local-{normalize-space(LocalOrganizationIDQualifier)}" value="{normalize-space(LocalOrganizationIDCode)}"/>
    </xsl:for-each>
  </xsl:template>

  <!-- PersonName attributes of a Name. For people to read; nothing is matched by it. -->
  <xsl:template name="person-name">
    <xsl:variable name="middle"><xsl:for-each select="MiddleName"><xsl:value-of select="concat(., ' ')"/></xsl:for-each></xsl:variable>
    <xsl:variable name="joined" select="normalize-space(concat(FirstName, ' ', $middle, ' ', LastName, ' ', NameSuffix))"/>
    <xsl:variable name="full" select="f:default(normalize-space(CompositeName), $joined)"/>
    <xsl:if test="$full"><xsl:attribute name="full"><xsl:value-of select="$full"/></xsl:attribute></xsl:if>
    <xsl:if test="normalize-space(FirstName)"><xsl:attribute name="given"><xsl:value-of select="normalize-space(FirstName)"/></xsl:attribute></xsl:if>
    <xsl:if test="normalize-space(LastName)"><xsl:attribute name="family"><xsl:value-of select="normalize-space(LastName)"/></xsl:attribute></xsl:if>
    <xsl:if test="normalize-space($middle)"><xsl:attribute name="middle"><xsl:value-of select="normalize-space($middle)"/></xsl:attribute></xsl:if>
    <xsl:if test="normalize-space(NameSuffix)"><xsl:attribute name="suffix"><xsl:value-of select="normalize-space(NameSuffix)"/></xsl:attribute></xsl:if>
  </xsl:template>

  <!-- An attribute with the day of a date; a zone behind it is dropped, another form (a year of five digits) is left out. -->
  <xsl:template name="day">
    <xsl:param name="name"/>
    <xsl:param name="value"/>
    <xsl:variable name="day" select="normalize-space($value)"/>
    <xsl:if test="substring($day, 5, 1) = '-' and substring($day, 8, 1) = '-'">
      <xsl:attribute name="{$name}"><xsl:value-of select="substring($day, 1, 10)"/></xsl:attribute>
    </xsl:if>
  </xsl:template>

  <!-- NoteMessage: one note each; what is written like a social security number is masked. -->
  <xsl:template match="NoteMessage">
    <xsl:if test="normalize-space()"><note><xsl:value-of select="f:replace(normalize-space(), '\b([0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{9})\b', '***')"/></note></xsl:if>
  </xsl:template>
</xsl:stylesheet>
