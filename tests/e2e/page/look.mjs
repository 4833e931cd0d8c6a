// look.mjs CHROMIUM PAGE.html FOLDER NAME: opens the page in Debian's Chromium at 1280 and 390 pixels, asks axe for WCAG 2.2 AA, looks for anything
// that sticks out, and leaves screenshots in FOLDER. One line a case.
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { createRequire } from 'node:module';

const [executablePath, file, folder, name] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
let failed = 0;
for (const width of [1280, 390]) {
  // The page forbids scripts; the browser lets ours in all the same.
  const context = await browser.newContext({ viewport: { width, height: 900 }, bypassCSP: true });
  const page = await context.newPage();
  const asked = [];
  page.on('request', (request) => { if (!request.url().startsWith('file:')) asked.push(request.url()); });
  await page.goto('file://' + file);
  await page.screenshot({ path: `${folder}/${name}-${width}.png`, fullPage: true });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  const out = (what, bad) => { console.log(bad ? `not ok ${what}: ${bad}` : `ok ${what}`); failed += bad ? 1 : 0; };
  out(`${name}, ${width} px: nothing sticks out`, wide > 0 ? `${wide} px too wide` : '');
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  out(`${name}, ${width} px: axe finds nothing`, found.violations.map((v) => `${v.id} (${v.nodes.length}): ${v.nodes[0].html.slice(0, 120)}`).join('; '));
  out(`${name}, ${width} px: nothing is asked of anybody else`, asked.join(' '));
  await context.close();
}
await browser.close();
process.exit(failed ? 1 : 0);
