package devpage

import "github.com/satchel-go/satchel/core"

const later = "Use the session before the first byte of the response, and before the handler returns."

// unanswered goes with errors of stores, and of programs that cannot read what is stored: of
// a type that gob does not know, for example, or users that are integers.
const unanswered = "Read the error above. If it names a type or a setting, change the program as it says. Otherwise look at the store and at the network."

// texts explain what events mean. For tokens that expired or that the backend
// does not know, explain is more exact if the page has seen their session.
var texts = map[occasion]note{
	{core.EventAbsent, ""}: {
		Level: remark, What: "No cookie",
		Why: "The request came without a session cookie: a first visit, a cookie that was deleted or has expired, or one for another host or path.",
		Do: "If there should be one, look in the browser's storage for its Domain, Path and SameSite. " +
			"Forms on other sites do not send a Lax cookie; fetch to another origin needs credentials: \"include\".",
	},
	{core.EventAbsent, core.ReasonPlainHTTP}: {
		Level: warning, What: "No cookie, over plain HTTP",
		Why: "The session cookie is Secure, and this request came over plain HTTP, where browsers do not send it; some make an exception for localhost.",
		Do: "Serve HTTPS, let your proxy set X-Forwarded-Proto, or set Config.InsecureAllowHTTP in development. " +
			"On a first visit there is nothing to do.",
	},
	{core.EventInsecure, ""}: {
		Level: warning, What: "Secure cookie over plain HTTP",
		Why: "The response sets a Secure cookie, but the request came over plain HTTP: most browsers will not keep it or will not send it back. This is reported once.",
		Do:  "Serve HTTPS, let your proxy set X-Forwarded-Proto, or set Config.InsecureAllowHTTP in development.",
	},
	{core.EventCookieClash, ""}: {
		Level: warning, What: "Another cookie of our name",
		Why: "The response had a Set-Cookie for the session's cookie that the session did not set. It is replaced if the session sets its own, and passed on otherwise.",
		Do:  "Look for a cache, a proxy or other code inside the middleware that sets it, and give one of the two cookies another name.",
	},
	{core.EventMisconfigured, ""}: {
		Level: warning, What: "A setting that cannot work",
		Why: "A setting of the framework does not go with these sessions; the event says which.",
		Do:  "Change it as the event says.",
	},
	{core.EventDuplicates, ""}: {
		Level: warning, What: "Two cookies, again and again",
		Why: "Requests keep coming with two cookies of our name with different values. Neither is used, so their clients cannot log in. This is reported once.",
		Do:  "If Domain, Path or Partitioned of Config.Cookie was changed, list what it was in Config.Cookie.Former. If another application on this host uses the name, choose another.",
	},
	{core.EventLargeCookie, ""}: {
		Level: warning, What: "Large cookie", Why: "The session's cookie may be too large for a proxy or for the server. This is reported once.",
		Do: "Store less in the session, or keep it on the server. Or raise the limits: nginx's proxy_buffer_size, Fiber's ReadBufferSize.",
	},
	{core.EventSweepLags, ""}: {
		Level: warning, What: "Clean-up lags behind", Why: "Expired sessions come faster than the store's clean-up removes them. They cannot be used, but they take space.",
		Do: "Let the clean-up run more often, as the event says, or find out what stores so many sessions: often visitors that never come back.",
	},
	{core.EventReplaced, ""}: {
		Level: warning, What: "Value replaced", Why: "A stored value did not decode into its key's type, and the key has the option ReplaceUnreadable: an Update has begun afresh.",
		Do: "After a change of the type that is expected. To keep such values, use core.ReadOld.",
	},
	{core.EventLoaded, ""}:  {Level: fine, What: "Session found", Why: "The cookie is that of a live session."},
	{core.EventCreated, ""}: {Level: fine, What: "Created", Why: "A new session was stored, and its cookie was set."},
	{core.EventSaved, ""}:   {Level: fine, What: "Saved", Why: "Changes were stored."},
	{core.EventTouched, ""}: {Level: fine, What: "Touched", Why: "The session was used; its idle timeout begins anew."},
	{core.EventRenewed, ""}: {Level: fine, What: "Renewed", Why: "The session has a new token, and the old one is dead."},
	{core.EventLogin, ""}:   {Level: fine, What: "Login", Why: "The session was bound to a user, with a new token."},
	{core.EventMoved, ""}:   {Level: fine, What: "Moved", Why: "The session was moved to the new backend of a Migration."},
	{core.EventLogout, ""}:  {Level: remark, What: "Logout", Why: "The request ended its own session."},
	{core.EventRevoked, ""}: {
		Level: remark, What: "Revoked", Why: "A session was ended from elsewhere. Its cookie no longer works.",
	},
	{core.EventRevoked, core.ReasonLimit}: {
		Level: remark, What: "Revoked: too many sessions", Why: "The user's oldest session made room for a newer login.",
		Do: "See Config.SessionLimit and Config.LimitPolicy.",
	},
	{core.EventRevoked, core.ReasonCheck}: {
		Level: remark, What: "Revoked by Config.Check", Why: "Config.Check returned an error, which ended the session.",
	},
	{core.EventConflict, ""}: {
		Level: fine, What: "Conflict", Why: "Another request saved meanwhile; the changes are applied to what it saved.",
	},
	{core.EventRolledBack, ""}: {
		Level: warning, What: "Rolled back",
		Why: "The response is a server error, the handler panicked, or it called Rollback: its uncommitted changes are undone, including a login.",
		Do:  "Find the cause of the error. To keep changes anyway, call Session.Commit, or set Config.KeepOnServerError.",
	},
	{core.EventFlashDropped, ""}: {
		Level: warning, What: "Flash dropped", Why: "There were more unread flashes than Config.MaxFlashes, or than fit: the oldest were dropped.",
		Do: "Show them: is there a page that adds flashes and none that reads them?",
	},
	{core.EventFailed, ""}: {
		Level: failure, What: "Not saved", Why: "The commit failed. Nothing was stored, and the client got an error, unless the response had begun.",
		Do: "Read the error above.",
	},
	{core.EventUnavailable, ""}: {
		Level: failure, What: "Store unavailable", Why: "The store could not answer, or this program could not read its answer. This logs nobody out: the cookie stays, and works again when the store does.",
		Do: unanswered,
	},
	{core.EventAway, ""}: {
		Level: failure, What: "Store away", Why: "Calls of the store got no answer any more, so requests fail at once, and only now and then one asks it.",
		Do: "Look at the store and at the network.",
	},
	{core.EventBack, ""}: {
		Level: fine, What: "Store back", Why: "The store answers again, and every request asks it.",
	},
	{core.EventAborted, ""}: {
		Level: fine, What: "Client gone", Why: "The client hung up while its session was being loaded.",
	},
}

