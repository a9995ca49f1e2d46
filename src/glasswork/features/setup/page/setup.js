const FIELD_OF = { EMAIL_TAKEN: "email", USERNAME_TAKEN: "username" };
const BROKEN_LINK = "This link does not work, or no longer. The server prints a new one when it starts.";
const FAULTS = {
  email: "This is no e-mail address.",
  username: "This is no username.",
  name: "A name is needed, of 100 characters at most.",
  password: "This is too short, or longer than 128 characters.",
};

const form = document.querySelector("form");
const alertBox = document.querySelector("[data-alert]");
const token = new URLSearchParams(location.hash.slice(1)).get("token");

function show(view) {
  for (const section of document.querySelectorAll("[data-view]")) section.hidden = section.dataset.view !== view;
  document.querySelector(`[data-view="${view}"] h1[tabindex]`)?.focus();
}

function clear() {
  alertBox.textContent = "";
  for (const fault of document.querySelectorAll(".fault")) fault.textContent = "";
  for (const input of form.elements) input.removeAttribute("aria-invalid");
}

function blame(name, message) {
  const input = form.elements[name];
  input.setAttribute("aria-invalid", "true");
  document.getElementById(`of-${name}`).textContent = message;
}

function tell(error) {
  if (error.code === "ADMIN_EXISTS") return show("taken");
  for (const { loc, code, message } of error.details.errors ?? []) {
    const name = loc[1];
    if (FAULTS[name]) blame(name, code === "unfit_password" ? `It ${message}.` : FAULTS[name]);
    else alertBox.textContent = BROKEN_LINK;
  }
  if (error.code === "INVALID_ONE_TIME_TOKEN") alertBox.textContent = BROKEN_LINK;
  else if (FIELD_OF[error.code]) blame(FIELD_OF[error.code], error.message);
  else if (!error.details.errors) alertBox.textContent = error.message;
  (form.querySelector("[aria-invalid]") ?? form.elements.email).focus();
}

async function open(fields) {
  const response = await fetch("/api/v1/auth/first-admin", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token, ...fields }),
  });
  const answer = await response.json();
  if (!response.ok) return tell(answer.error);
  history.replaceState(null, "", location.pathname);
  document.querySelector("[data-who]").textContent = answer.name;
  form.reset();
  show("done");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clear();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    await open(Object.fromEntries(new FormData(form)));
  } catch {
    alertBox.textContent = "The server does not answer. Try again.";
  } finally {
    button.disabled = false;
  }
});

document.querySelector("[data-show]").addEventListener("change", ({ target }) => {
  form.elements.password.type = target.checked ? "text" : "password";
});

// The same page, when another link is opened in its tab.
addEventListener("hashchange", () => location.hash && location.reload());

show(token ? "form" : "lost");
