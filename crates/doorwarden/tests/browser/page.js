// Opens a page that lies in a file in Chromium, in the ways that people do, takes pictures, and
// prints as JSON what could be seen. node page.js FILE FOLDER
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [file, folder] = process.argv.slice(2);
const ways = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 }, isMobile: true },
};

// What of a page is too wide for the window and does not scroll by itself.
function overflowing() {
  return document.documentElement.scrollWidth - document.documentElement.clientWidth;
}

// The least contrast of a text with what lies behind it (WCAG 2.2, 1.4.3).
function leastContrast() {
  const numbers = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const part = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = numbers(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  let least = 21;
  for (const element of document.querySelectorAll("body *:not(svg, svg *)")) {
    const speaks = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!speaks) continue;
    const [one, two] = [numbers(getComputedStyle(element).color), behind(element)].map(luminance);
    const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    least = Math.min(least, contrast);
  }
  return least;
}

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const seen = { requests: [], errors: [], overflow: {}, contrast: {} };
  const url = `file://${path.resolve(file)}`;
  for (const [name, options] of Object.entries(ways)) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.on("request", (request) => request.url() !== url && seen.requests.push(request.url()));
    page.on("console", (message) => message.type() === "error" && seen.errors.push(message.text()));
    await page.goto(url);
    seen.title = await page.title();
    seen.overflow[name] = await page.evaluate(overflowing);
    seen.contrast[name] = await page.evaluate(leastContrast);
    await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
    if (name === "light") {
      const pdf = await page.pdf({ path: path.join(folder, "print.pdf"), format: "A4" });
      seen.pdf = pdf.length;
    }
    await context.close();
  }
  await browser.close();
  fs.writeSync(1, JSON.stringify(seen));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
