// Security keys and passkeys: asks the browser, puts its answer into the form, sends the form.
// <form data-webauthn="get|create" data-webauthn-options="id of a JSON script">; without options they are fetched from the form's address.

const WORDS = {
  NotAllowedError: "It was cancelled, or it took too long. Try again.",
  InvalidStateError: "This key is registered already.",
  NotSupportedError: "This browser or key cannot do that.",
  SecurityError: "Keys work only over https, and only on the address they were made for.",
};

async function options(form) {
  const element = document.getElementById(form.dataset.webauthnOptions);
  if (element) return JSON.parse(element.textContent);
  const answer = await fetch(form.action, {headers: {Accept: "application/json", "X-Requested-With": "XMLHttpRequest"}});
  if (!answer.ok) throw new Error(`options: ${answer.status}`);
  return answer.json();
}

/** A passkey stays on the key and proves who holds it; a plain security key does neither. */
function askForPasskey(publicKey, isPasskey) {
  const wanted = isPasskey ? "required" : "discouraged";
  const selection = {...publicKey.authenticatorSelection, residentKey: wanted, requireResidentKey: isPasskey};
  if (isPasskey) selection.userVerification = "required";
  return {...publicKey, authenticatorSelection: selection};
}

async function credential(form) {
  const given = await options(form);
  if (form.dataset.webauthn === "get") {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(given.request_options.publicKey);
    return navigator.credentials.get({publicKey});
  }
  const passwordless = form.elements.namedItem("passwordless");
  let {publicKey} = given.creation_options;
  if (passwordless) publicKey = askForPasskey(publicKey, passwordless.checked);
  return navigator.credentials.create({publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey)});
}

async function send(event) {
  const form = event.target;
  if (!form.matches("form[data-webauthn]")) return;
  event.preventDefault();
  const error = form.querySelector("[data-webauthn-error]");
  error.hidden = true;
  form.setAttribute("aria-busy", "true");
  try {
    if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) throw new DOMException("", "NotSupportedError");
    const answer = await credential(form);
    form.elements.namedItem("credential").value = JSON.stringify(answer.toJSON());
    form.submit();
  } catch (problem) {
    error.textContent = WORDS[problem.name] ?? "The key could not be asked. Reload the page and try again.";
    error.hidden = false;
    form.removeAttribute("aria-busy");
  }
}

document.addEventListener("submit", send, {capture: true});
