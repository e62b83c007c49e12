package devpage

import "github.com/satchel-go/satchel/core"

const later = "Use the session before the first byte of the response, and before the handler returns."

// texts explain what events mean. Those of tokens that expired, or that the
// backend does not know, are more exact if their session has been seen; see explain.
var texts = map[occasion]note{
	{core.EventAbsent, ""}: {
		Level: remark, What: "No cookie",
		Why: "The request came without a session cookie: a first visit, a cookie that was deleted or has ended, or one for another host or path.",
		Do: "If there should be one, look in the browser's storage for its Domain, Path and SameSite. " +
			"Forms of other sites do not send a Lax cookie; fetch to another origin needs credentials: \"include\".",
	},
	{core.EventAbsent, core.ReasonPlainHTTP}: {
		Level: warning, What: "No cookie, over plain HTTP",
		Why: "The session cookie is Secure, and this request came over plain HTTP, where browsers do not send it; some make an exception for localhost.",
		Do: "Serve HTTPS, let your proxy set X-Forwarded-Proto, or set Config.InsecureAllowHTTP in development. " +
			"On a first visit there is nothing to do.",
	},
	{core.EventInsecure, ""}: {
		Level: warning, What: "Secure cookie over plain HTTP",
		Why: "The response sets a Secure cookie, but the request came over plain HTTP: most browsers will not keep it or not send it back. This is told once.",
		Do:  "Serve HTTPS, let your proxy set X-Forwarded-Proto, or set Config.InsecureAllowHTTP in development.",
	},
	{core.EventLoaded, ""}:  {Level: fine, What: "Session found", Why: "The cookie is that of a live session."},
	{core.EventCreated, ""}: {Level: fine, What: "Created", Why: "A new session was stored, and its cookie was set."},
	{core.EventSaved, ""}:   {Level: fine, What: "Saved", Why: "Changes were stored."},
	{core.EventTouched, ""}: {Level: fine, What: "Touched", Why: "The session was used; its idle timeout begins anew."},
	{core.EventRenewed, ""}: {Level: fine, What: "Renewed", Why: "The session has a new token, and the old one is dead."},
	{core.EventLogin, ""}:   {Level: fine, What: "Login", Why: "The session was bound to a user, with a new token."},
	{core.EventMoved, ""}:   {Level: fine, What: "Moved", Why: "The session was moved to the new backend of a Migration."},
	{core.EventLogout, ""}:  {Level: remark, What: "Logout", Why: "The request has ended its own session."},
	{core.EventRevoked, ""}: {
		Level: remark, What: "Revoked", Why: "A session was ended from elsewhere. Its cookie is worth nothing from now on.",
	},
	{core.EventRevoked, core.ReasonLimit}: {
		Level: remark, What: "Revoked: too many sessions", Why: "The user's oldest session made room for a newer login.",
		Do: "See Config.SessionLimit and Config.LimitPolicy.",
	},
	{core.EventRevoked, core.ReasonCheck}: {
		Level: remark, What: "Revoked by Config.Check", Why: "Config.Check returned an error, and so the session was ended.",
	},
	{core.EventConflict, ""}: {
		Level: fine, What: "Conflict", Why: "Another request has saved meanwhile; the changes are applied to what it saved.",
	},
	{core.EventRolledBack, ""}: {
		Level: warning, What: "Rolled back",
		Why: "The response is a server error or the handler panicked: what it had changed and not committed is undone, a login too.",
		Do:  "Find the reason of the error. To keep changes all the same, call Session.Commit, or set Config.KeepOnServerError.",
	},
	{core.EventFlashDropped, ""}: {
		Level: warning, What: "Flash dropped", Why: "More unread flashes than Config.MaxFlashes, or than have room: the oldest went.",
		Do: "Show them: is there a page that adds flashes and none that reads them?",
	},
	{core.EventFailed, ""}: {
		Level: failure, What: "Not saved", Why: "The commit failed. Nothing was stored, and the client got an error, unless the response had begun.",
		Do: "Read the error above.",
	},
	{core.EventUnavailable, ""}: {
		Level: failure, What: "Store unavailable", Why: "The store could not answer. Nobody is logged out by that: the cookie stays, and works again when the store does.",
		Do: "Look at the store and at the network.",
	},
	{core.EventAborted, ""}: {
		Level: fine, What: "Client gone", Why: "The client hung up while its session was being loaded.",
	},
}