// headerTexts replace texts where tokens travel in a header.
var headerTexts = map[occasion]note{
	{core.EventAbsent, ""}: {
		Level: remark, What: "No token",
		Why: "The request came without a token in the session's header: a first request, or a client that has forgotten its token, or sends it elsewhere.",
		Do: "If there should be one, look at what the client sends: with core.Bearer, Authorization: Bearer and the token of the last answer that had one. " +
			"For a page of another origin, name the header in Access-Control-Allow-Headers: a star does not cover Authorization.",
	},
	{core.EventInsecure, ""}: {
		Level: warning, What: "Token over plain HTTP",
		Why: "The response hands out a token, but the request came over plain HTTP: everyone on the way can read it. This is reported once.",
		Do:  "Serve HTTPS, let your proxy set X-Forwarded-Proto, or set Config.InsecureAllowHTTP in development.",
	},
	{core.EventCookieClash, ""}: {
		Level: warning, What: "The session's header, set by others",
		Why: "The response had the header in which tokens are handed out, and the session did not set it. It is replaced if the session hands out a token, and passed on otherwise.",
		Do:  "Look for a cache, a proxy or other code inside the middleware that sets it, or choose another header with Carrier.AnswerIn.",
	},
	{core.EventLargeCookie, ""}: {
		Level: warning, What: "Large token", Why: "The session's token may be too large for a proxy or for the server. This is reported once.",
		Do: "Store less in the session, or keep it on the server. Or raise the limits: nginx's proxy_buffer_size, Fiber's ReadBufferSize.",
	},
	{core.EventLoaded, ""}:  {Level: fine, What: "Session found", Why: "The token is that of a live session."},
	{core.EventCreated, ""}: {Level: fine, What: "Created", Why: "A new session was stored, and the answer has its token."},
	{core.EventRevoked, ""}: {Level: remark, What: "Revoked", Why: "A session was ended from elsewhere. Its token no longer works."},
	{core.EventUnavailable, ""}: {
		Level: failure, What: "Store unavailable", Why: "The store could not answer, or this program could not read its answer. This logs nobody out: the token works again when the store does.",
		Do: unanswered,
	},
	{core.EventTooLate, core.ReasonNoCookie}: {
		Level: failure, What: "Written too late", Why: "The change needs a token in the response header, which was already sent.", Do: later,
	},
	{core.EventTooLate, core.ReasonLogoutLate}: {
		Level: failure, What: "Written too late", Why: "The session is in the token, and the header was already sent: the client is still logged in.", Do: later,
	},
	{core.EventRejected, ""}: {Level: warning, What: "Token refused", Why: "The token gave the request no session."},
	{core.EventRejected, core.ReasonMalformed}: {
		Level: warning, What: "Not our token", Why: "The session's header has no token that this application issued: it is empty, too long or cut off, has other characters, or has text around the token.",
		Do: "Look at what the client sends: after Bearer comes the token, without quotes. A token longer than Config.MaxHeaderToken is refused.",
	},
	{core.EventRejected, core.ReasonDuplicate}: {
		Level: warning, What: "Two tokens", Why: "The request had two lines of the session's header, or more than a token in it. It is impossible to tell which is ours, so none is used.",
		Do: "Look for a client library or a proxy that adds a line of its own, such as Authorization: Basic. If both are needed, give the sessions another header with core.Header.",
	},
	{core.EventRejected, core.ReasonUnknown}: {
		Level: warning, What: "Unknown session", Why: "The store or the key does not know this token, and this page has not seen its session since the process began.",
		Do: "Sessions in memory end with the process; choose another store to keep them. In tokens: were the keys changed, or are they random at every start? " +
			"A token of another Manager, or of another carrier, opens nothing here.",
	},
	{core.EventRejected, core.ReasonSuperseded}: {
		Level: warning, What: "Old token", Why: "Login or Renew in another request has just replaced this token. For 30 seconds, requests that still carry it read an empty session and store nothing; then they start a new one.",
		Do: "Rarely, that is normal. If it persists, the client did not adopt the new token: look for it in that response.",
	},
}

