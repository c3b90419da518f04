// The page around a notebook: the host's theme, the line that says what is being waited for, and whether anybody answers.
(() => {
  const { body } = document;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => { // panels and JupyterLab's own style look here
    body.dataset.jpThemeLight = String(!dark.matches);
    body.dataset.jpThemeName = `JupyterLab ${dark.matches ? "Dark" : "Light"}`;
  };
  follow();
  dark.addEventListener("change", follow);

  // Voilà's server and its voila.js call these.
  window.voila_heartbeat = window.voila_process = window.voila_finish = () => {};

  const WAITING = 'script[type="application/vnd.voila.cell-output+json"]';
  const LONGEST = 30_000; // for what has no height at all, say a widget that only links two others
  const seen = (node) => node.getBoundingClientRect().height > 0;
  const painted = () => {
    const cells = document.getElementById("tka-cells");
    if (cells.querySelector(WAITING)) return false; // voila.js has not taken it yet
    const outputs = [...cells.querySelectorAll(".jp-OutputArea-output, .tka-error")];
    const panels = [...cells.querySelectorAll(".tk-panel")];
    return !outputs.length || (outputs.some(seen) && panels.every((panel) => panel.dataset.seq));
  };

  function ran() { // every cell has run, or one has failed
    const start = performance.now();
    const look = () => {
      if (!painted() && performance.now() - start < LONGEST) return setTimeout(look, 50);
      document.getElementById("tka-status").remove();
      document.getElementById("tka-page").setAttribute("aria-busy", "false");
    };
    look();
  }

  const open = new Set();
  const tell = () => {
    const lost = document.getElementById("tka-lost");
    const gone = !open.size;
    if (gone === !lost.hidden) return;
    lost.hidden = !gone; // an alert is read out when its words come
    lost.textContent = gone ? "Nobody answers any more: the command in the terminal has ended, or this page slept for too long. Start it again, or load this page again." : "";
  };
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("open", () => { open.add(this); tell(); });
      this.addEventListener("close", () => { open.delete(this); setTimeout(tell, 2000); }); // Jupyter may open another
    }
  };

  window.tka = { ran };
})();
