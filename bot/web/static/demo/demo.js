"use strict";
// The example questions go into the chat; until its script is there, the first click waits for it.
for (const button of document.querySelectorAll("[data-ask]")) {
  button.addEventListener("click", () => {
    const ask = () => window.Switchboard.ask(button.dataset.ask);
    if (window.Switchboard) ask();
    else addEventListener("switchboard:ready", ask, { once: true });
  });
}