func init() {
	for reason, n := range rejections {
		n.Level = warning
		texts[occasion{core.EventRejected, reason}] = n
	}
	for reason, why := range map[core.Reason]string{
		"":                    "The session could not take it.",
		core.ReasonEnded:      "Another request has ended or renewed the session meanwhile; what this one wrote must not bring it back.",
		core.ReasonSuperseded: "The request came with a token that was replaced before; what it writes counts no more.",
		core.ReasonReadOnly:   "The store was unavailable when the session was loaded, so that it is read-only (Config.ServeWhenUnavailable).",
	} {
		texts[occasion{core.EventDropped, reason}] = note{Level: warning, What: "Changes dropped", Why: why, Do: "Rarely, that is normal: two requests at a time, one of them a logout."}
	}
	for reason, n := range map[core.Reason]note{
		"":                    {Why: "A change could not be kept any more.", Do: later},
		core.ReasonAfterwards: {Why: "The request was over when its session was changed, in a goroutine perhaps.", Do: later + " In the background, use Manager.Update with the session's ID."},
		core.ReasonNoCookie:   {Why: "The change needs a cookie, but the response header had gone.", Do: later},
		core.ReasonLateFlash:  {Why: "Flashes were read when the header had gone, so that the client will see them again.", Do: later},
		core.ReasonLogoutLate: {Why: "The session is in the cookie, and the header had gone: the client is still logged in.", Do: later},
		core.ReasonReadOnly:   {Why: "A session in Manager.View was written to.", Do: "Use Manager.Update."},
	} {
		n.Level, n.What = failure, "Written too late"
		texts[occasion{core.EventTooLate, reason}] = n
	}
}

// rejections explain why a cookie that was presented gave no session.
var rejections = map[core.Reason]note{
	"": {What: "Cookie refused", Why: "The cookie gave the request no session."},
	core.ReasonMalformed: {
		What: "Not our cookie", Why: "A cookie has our name, but no token that this application has issued, or some of the cookies of a large session are missing.",
		Do: "It is of another application on this host, or of an older version: delete it, or choose another Config.Cookie.Name. " +
			"A session over several cookies needs all of them: look for a client or proxy that cuts them off, as curl does after 8 KB.",
	},
	core.ReasonDuplicate: {
		What: "Two cookies", Why: "The browser sent two cookies of our name with different values, and nobody can tell which is ours: neither is used.",
		Do: "One has another Path or Domain, from a subdomain or from an older version. Delete it in the browser's storage, or choose another Config.Cookie.Name. A name with the prefix __Host- cannot be set from elsewhere.",
	},
	core.ReasonUnknown: {
		What: "Unknown session", Why: "The store or the key does not know this cookie, and this page has not seen its session since the process began.",
		Do: "Sessions in memory end with the process; choose another store to keep them. In cookies: were the keys changed, or are they random at every start? Is it a cookie of another application on this host?",
	},
	core.ReasonExpired: {What: "Expired", Why: "The idle timeout or the absolute lifetime is over."},
	core.ReasonSuperseded: {
		What: "Old token", Why: "Login or Renew in another request has just replaced this token. Requests that were under way read an empty session and disturb nothing.",
		Do: "Rarely, that is normal. If it stays so, the browser did not keep the new cookie: look for Set-Cookie in that response.",
	},
	core.ReasonNotBefore: {
		What: "Revoked with all others", Why: "The session began before Config.NotBefore, or before RevokeAll was called.",
	},
	core.ReasonCorrupt: {
		What: "Unreadable", Why: "The session's record could not be read.",
		Do: "Has another program written to the store, or has a key of Encrypted gone?",
	},
	core.ReasonNewer: {
		What: "Of a newer release", Why: "A newer release of Satchel has written the record.",
		Do: "Run the newer release. Nothing was overwritten.",
	},
	core.ReasonCheck: {What: "Ended by Config.Check", Why: "Config.Check returned an error, which ends the session."},
}
