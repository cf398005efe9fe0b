"use strict";
// Requests a passkey from the browser, and submits its response with the page's own forms.
(() => {
  if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) return;

  const ask = async (path, fields) => {
    const answer = await fetch(path, { method: "POST", body: new URLSearchParams(fields) });
    // An ended session is redirected to the login.
    if (answer.redirected) throw new Error("Your session has ended. Log in again.");
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.detail ?? said.error_description ?? "Internal error.");
    return said;
  };

  const say = (form, words) => {
    const said = form.querySelector(".said") ?? document.createElement("p");
    said.className = "said";
    said.setAttribute("role", "alert");
    said.textContent = words;
    form.prepend(said);
  };

  // Fills in a form before it is submitted.
  const prepare = (form, answered) => form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const { token, credential } = await answered();
      form.elements.token.value = token;
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch (error) {
      say(form, error.name === "NotAllowedError" ? "No passkey was used." : error.message);
      button.disabled = false;
    }
  });

  const login = document.getElementById("passkey");
  if (login) {
    login.hidden = false;
    prepare(login, async () => {
      const { token, publicKey } = await ask("/account/passkey/options", {});
      const asked = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
      return { token, credential: await navigator.credentials.get({ publicKey: asked }) };
    });
  }

  const adding = document.getElementById("new-passkey");
  if (adding) {
    adding.hidden = false;
    const form = adding.querySelector("form");
    prepare(form, async () => {
      const { password, code } = form.elements;
      const fields = { password: password.value, code: code?.value ?? "" };
      const { token, publicKey } = await ask("/account/passkeys/options", fields);
      const asked = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
      return { token, credential: await navigator.credentials.create({ publicKey: asked }) };
    });
  }
})();