func init() {
	for reason, n := range rejections {
		n.Level = warning
		texts[occasion{core.EventRejected, reason}] = n
	}
	for reason, why := range map[core.Reason]string{
		"":                    "The session could not take it.",
		core.ReasonEnded:      "Another request ended or renewed the session meanwhile; what this one wrote must not bring it back.",
		core.ReasonExpired:    "The session expired while the request ran, more than a minute before its commit; the client got 409.",
		core.ReasonSuperseded: "The request came with a token that had already been replaced, so what it wrote no longer counts.",
		core.ReasonReadOnly:   "The store was unavailable when the session was loaded, so it is read-only (Config.ServeWhenUnavailable).",
	} {
		texts[occasion{core.EventDropped, reason}] = note{Level: warning, What: "Changes dropped", Why: why, Do: "Rarely, that is normal: two requests at a time, one of them a logout."}
	}
	for reason, n := range map[core.Reason]note{
		"":                    {Why: "A change came too late to be kept.", Do: later},
		core.ReasonAfterwards: {Why: "The request was over when its session was changed, perhaps in a goroutine.", Do: later + " In the background, use Manager.Update with the session's ID."},
		core.ReasonNoCookie:   {Why: "The change needs a cookie, but the response header was already sent.", Do: later},
		core.ReasonLateFlash:  {Why: "Flashes were read after the header was sent, so the client will see them again.", Do: later},
		core.ReasonLogoutLate: {Why: "The session is in the cookie, and the header was already sent: the client is still logged in.", Do: later},
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
		What: "Not our cookie", Why: "A cookie has our name but no token that this application issued, or some cookies of a large session are missing.",
		Do: "It belongs to another application on this host, or to an older version: delete it, or choose another Config.Cookie.Name. " +
			"A session over several cookies needs all of them: look for a client or proxy that cuts them off, as curl does after 8 KB.",
	},
	core.ReasonDuplicate: {
		What: "Two cookies", Why: "The browser sent two cookies of our name with different values. It is impossible to tell which is ours, so neither is used.",
		Do: "One has another Path or Domain, from a subdomain or from an older version: list what an older version used in Config.Cookie.Former. Or delete it in the browser's storage, or choose another Config.Cookie.Name. A name with the prefix __Host- cannot be set from elsewhere.",
	},
	core.ReasonUnknown: {
		What: "Unknown session", Why: "The store or the key does not know this cookie, and this page has not seen its session since the process began.",
		Do: "Sessions in memory end with the process; choose another store to keep them. In cookies: were the keys changed, or are they random at every start? Is it a cookie of another application on this host?",
	},
	core.ReasonExpired: {What: "Expired", Why: "The idle timeout or the absolute lifetime is over."},
	core.ReasonSuperseded: {
		What: "Old token", Why: "Login or Renew in another request has just replaced this token. For 30 seconds, requests that still carry it read an empty session and store nothing; then they start a new one.",
		Do: "Rarely, that is normal. If it persists, the browser did not keep the new cookie: look for Set-Cookie in that response.",
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
