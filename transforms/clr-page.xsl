<?xml version="1.0" encoding="UTF-8"?>
<!-- One learner's record as a page: self-contained, no script. The input is the tree of bus/clr/page_view.cpp, in which every text is
     already worded for people; this decides how it looks. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="html" encoding="UTF-8" indent="no" doctype-system="about:legacy-compat"/>

  <xsl:template match="/page">
    <html lang="en">
      <head>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <meta name="robots" content="noindex"/>
        <title><xsl:if test="@test">TEST – </xsl:if>Learner record of <xsl:value-of select="@learner"/></title>
        <style><xsl:call-template name="style"/></style>
      </head>
      <body>
        <a class="skip" href="#record">Skip to the record</a>
        <xsl:if test="@test"><p class="test" role="note"><strong>TEST</strong> This page was made by a test instance. It proves nothing about anybody.</p></xsl:if>
        <header>
          <div class="sheet">
            <p class="institution"><xsl:value-of select="@institution"/></p>
            <h1><span class="kicker">Comprehensive learner record</span><xsl:text> </xsl:text><xsl:value-of select="@learner"/></h1>
            <dl class="facts">
              <xsl:for-each select="identifier"><div><dt><xsl:value-of select="@label"/></dt><dd><xsl:value-of select="."/></dd></div></xsl:for-each>
              <div><dt>Record as of</dt><dd><xsl:value-of select="@date"/></dd></div>
              <div><dt>Entries</dt><dd><xsl:value-of select="count(group/section/entry)"/></dd></div>
            </dl>
            <xsl:if test="@partial"><p class="partial">This record does not hold everything that the institution knows about this person.</p></xsl:if>
          </div>
        </header>
        <div class="sheet">
          <xsl:if test="count(group) &gt; 1">
            <nav aria-label="Parts of the record"><ul>
              <xsl:for-each select="group"><li><a href="#{@id}"><xsl:value-of select="@title"/><xsl:text> </xsl:text><span class="count"><xsl:value-of select="count(section/entry)"/></span></a></li></xsl:for-each>
            </ul></nav>
          </xsl:if>
          <main id="record">
            <xsl:if test="not(group)"><p class="empty">No achievement has been recorded yet.</p></xsl:if>
            <xsl:apply-templates select="group"/>
          </main>
          <footer>
            <p>Each entry names its source: the unit that answers for it, the system that sent it and the day on which it was received.</p>
            <p><xsl:value-of select="@institution"/>
              <xsl:if test="@email"> · <a href="mailto:{@email}"><xsl:value-of select="@email"/></a></xsl:if>
              <xsl:if test="@url"> · <a href="{@url}"><xsl:value-of select="@url"/></a></xsl:if></p>
            <p class="id">Record <xsl:value-of select="@record"/>, version <xsl:value-of select="@version"/>. The signed form of this record is the one to verify; this page is for reading.</p>
          </footer>
        </div>
      </body>
    </html>
  </xsl:template>

  <xsl:template match="group">
    <section class="group" aria-labelledby="{@id}">
      <h2 id="{@id}"><xsl:value-of select="@title"/></h2>
      <xsl:apply-templates select="section"/>
    </section>
  </xsl:template>

  <xsl:template match="group[@id='courses']/section[not(entry)]">
    <p class="caption"><span class="term"><xsl:value-of select="@title"/></span><xsl:if test="@period"><xsl:text> </xsl:text><span class="period"><xsl:value-of select="@period"/></span></xsl:if></p>
    <xsl:call-template name="term-results"/>
  </xsl:template>

  <xsl:template name="term-results">
    <xsl:if test="result | fact"><dl class="more term-results"><xsl:for-each select="result | fact"><div><dt><xsl:value-of select="@label"/></dt><dd><xsl:value-of select="."/></dd></div></xsl:for-each></dl></xsl:if>
  </xsl:template>

  <xsl:template match="group[@id='courses']/section[entry]">
    <table>
      <caption><span class="term"><xsl:value-of select="@title"/></span><xsl:if test="@period"><xsl:text> </xsl:text><span class="period"><xsl:value-of select="@period"/></span></xsl:if><xsl:call-template name="term-results"/></caption>
      <thead><tr><th scope="col" class="code">Code</th><th scope="col">Course</th><th scope="col" class="number">Credits</th><th scope="col" class="number">Grade</th><th scope="col" class="from">Source</th></tr></thead>
      <tbody>
        <xsl:for-each select="entry">
          <tr>
            <td class="code"><xsl:value-of select="@code"/></td>
            <th scope="row"><xsl:value-of select="@name"/>
              <xsl:call-template name="marks"/>
              <xsl:if test="result or fact">
                <dl class="more"><xsl:for-each select="result | fact"><div><dt><xsl:value-of select="@label"/></dt><dd><xsl:value-of select="."/></dd></div></xsl:for-each></dl>
              </xsl:if>
              <xsl:for-each select="text"><p class="words"><xsl:value-of select="."/></p></xsl:for-each>
            </th>
            <td class="number"><xsl:if test="not(@credits)"><xsl:attribute name="class">number without</xsl:attribute></xsl:if><xsl:choose><xsl:when test="@credits"><span class="label">Credits </span><xsl:value-of select="@credits"/></xsl:when><xsl:otherwise><span class="none">–</span></xsl:otherwise></xsl:choose></td>
            <td class="number grade"><xsl:if test="not(@grade)"><xsl:attribute name="class">number without</xsl:attribute></xsl:if><xsl:choose><xsl:when test="@grade"><span class="label">Grade </span><xsl:value-of select="@grade"/></xsl:when><xsl:otherwise><span class="none">–</span></xsl:otherwise></xsl:choose></td>
            <td class="from"><xsl:apply-templates select="source"/></td>
          </tr>
        </xsl:for-each>
      </tbody>
    </table>
  </xsl:template>

  <xsl:template match="section"><ul class="entries"><xsl:apply-templates select="entry"/></ul></xsl:template>

  <xsl:template match="entry">
    <li class="entry">
      <h3><xsl:value-of select="@name"/><xsl:if test="@code"><xsl:text> </xsl:text><span class="code"><xsl:value-of select="@code"/></span></xsl:if></h3>
      <p class="kind"><xsl:value-of select="@type"/><xsl:call-template name="marks"/></p>
      <xsl:if test="result"><dl class="results"><xsl:for-each select="result"><div><dt><xsl:value-of select="@label"/></dt><dd><xsl:value-of select="."/></dd></div></xsl:for-each></dl></xsl:if>
      <xsl:if test="fact"><dl class="more"><xsl:for-each select="fact"><div><dt><xsl:value-of select="@label"/></dt><dd><xsl:value-of select="."/></dd></div></xsl:for-each></dl></xsl:if>
      <xsl:for-each select="text"><p class="words"><xsl:value-of select="."/></p></xsl:for-each>
      <xsl:if test="alignment"><p class="aligned">Aligned to <xsl:for-each select="alignment"><xsl:if test="position() &gt; 1">; </xsl:if><xsl:value-of select="."/><xsl:if test="@label"> (<xsl:value-of select="@label"/>)</xsl:if></xsl:for-each></p></xsl:if>
      <xsl:if test="evidence">
        <ul class="evidence" aria-label="Evidence">
          <xsl:for-each select="evidence"><li>
            <xsl:choose><xsl:when test="@url"><a href="{@url}" rel="noreferrer"><xsl:value-of select="."/></a></xsl:when><xsl:otherwise><xsl:value-of select="."/></xsl:otherwise></xsl:choose>
            <xsl:if test="@kind"><xsl:text> </xsl:text><span class="kind"><xsl:value-of select="@kind"/></span></xsl:if></li></xsl:for-each>
        </ul>
      </xsl:if>
      <p class="from"><xsl:apply-templates select="source"/></p>
    </li>
  </xsl:template>

  <xsl:template match="source">
    <span class="label">Source: </span>
    <xsl:choose>
      <xsl:when test="@authority"><xsl:value-of select="@authority"/></xsl:when>
      <xsl:when test="@organization"><xsl:value-of select="@organization"/></xsl:when>
    </xsl:choose>
    <xsl:if test="@authority or @organization"><span class="sep"> · </span></xsl:if>
    <span class="via"><xsl:value-of select="@system"/><xsl:if test="@date"> · <xsl:value-of select="@date"/></xsl:if></span>
    <xsl:if test="@corrected-by"><span class="sep"> · </span><span class="corrected">corrected by hand by <xsl:value-of select="@corrected-by"/> on <xsl:value-of select="@corrected"/></span></xsl:if>
  </xsl:template>

  <xsl:template name="marks">
    <xsl:if test="@status"><xsl:text> </xsl:text><span class="mark status"><xsl:value-of select="@status"/></span></xsl:if>
    <xsl:if test="@transfer"><xsl:text> </xsl:text><span class="mark transfer"><xsl:choose><xsl:when test="@type = 'Course'">Transfer from </xsl:when><xsl:otherwise>From </xsl:otherwise></xsl:choose><xsl:value-of select="@transfer"/></span></xsl:if>
    <xsl:if test="@official = 'false'"><xsl:text> </xsl:text><span class="mark unofficial">Not an official result</span></xsl:if>
  </xsl:template>

  <xsl:template name="style">
