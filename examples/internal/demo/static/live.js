// Shows flash messages as they arrive, and when the session ends.
const live = document.getElementById("live");
const messages = document.getElementById("messages");

function show(state) {
  for (const line of live.querySelectorAll("[data-state]")) {
    line.hidden = line.dataset.state !== state;
  }
}

// The messages come with an ordinary page, which alone takes them from the session.
async function fetchMessages() {
  const answer = await fetch(location.pathname);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (page.getElementById("live")) {
    messages.append(...page.getElementById("messages").children);
  }
}

show("connecting");
const stream = new EventSource(live.dataset.events);
stream.addEventListener("open", () => show("open"));
stream.addEventListener("error", () => show("lost")); // the browser reconnects
stream.addEventListener("flash", () => fetchMessages().catch(console.error));
stream.addEventListener("ended", () => {
  stream.close();
  show("ended");
});
