/* Names for the boxes that Select2 puts in the place of a select: without it a screen
   reader says "combobox" and nothing else. The pages work without this file. */
"use strict";
{
  const nameOf = (select) =>
    select.getAttribute("aria-label") || (select.labels[0] ? select.labels[0].textContent.replace(/:\s*$/, "").trim() : "");

  const nameBoxes = (root) => {
    for (const select of root.querySelectorAll("select.admin-autocomplete.select2-hidden-accessible")) {
      const box = select.parentElement.querySelector(".select2-selection");
      const name = nameOf(select);
      if (!box || !name) continue;
      const value = box.querySelector(".select2-selection__rendered");
      if (value) {
        // Its text is the value of the combobox around it, and no box of its own.
        value.removeAttribute("role");
        value.removeAttribute("aria-readonly");
      }
      box.removeAttribute("aria-labelledby");
      const say = () => {
        const chosen = [...select.selectedOptions].map((option) => option.text.trim()).filter(Boolean);
        box.setAttribute("aria-label", [name, ...chosen].join(": "));
      };
      say();
      window.django.jQuery(select).on("change", say);
      for (const field of box.querySelectorAll(".select2-search__field")) field.setAttribute("aria-label", name);
    }
  };

  const $ = window.django && window.django.jQuery;
  if ($) {
    $(() => nameBoxes(document));
    $(document).on("select2:open", (event) => {
      for (const field of document.querySelectorAll(".select2-search__field")) {
        if (!field.hasAttribute("aria-label")) field.setAttribute("aria-label", nameOf(event.target));
      }
    });
    document.addEventListener("formset:added", (event) => setTimeout(() => nameBoxes(event.target)));
  }
}
