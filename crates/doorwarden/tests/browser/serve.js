// People at the pages of `doorwarden serve`, in Chromium: register, log in, a second factor, other
// devices, logging out; by keyboard, and without scripts. Takes pictures, prints what was seen as JSON.
// node serve.js URL FOLDER
const crypto = require("node:crypto");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [url, folder] = process.argv.slice(2);
const name = "browser@example.org";
const password = "a fine long password of mine";
const ways = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 }, isMobile: true },
};

// RFC 6238, from its text: what an authenticator does.
function code(base32, later = 0) {
  const bits = [...base32].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000) + later));
  const mac = crypto.createHmac("sha1", key).update(counter).digest();
  const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(number % 1000000).padStart(6, "0");
}

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const seen = { errors: [], foreign: [], overflow: {} };
  const open = async (options) => {
    const context = await browser.newContext({ javaScriptEnabled: true, ...options });
    const page = await context.newPage();
    page.on("console", (message) => message.type() === "error" && !/status of 4\d\d/.test(message.text()) && seen.errors.push(message.text()));
    page.on("request", (request) => request.url().startsWith(url) || seen.foreign.push(request.url()));
    return page;
  };
  const picture = async (page, what) => {
    seen.overflow[what] = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    await page.screenshot({ path: path.join(folder, `${what}.png`), fullPage: true });
  };
  const logIn = async (page) => {
    await page.goto(`${url}/account/login`);
    // By keyboard alone: the first field has the focus, soon after the page is loaded.
    await page.waitForFunction(() => document.activeElement?.id === "username");
    await page.keyboard.type(name);
    await page.keyboard.press("Tab");
    await page.keyboard.type(password);
    const loaded = page.waitForEvent("load");
    await page.keyboard.press("Enter");
    await loaded;
  };

  for (const [way, options] of Object.entries(ways)) {
    const page = await open(options);
    for (const which of ["login", "register", "forgot"]) {
      await page.goto(`${url}/account/${which}`);
      await picture(page, `${which}-${way}`);
    }
    await page.goto(`${url}/docs`);
    await picture(page, `docs-${way}`);
    await page.context().close();
  }

  const page = await open(ways.light);
  await page.goto(`${url}/account/register`);
  await page.fill("#username", name);
  await page.fill("#password", password);
  await page.click("button");
  seen.registered = await page.textContent(".said");
  await logIn(page);
  seen.account = await page.textContent("h1");
  const cookies = await page.context().cookies();
  seen.cookies = cookies.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite }));

  // A second factor, set up and used.
  await page.click("#factor + p + details summary");
  await page.fill("#factor-password", password);
  await page.click("#factor-password ~ button");
  const secret = await page.textContent(".secret");
  await picture(page, "enrolling-light");
  await page.fill("#code", code(secret));
  await page.click("#code ~ button");
  seen.recovery = await page.locator(".codes li").count();
  await picture(page, "account-light");

  // Another device, without scripts, a telephone in the dark.
  const other = await open({ ...ways.phone, colorScheme: "dark", javaScriptEnabled: false });
  await other.goto(`${url}/account/login`);
  await other.fill("#username", name);
  await other.fill("#password", password);
  await other.click("button");
  seen.asked = await other.textContent("h1");
  await other.screenshot({ path: path.join(folder, "factor-phone.png"), fullPage: true });
  await other.fill("#code", code(secret, 1));
  await other.click("button");
  seen.inside = await other.textContent("h1");
  await other.screenshot({ path: path.join(folder, "account-phone.png"), fullPage: true });

  // The first ends the other's session.
  await page.goto(`${url}/account`);
  seen.sessions = await page.locator("#sessions + ul li").count();
  await page.click("#sessions + ul form button");
  await other.goto(`${url}/account`);
  seen.ended = new URL(other.url()).pathname;
  await page.click("text=Log out everywhere");
  await page.goto(`${url}/account`);
  seen.out = new URL(page.url()).pathname;
  await browser.close();
  console.log(JSON.stringify(seen));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
