"use strict";
// Reloads the page every minute while it is looked at, for those who want that: a page that moves by itself is a trap for others.
(() => {
  const line = document.getElementById("refresh");
  const box = line.querySelector("input");
  line.hidden = false;
  box.checked = localStorage.getItem("refresh") === "yes";
  box.addEventListener("change", () => localStorage.setItem("refresh", box.checked ? "yes" : "no"));
  setInterval(() => {
    if (box.checked && !document.hidden) location.reload();
  }, 60000);
})();
