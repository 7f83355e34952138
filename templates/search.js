"use strict";
const rows = [...document.querySelectorAll("#systems tbody tr")];
const box = document.createElement("input");
const label = document.createElement("label");
const told = document.createElement("p");
box.type = "search";
label.append("Search systems by name, team or level ", box);
told.setAttribute("role", "status");
document.querySelector("#systems .scroll").before(label, told);
box.addEventListener("input", () => {
  const words = box.value.toLowerCase().split(/\s+/);
  const shown = rows.filter(row => {
    row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word));
    return !row.hidden;
  });
  told.textContent = box.value ? `${shown.length} of ${rows.length} systems` : "";
});
