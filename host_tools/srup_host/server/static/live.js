// Parts of a page that are marked data-live are loaded again when the server says that something has changed.
"use strict";
(() => {
  const parts = document.querySelectorAll("[data-live]");
  if (!parts.length) return;
  let due = null;
  const refresh = () => {
    due = null;
    for (const part of document.querySelectorAll("[data-live]")) htmx.trigger(part, "news");
  };
  const source = new EventSource("/live");
  source.onmessage = () => { due ??= setTimeout(refresh, 400); };
  addEventListener("pagehide", () => source.close());
})();