:root{--ink:#1b2430;--soft:#515d6b;--line:#d9dfe6;--paper:#fff;--ground:#f3f5f8;--accent:#1d4f91;--accent-soft:#e8eff8}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Noto Sans",sans-serif;overflow-wrap:break-word}
a{color:var(--accent);text-underline-offset:.15em}
a:focus-visible{outline:3px solid #f0a500;outline-offset:2px;border-radius:2px}
.skip{position:absolute;left:-999em}.skip:focus{left:1rem;top:1rem;background:#fff;padding:.5rem 1rem;z-index:2}
.sheet{max-width:62rem;margin:0 auto;padding:0 1.25rem}
.test{margin:0;padding:.75rem 1.25rem;background:#7a1f1f;color:#fff;text-align:center}
.test strong{letter-spacing:.15em;margin-right:.5rem;border:1px solid #fff;padding:.05rem .5rem;border-radius:3px}
header{background:var(--paper);border-top:6px solid var(--accent);border-bottom:1px solid var(--line);padding:2rem 0 1.5rem}
.institution{margin:0 0 1.25rem;font-weight:600;color:var(--accent);font-size:1.05rem}
h1{margin:0 0 1.25rem;font-size:2.1rem;line-height:1.2;font-weight:650;letter-spacing:-.01em}
.kicker{display:block;font-size:.95rem;font-weight:500;letter-spacing:0;color:var(--soft);margin-bottom:.25rem}
dl{margin:0}dd{margin:0}
.facts{display:flex;flex-wrap:wrap;gap:.5rem 2.25rem}
.facts dt{color:var(--soft);font-size:.85rem}.facts dd{font-weight:600}
.partial{margin:1rem 0 0;padding:.6rem .9rem;background:#fff6de;border-left:4px solid #b57b00}
nav ul{list-style:none;margin:1.25rem 0 0;padding:0;display:flex;flex-wrap:wrap;gap:.5rem}
nav a{display:inline-block;padding:.35rem .8rem;background:var(--paper);border:1px solid var(--line);border-radius:999px;text-decoration:none;font-size:.95rem;min-height:2rem}
nav a:hover{border-color:var(--accent);background:var(--accent-soft)}
.count{color:var(--soft);margin-left:.2rem}
.group{margin:1.5rem 0;background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:1.25rem 1.5rem 1.5rem}
h2{margin:0 0 1rem;font-size:1.3rem;font-weight:650;scroll-margin-top:1rem}
h3{margin:0;font-size:1.08rem;font-weight:650;line-height:1.35}
h3 .code{font-weight:500;color:var(--soft);font-size:.95rem;white-space:nowrap}
.entries{list-style:none;margin:0;padding:0}
.entry{padding:1rem 0;border-top:1px solid var(--line)}
.entry:first-child{border-top:0;padding-top:0}.entry:last-child{padding-bottom:0}
.kind{margin:.1rem 0 0;color:var(--soft);font-size:.92rem}
.mark{display:inline-block;border-radius:4px;padding:.02rem .5rem;font-size:.82rem;font-weight:500;background:var(--accent-soft);color:#163f75;margin-left:.35rem}
.mark.status{background:#fff1d0;color:#6b4700}.mark.unofficial{background:#eceef1;color:#3c4653}
.results{display:flex;flex-wrap:wrap;gap:.5rem;margin-top:.6rem}
.results div{background:var(--accent-soft);border-radius:6px;padding:.35rem .75rem}
.results dt{font-size:.82rem;color:#3f4d5e}.results dd{font-weight:650}
.more{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;margin-top:.5rem;font-size:.93rem;font-weight:400}
.more div{display:flex;gap:.4rem}.more dt{color:var(--soft)}.more dt:after{content:":"}
.words{margin:.5rem 0 0;max-width:46rem;font-weight:400;white-space:pre-line}
.aligned{margin:.5rem 0 0;font-size:.93rem;color:var(--soft)}
.evidence{margin:.5rem 0 0;padding-left:1.2rem}.evidence .kind{margin:0}
.via{white-space:nowrap}td.from .via{display:block}td.from .sep{display:none}
.from{font-size:.86rem;color:var(--soft)}p.from{margin:.6rem 0 0}
table{width:100%;border-collapse:collapse;margin:0 0 1.5rem}table:last-child{margin-bottom:0}
.term-results{margin:.15rem 0 .1rem}
caption,.caption{text-align:left;padding:.35rem .75rem;background:var(--ground);border-radius:6px;margin-bottom:.25rem}
.caption{margin:0 0 .25rem}.term{font-weight:650}.period{color:var(--soft);font-size:.9rem;margin-left:.35rem}
thead th{font-size:.82rem;font-weight:500;color:var(--soft);text-align:left;padding:.4rem .75rem}
td,tbody th{padding:.55rem .75rem;border-top:1px solid var(--line);text-align:left;vertical-align:top}
tbody th{font-weight:550}
td.code{white-space:nowrap;color:var(--soft);width:8rem}
.number{text-align:right;width:5rem;font-variant-numeric:tabular-nums;white-space:nowrap}thead .number{text-align:right}
.grade{font-weight:650}td.from{width:14rem}td .label{position:absolute;left:-999em}
.none{color:#6b7683}
.empty{padding:2rem;background:var(--paper);border:1px solid var(--line);border-radius:8px}
footer{color:var(--soft);font-size:.88rem;padding:.5rem 0 2.5rem}footer p{margin:.35rem 0}
@media (max-width:40rem){
h1{font-size:1.6rem}header{padding:1.25rem 0}.sheet{padding:0 .9rem}.group{padding:1rem;margin:1rem 0}
table,tbody,tr,td,tbody th{display:block;width:auto}thead{position:absolute;left:-999em}caption{display:block}
tbody tr{padding:.75rem 0;border-top:1px solid var(--line)}tbody tr:first-child{border-top:0}
td,tbody th{border:0;padding:0 .25rem}td.code{width:auto;font-size:.9rem}
td.number{display:inline-block;text-align:left;width:auto;margin-right:1rem}td.from{width:auto;margin-top:.25rem}
td .label{position:static;font-weight:400;color:var(--soft)}td.without{display:none}
}
@media print{
body{background:#fff;font-size:10.5pt}header{border-top:0;padding:0 0 .75rem}nav,.skip{display:none}.sheet{max-width:none;padding:0}
.group{border:0;padding:0;margin:1rem 0}.entry,tr{break-inside:avoid}h2,caption{break-after:avoid}a{color:inherit;text-decoration:none}
.mark,.results div,caption{border:1px solid #999;background:none}.test{color:#000;background:none;border:2px solid #000}
}
@media (prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}
</xsl:template>
</xsl:stylesheet>
