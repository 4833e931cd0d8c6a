<?xml version="1.0" encoding="UTF-8"?>
<!-- A record of a repository to one statement about the person who made the work, or to its retraction. Reads oai_dc and etdms by local names:
     they share them. routes/oai-pmh/README.md says whose ORCID is taken. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1" xmlns:oai="http://www.openarchives.org/OAI/2.0/"
                xmlns:f="urn:clrbus:functions:1" exclude-result-prefixes="f oai">
  <xsl:import href="lib/orcid.xsl"/>
  <xsl:output method="xml" encoding="UTF-8" indent="no"/>

  <xsl:param name="steward" select="'University Library'"/>

  <xsl:variable name="header" select="/oai:record/oai:header"/>
  <xsl:variable name="work" select="/oai:record/oai:metadata/*"/>
  <xsl:variable name="key" select="normalize-space($header/oai:identifier)"/>
  <xsl:variable name="version">
    <xsl:value-of select="normalize-space($header/oai:datestamp)"/>
    <xsl:if test="string-length(normalize-space($header/oai:datestamp)) = 10">T00:00:00Z</xsl:if>
  </xsl:variable>
  <xsl:variable name="creators" select="$work/*[local-name() = 'creator'][normalize-space()]"/>
  <xsl:variable name="types" select="$work/*[local-name() = 'type']"/>
  <xsl:variable name="type-text"><xsl:for-each select="$types"><xsl:value-of select="concat(' ', f:lower(normalize-space()))"/></xsl:for-each></xsl:variable>
  <xsl:variable name="thesis" select="local-name($work) = 'thesis' or contains($type-text, 'thesis') or contains($type-text, 'dissertation')"/>

  <xsl:template match="/">
    <xsl:if test="not($header)"><xsl:message terminate="yes">OAI-001|error|/|the root is not a record of OAI-PMH</xsl:message></xsl:if>
    <xsl:choose>
      <xsl:when test="$header/@status = 'deleted'">
        <retraction source="oai-pmh" key="{$key}" version="{$version}"><reason>Deleted in the repository</reason></retraction>
      </xsl:when>
      <xsl:when test="not($work)"><xsl:message terminate="yes">OAI-002|error|/record|no metadata, and the header does not say deleted</xsl:message></xsl:when>
      <xsl:when test="not($creators)"><xsl:message terminate="yes">OAI-003|error|/record/metadata|nobody is named as creator</xsl:message></xsl:when>
      <xsl:when test="not($work/*[local-name() = 'title'][normalize-space()])"><xsl:message terminate="yes">OAI-004|error|/record/metadata|the work has no title</xsl:message></xsl:when>
      <xsl:otherwise><xsl:call-template name="statement"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="statement">
    <!-- The first creator with an ORCID iD, else the first: then only a person can say who that is. -->
    <xsl:variable name="known"><xsl:call-template name="known-creator"/></xsl:variable>
    <xsl:variable name="orcid" select="substring-before($known, '|')"/>
    <xsl:variable name="creator">
      <xsl:choose>
        <xsl:when test="$orcid != ''"><xsl:value-of select="substring-after($known, '|')"/></xsl:when>
        <xsl:otherwise><xsl:call-template name="bare-name"><xsl:with-param name="text" select="$creators[1]"/></xsl:call-template></xsl:otherwise>
      </xsl:choose>
    </xsl:variable>
    <xsl:variable name="title" select="substring(normalize-space($work/*[local-name() = 'title'][normalize-space()][1]), 1, 1000)"/>
    <xsl:variable name="degree" select="$work/*[local-name() = 'degree'][1]"/>
    <statement source="oai-pmh" key="{$key}" version="{$version}" covers="all">
      <learner>
        <xsl:if test="$orcid != ''"><identifier scheme="orcid" issuer="orcid.org" value="{$orcid}"/></xsl:if>
        <xsl:if test="normalize-space($creator) != ''"><name full="{substring(normalize-space($creator), 1, 1000)}"/></xsl:if>
      </learner>
      <authority name="{f:default($steward, 'University Library')}"/>
      <achievement key="{$key}" status="Completed">
        <xsl:attribute name="type"><xsl:choose><xsl:when test="$thesis">ext:Thesis</xsl:when><xsl:otherwise>ext:ScholarlyWork</xsl:otherwise></xsl:choose></xsl:attribute>
        <xsl:attribute name="component"><xsl:choose><xsl:when test="$thesis">artifacts</xsl:when><xsl:otherwise>research</xsl:otherwise></xsl:choose></xsl:attribute>
        <xsl:variable name="level">
          <xsl:choose>
            <xsl:when test="normalize-space($degree/*[local-name() = 'level']) != ''"><xsl:value-of select="normalize-space($degree/*[local-name() = 'level'])"/></xsl:when>
            <xsl:when test="contains($type-text, 'doctoralthesis')">Doctoral</xsl:when>
            <xsl:when test="contains($type-text, 'masterthesis')">Master</xsl:when>
            <xsl:when test="contains($type-text, 'bachelorthesis')">Bachelor</xsl:when>
          </xsl:choose>
        </xsl:variable>
        <xsl:if test="$level != ''"><xsl:attribute name="level"><xsl:value-of select="$level"/></xsl:attribute></xsl:if>
        <xsl:variable name="day"><xsl:call-template name="day"/></xsl:variable>
        <xsl:if test="$day != ''"><xsl:attribute name="awarded"><xsl:value-of select="$day"/></xsl:attribute></xsl:if>
        <name><xsl:value-of select="$title"/></name>
        <xsl:variable name="description" select="normalize-space($work/*[local-name() = 'description'][normalize-space()][1])"/>
        <xsl:if test="$description != ''"><description><xsl:value-of select="substring($description, 1, 20000)"/></description></xsl:if>
        <xsl:variable name="body" select="normalize-space(f:default(normalize-space($degree/*[local-name() = 'grantor']), normalize-space($work/*[local-name() = 'publisher'][normalize-space()][1])))"/>
        <xsl:if test="$body != ''"><creator name="{substring($body, 1, 1000)}"/></xsl:if>
        <xsl:if test="normalize-space($degree/*[local-name() = 'name']) != ''"><program type="Degree" name="{normalize-space($degree/*[local-name() = 'name'])}"/></xsl:if>
        <xsl:if test="normalize-space($degree/*[local-name() = 'discipline']) != ''"><field-of-study><xsl:value-of select="normalize-space($degree/*[local-name() = 'discipline'])"/></field-of-study></xsl:if>
        <role><xsl:choose><xsl:when test="count($creators) = 1">Author</xsl:when><xsl:otherwise>One of <xsl:value-of select="count($creators)"/> authors</xsl:otherwise></xsl:choose></role>
        <xsl:for-each select="$work/*[local-name() = 'contributor'][contains(f:lower(@role), 'advisor') or contains(f:lower(@role), 'supervisor')][normalize-space()][position() &lt;= 30]">
          <instructor><xsl:call-template name="bare-name"><xsl:with-param name="text" select="."/></xsl:call-template></instructor>
        </xsl:for-each>
        <xsl:variable name="language" select="translate(normalize-space($work/*[local-name() = 'language'][1]), '_', '-')"/>
        <xsl:if test="f:matches($language, '^[a-z]{2,3}(-[A-Z]{2})?$')"><language><xsl:value-of select="$language"/></language></xsl:if>
        <xsl:for-each select="$work/*[local-name() = 'subject'][normalize-space()][position() &lt;= 50]"><tag><xsl:value-of select="substring(normalize-space(), 1, 1000)"/></tag></xsl:for-each>
        <other-identifier scheme="ext:oai" issuer="{f:default(substring-before(substring-after($key, 'oai:'), ':'), '*')}" value="{$key}"/>
        <xsl:variable name="doi"><xsl:call-template name="doi"/></xsl:variable>
        <xsl:if test="$doi != ''"><other-identifier scheme="ext:doi" issuer="doi.org" value="{$doi}"/></xsl:if>
        <evidence name="{$title}">
          <xsl:variable name="link"><xsl:call-template name="link"><xsl:with-param name="doi" select="$doi"/></xsl:call-template></xsl:variable>
          <xsl:if test="$link != ''"><xsl:attribute name="url"><xsl:value-of select="$link"/></xsl:attribute></xsl:if>
          <xsl:attribute name="genre"><xsl:call-template name="genre"/></xsl:attribute>
          <xsl:variable name="media" select="normalize-space($work/*[local-name() = 'format'][contains(., '/')][1])"/>
          <xsl:if test="f:matches($media, '^[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+$')"><xsl:attribute name="media-type"><xsl:value-of select="$media"/></xsl:attribute></xsl:if>
        </evidence>
      </achievement>
    </statement>
  </xsl:template>

  <!-- "iD|name": an iD that stands with a creator's name, in dc:creator or in a dc:contributor that begins with that name; or in dc:identifier, when
       there is one creator. Never the iD of an adviser. -->
  <xsl:template name="known-creator">
    <xsl:param name="n" select="1"/>
    <xsl:choose>
      <xsl:when test="$n &lt;= count($creators)">
        <xsl:variable name="name"><xsl:call-template name="bare-name"><xsl:with-param name="text" select="$creators[$n]"/></xsl:call-template></xsl:variable>
        <xsl:variable name="own"><xsl:call-template name="orcid"><xsl:with-param name="text" select="concat(' ', $creators[$n], ' ', $creators[$n]/@resource)"/></xsl:call-template></xsl:variable>
        <xsl:variable name="as-contributor">
          <xsl:if test="$name != ''">
            <xsl:for-each select="$work/*[local-name() = 'contributor'][starts-with(normalize-space(), $name)][not(contains(f:lower(concat(., @role)), 'advis') or contains(f:lower(concat(., @role)), 'supervis'))]">
              <xsl:if test="f:matches(substring-after(normalize-space(), $name), '^([^A-Za-z].*)?$')">
                <xsl:call-template name="orcid"><xsl:with-param name="text" select="."/></xsl:call-template>
              </xsl:if>
            </xsl:for-each>
          </xsl:if>
        </xsl:variable>
        <xsl:variable name="found" select="f:default(string($own), substring($as-contributor, 1, 19))"/>
        <xsl:choose>
          <xsl:when test="$found != ''"><xsl:value-of select="concat($found, '|', $name)"/></xsl:when>
          <xsl:otherwise><xsl:call-template name="known-creator"><xsl:with-param name="n" select="$n + 1"/></xsl:call-template></xsl:otherwise>
        </xsl:choose>
      </xsl:when>
      <xsl:when test="count($creators) = 1">
        <xsl:variable name="all"><xsl:for-each select="$work/*[local-name() = 'identifier'][contains(., 'orcid.org/')]"><xsl:call-template name="orcid"><xsl:with-param name="text" select="."/></xsl:call-template></xsl:for-each></xsl:variable>
        <xsl:if test="string-length($all) = 19">
          <xsl:value-of select="concat($all, '|')"/>
          <xsl:call-template name="bare-name"><xsl:with-param name="text" select="$creators[1]"/></xsl:call-template>
        </xsl:if>
      </xsl:when>
    </xsl:choose>
  </xsl:template>

  <!-- A name without the iD and its brackets: "Rivera, Ana (https://orcid.org/0000-…)" is "Rivera, Ana". -->
  <xsl:template name="bare-name">
    <xsl:param name="text"/>
    <xsl:value-of select="normalize-space(f:replace(normalize-space($text), '[ ]*[;,(\[]*[ ]*(orcid:?[ ]*)?(https?://orcid[.]org/|orcid:[ ]*|ORCID:?[ ]*)?[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X][)\]]?', ''))"/>
  </xsl:template>

  <!-- As exact as the repository: a plain date first, else the day of a time. -->
  <xsl:template name="day">
    <xsl:variable name="dates" select="$work/*[local-name() = 'date']"/>
    <xsl:variable name="plain" select="normalize-space($dates[f:matches(normalize-space(), '^[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?$')][1])"/>
    <xsl:value-of select="f:default($plain, substring(normalize-space($dates[f:matches(normalize-space(), '^[0-9]{4}-[0-9]{2}-[0-9]{2}T')][1]), 1, 10))"/>
  </xsl:template>

  <xsl:template name="doi">
    <xsl:variable name="found">
      <xsl:for-each select="$work/*[local-name() = 'identifier' or (local-name() = 'relation' and contains(., 'altIdentifier'))]">
        <xsl:variable name="one" select="f:group(normalize-space(), '(doi:[ ]*|doi[.]org/|/doi/)(10[.][0-9]{4,9}/[^ ]+)$', 2)"/>
        <xsl:if test="$one != ''"><xsl:value-of select="concat($one, ' ')"/></xsl:if>
      </xsl:for-each>
    </xsl:variable>
    <xsl:value-of select="substring-before($found, ' ')"/>
  </xsl:template>

  <!-- Where the work can be seen: a handle, else a DOI, else any address that the record gives. -->
  <xsl:template name="link">
    <xsl:param name="doi"/>
    <xsl:variable name="ids" select="$work/*[local-name() = 'identifier']"/>
    <xsl:variable name="handle" select="normalize-space($ids[f:matches(normalize-space(), '^https?://hdl[.]handle[.]net/[^ ]+$')][1])"/>
    <xsl:variable name="short" select="f:group(normalize-space($ids[starts-with(normalize-space(), 'hdl:')][1]), '^hdl:[ ]*([0-9.]+/[^ ]+)$', 1)"/>
    <xsl:variable name="any" select="normalize-space($ids[f:matches(normalize-space(), '^https?://[^ ]+$') and not(contains(., 'orcid.org/'))][1])"/>
    <xsl:choose>
      <xsl:when test="$handle != ''"><xsl:value-of select="$handle"/></xsl:when>
      <xsl:when test="$short != ''"><xsl:value-of select="concat('https://hdl.handle.net/', $short)"/></xsl:when>
      <xsl:when test="$doi != ''"><xsl:value-of select="concat('https://doi.org/', $doi)"/></xsl:when>
      <xsl:otherwise><xsl:value-of select="$any"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="genre">
    <xsl:variable name="semantic" select="substring-after(normalize-space($types[contains(., 'info:eu-repo/semantics/')][1]), 'info:eu-repo/semantics/')"/>
    <xsl:value-of select="substring(f:default($semantic, f:default(normalize-space($types[normalize-space()][1]), 'Work')), 1, 1000)"/>
  </xsl:template>
</xsl:stylesheet>
