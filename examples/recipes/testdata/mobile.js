let token = ""; // in memory: every script of the page can read localStorage

async function send(method, path, form) {
  const headers = token ? { Authorization: "Bearer " + token } : {};
  const answer = await fetch(api + path, { method, headers, body: form && new URLSearchParams(form) });
  const fresh = answer.headers.get("Session-Token");
  if (fresh !== null) token = fresh; // empty after a logout
  return answer;
}
