// Esc and Space stop the robot, but only when no control, list or dialog has the focus: there they belong to it.

const CONTROLS = "input, select, textarea, button, summary, a, label, option, dialog, [contenteditable], [tabindex], [role=button], [role=listbox], [role=menu]";
const WAYS_OUT = { ask: "ask-no", target: "target-close", planner: "planner-close" };  // what closes each dialog

/** True if the keys stop the robot now. */
export const acts = (element = document.activeElement) => !element || !element.closest(CONTROLS);

/** Call `stop` for the keys; `changed` when the focus moves, and with it what they do. */
export function guardKeys(stop, changed) {
  window.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" && event.key !== " ") return;
    const at = document.activeElement;
    if (acts(at)) {
      event.preventDefault();
      event.stopPropagation();
      if (!event.repeat) stop();
    } else if (event.key === "Escape") {  // leaves what has the focus; pressed again, it stops the robot
      const dialog = at.closest("dialog");
      if (dialog && WAYS_OUT[dialog.id]) document.getElementById(WAYS_OUT[dialog.id]).click();
      else if (!dialog) at.blur();
    }
  }, true);
  // A button that was touched keeps no focus, so that the keys stop the robot again.
  document.addEventListener("click", (event) => { if (event.detail > 0 && !event.target.closest("dialog")) release(event.target); });
  document.addEventListener("close", () => setTimeout(() => release(document.activeElement)), true);
  for (const kind of ["focusin", "focusout"]) document.addEventListener(kind, () => setTimeout(changed));
}

function release(element) {
  const button = element && element.closest("button, summary");
  if (button && !button.closest("dialog")) button.blur();
}
