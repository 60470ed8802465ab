// What pages do better with a script, and well enough without: times in the reader's zone, copy buttons, forms that are sent once.
(() => {
  "use strict";

  const formats = {
    minute: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }),
    second: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" }),
    day: new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }),
  };

  // <time datetime title="… UTC">: the title keeps what the server wrote.
  function localTimes(root) {
    for (const element of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(element.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      element.dataset.local = "";
      if (!element.title) element.title = element.textContent;
      element.textContent = formats[element.dataset.as ?? "minute"].format(at);
    }
  }

  // [data-copy="text"]: a button that is hidden until a script can do it.
  function copyButtons(root) {
    if (!navigator.clipboard) return;
    for (const button of root.querySelectorAll("button[data-copy][hidden]")) button.hidden = false;
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("button[data-copy]");
    if (!button) return;
    event.preventDefault();
    await navigator.clipboard.writeText(button.dataset.copy);
    const label = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  });

  // A form is sent once: the server would refuse the second anyway, this spares people the sight.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent !== undefined) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "";
    for (const button of form.querySelectorAll("button[type=submit]")) button.setAttribute("aria-disabled", "true");
  });
  // A page that comes back from the browser's memory can be used again.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("button[aria-disabled]")) button.removeAttribute("aria-disabled");
    }
  });

  // On narrow screens the menu begins closed.
  const menu = document.querySelector("details.menu");
  if (menu && window.matchMedia("(max-width: 800px)").matches) menu.open = false;

  function all(root) {
    localTimes(root);
    copyButtons(root);
  }
  all(document);
  document.addEventListener("htmx:after:swap", () => all(document));
})();
