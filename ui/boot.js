// Starts the compiled UI. A file of its own, because the content security policy forbids scripts inside the page.
import init from "/tracewright.js";

init({ module_or_path: "/tracewright_bg.wasm" }).catch((error) => {
  // The UI's own error display is inside what did not start.
  const note = document.createElement("pre");
  note.setAttribute("role", "alert");
  note.textContent = `The interface could not start: ${error}\nReload the window. If it stays, build it again: cargo xtask ui`;
  document.getElementById("app").replaceChildren(note);
});
