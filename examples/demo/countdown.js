// Counts the seconds of an outage down, and says when the page can be opened again. Without scripts
// the page shows the seconds that were left when it was sent.
const timer = document.querySelector("[role=timer]");
if (timer) {
  const end = Date.now() + 1000 * Number(timer.textContent);
  const ticking = setInterval(() => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    timer.textContent = left;
    if (left === 0) {
      clearInterval(ticking);
      document.querySelector("#during").hidden = true;
      document.querySelector("#after").hidden = false;
      document.title = document.querySelector("#after h1").textContent;
    }
  }, 200);
}
