// Express with passport-local and express-session, as in passport's tutorial.
const crypto = require("node:crypto");
const fs = require("node:fs");
const express = require("express");
const passport = require("passport");
const { Strategy } = require("passport-local");
const session = require("express-session");

const users = new Map();
for (const line of fs.readFileSync(process.env.ACCOUNTS, "utf8").split("\n").filter(Boolean)) {
  const [username, ...rest] = line.split(":");
  const salt = crypto.randomBytes(16);
  const hash = crypto.pbkdf2Sync(rest.join(":"), salt, 310000, 32, "sha256");
  users.set(username, { username, salt, hash });
}

passport.use(
  new Strategy((username, password, done) => {
    const user = users.get(username);
    if (!user) return done(null, false, { message: "Incorrect username or password." });
    crypto.pbkdf2(password, user.salt, 310000, 32, "sha256", (error, hash) => {
      if (error) return done(error);
      if (!crypto.timingSafeEqual(user.hash, hash)) {
        return done(null, false, { message: "Incorrect username or password." });
      }
      return done(null, user);
    });
  }),
);
passport.serializeUser((user, done) => done(null, user.username));
passport.deserializeUser((username, done) => done(null, users.get(username) || false));

const app = express();
app.use(express.json());
app.use(express.urlencoded({ extended: false }));
app.use(session({ secret: "keyboard cat", resave: false, saveUninitialized: false }));
app.use(passport.session());
app.post("/login", passport.authenticate("local"), (request, response) => {
  response.json({ username: request.user.username });
});
app.get("/me", (request, response) => {
  if (!request.isAuthenticated()) return response.status(401).json({ error: "Unauthorized" });
  return response.json({ username: request.user.username });
});
app.post("/logout", (request, response, next) => {
  request.logout((error) => (error ? next(error) : response.status(204).end()));
});
app.listen(Number(process.env.PORT), "127.0.0.1");
