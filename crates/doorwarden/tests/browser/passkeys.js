// Passkeys at the pages of `doorwarden serve`, in Chromium with a virtual authenticator: added, used
// instead of a password and beside one, refused when its user is not verified, removed. Prints what was
// seen as JSON.
// node passkeys.js URL FOLDER
const path = require("node:path");
const { chromium } = require("playwright-core");

const [url, folder] = process.argv.slice(2);
const name = "passkeys@example.org";
const password = "a fine long password of mine";

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const seen = { errors: [] };
  page.on("console", (message) => message.type() === "error" && !/status of 4\d\d/.test(message.text()) && seen.errors.push(message.text()));
  const devtools = await context.newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  const picture = (what) => page.screenshot({ path: path.join(folder, `passkey-${what}.png`), fullPage: true });
  const logOut = async () => {
    await page.click("text=Log out >> nth=0");
    await page.waitForURL(`${url}/account/login`);
  };
  const here = () => new URL(page.url()).pathname;

  await page.goto(`${url}/account/register`);
  await page.fill("#username", name);
  await page.fill("#password", password);
  await page.click("button");
  await page.goto(`${url}/account/login`);
  await page.fill("#username", name);
  await page.fill("#password", password);
  await page.click("button >> nth=0");
  await page.waitForURL(`${url}/account`);

  // A wrong password adds none, and the page says so.
  const add = async (typed) => {
    await page.fill("#passkey-name", "My laptop");
    await page.fill("#passkey-password", typed);
    await page.click("text=Add a passkey");
  };
  await page.click("#new-passkey summary");
  await add("wrong");
  seen.refused = await page.textContent("#new-passkey .said");
  await add(password);
  await page.waitForSelector(".codes li");
  seen.codes = await page.locator(".codes li").count();
  seen.listed = await page.locator("#passkeys ~ ul li").count();
  await picture("account");
  await logOut();

  // Instead of name and password.
  await picture("login");
  await page.click("text=Log in with a passkey");
  await page.waitForURL(`${url}/account`);
  seen.inside = await page.textContent("h1");
  await logOut();

  // Beside a password, which alone is not enough any more.
  await page.fill("#username", name);
  await page.fill("#password", password);
  await page.click("button >> nth=0");
  await page.waitForSelector("h1:has-text('Second factor')");
  await picture("factor");
  await page.click("text=Log in with a passkey");
  await page.waitForURL(`${url}/account`);
  seen.beside = await page.textContent("h1");
  await logOut();

  // Whose finger is not on it is not let in.
  await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
  await page.click("text=Log in with a passkey");
  await page.waitForSelector("#passkey .said");
  seen.unverified = [await page.textContent("#passkey .said"), here()];
  await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });

  await page.click("text=Log in with a passkey");
  await page.waitForURL(`${url}/account`);
  await page.click("#passkeys ~ ul summary");
  await page.fill("#password-1", password);
  await page.click("#password-1 ~ button");
  await page.waitForSelector(".said");
  seen.removed = [await page.textContent(".said"), await page.locator("#passkeys ~ ul li").count()];
  await logOut();
  await page.click("text=Log in with a passkey");
  await page.waitForSelector(".said");
  seen.gone = await page.textContent(".said");
  await browser.close();
  console.log(JSON.stringify(seen));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
