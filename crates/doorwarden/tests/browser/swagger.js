// Swagger UI's Authorize button, at a service whose document says how to log in.
// node swagger.js URL NAME PASSWORD ASSETS
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [url, name, password, assets] = process.argv.slice(2);

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const page = await (await browser.newContext()).newPage();
  // Swagger UI as a page of this origin; the service itself allows no scripts.
  await page.route("**/swagger/**", (route) => {
    const file = new URL(route.request().url()).pathname.split("/").pop();
    if (file === "index.html") {
      const html = `<!doctype html><meta charset="utf-8"><div id="ui"></div><link rel="stylesheet" href="/swagger/swagger-ui.css">
        <script src="/swagger/swagger-ui-bundle.js"></script>
        <script>window.ui = SwaggerUIBundle({ url: "/openapi.json", dom_id: "#ui" })</script>`;
      return route.fulfill({ contentType: "text/html", body: html });
    }
    const kind = file.endsWith(".css") ? "text/css" : "text/javascript";
    return route.fulfill({ contentType: kind, body: fs.readFileSync(path.join(assets, file)) });
  });
  await page.goto(`${url}/swagger/index.html`);
  await page.click("button.authorize");
  const form = page.locator(".auth-container:has(#oauth_username)");
  await form.locator("#oauth_username").fill(name);
  await form.locator("#oauth_password").fill(password);
  await form.locator("button.authorize").click();
  await page.locator(".auth-container >> text=Logout").first().waitFor({ timeout: 15000 });
  await page.locator("button.btn-done").first().click();
  const me = page.locator(".opblock-get:has([data-path='/me'])");
  await me.locator(".opblock-summary-control").click();
  await me.locator("button.try-out__btn").click();
  await me.locator("button.execute").click();
  const answer = me.locator(".live-responses-table tbody .response-col_status");
  await answer.waitFor({ timeout: 15000 });
  const status = await answer.innerText();
  await browser.close();
  console.log(JSON.stringify({ status: status.trim().slice(0, 3) }));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
