package devpage

import (
	"time"

	"github.com/satchel-go/satchel/core"
)

// level is how much attention a note deserves.
type level string

const (
	fine    level = "ok"      // what sessions do every day
	remark  level = "note"    // may explain why a user is not logged in
	warning level = "warning" // a session or a change was lost
	failure level = "error"   // a mistake, or a server in trouble
)

// note is one thing that a session did.
type note struct {
	Level level
	What  string
	Why   string
	Do    string // "" if there is nothing to do

	// What the event adds; "" if nothing.
	Detail string
	Err    string
}

// occasion is the key of a text. A reason without a text of its own uses that of
// its kind.
type occasion struct {
	kind   core.EventKind
	reason core.Reason
}

// explain says in words what e means. f is what is known of the session whose
// token was refused; header, whether tokens travel in one.
func explain(e core.Event, f fate, header bool) (n note, shown bool) {
	if e.Kind == core.EventFinished {
		return note{}, false
	}
	n = textFor(e, header)
	if e.Kind == core.EventMoved && e.User == "" {
		n.Level, n.Do = remark, "If somebody was logged in with another library: is UserKey the key of the application's value that says who?"
	}
	if e.Kind == core.EventRejected {
		switch e.Reason {
		case core.ReasonExpired:
			f.expires = e.Expires
			n = expired(f)
			if e.Detail != "" { // client-side, it says when it was written last
				n.Do += " If it was in use, its touches are missing: does the " + in(header).keeps + "?"
			}
		case core.ReasonUnknown:
			n = unknown(n, e, f, in(header))
		}
	}
	n.Detail = cut(e.Detail)
	if e.Err != nil {
		n.Err = cut(e.Err.Error())
	}
	return n, true
}

// textFor returns the text for e's kind and reason, or for its kind alone.
func textFor(e core.Event, header bool) note {
	for _, o := range [...]occasion{{e.Kind, e.Reason}, {e.Kind, ""}} {
		if n, ok := headerTexts[o]; ok && header {
			return n
		}
		if n, ok := texts[o]; ok {
			return n
		}
	}
	return note{Level: remark, What: string(e.Kind), Why: string(e.Reason)} // from a later release
}

// words are what cookies and headers are called.
type words struct{ token, client, answer, keeps string }

func in(header bool) words {
	if header {
		return words{"token", "client did not adopt the new token", "the token", "client keep and send both of its headers"}
	}
	return words{"cookie", "browser did not keep the new cookie", "Set-Cookie", "browser keep and send both of its cookies"}
}

// expired explains a session that has expired.
func expired(f fate) note {
	n := note{
		Level: warning, What: "Expired " + at(f.expires),
		Why: "The session's idle timeout or its absolute lifetime was over " + at(f.expires) + ".",
		Do: "To make sessions last longer, see Config.IdleTimeout, Config.Lifetime and Session.Remember. " +
			"Requests that call SkipTouch, or do not use the session, do not keep it alive.",
	}
	if !f.seen.IsZero() {
		n.Why += " It was last seen " + at(f.seen) + "."
	}
	return n
}

// unknown explains a token that the backend does not know, by what happened to
// its session.
func unknown(n note, e core.Event, f fate, w words) note {
	switch {
	case !f.ended.IsZero():
		n.What = "Ended " + at(f.ended)
		n.Why = "The " + w.token + " belongs to a session that has ended: " + f.how + " " + at(f.ended) + "."
		n.Do = "Its user has to log in again. If it should not have ended, look for that moment in this list."
	case f.expires.IsZero():
	case !e.Time.Before(f.expires):
		return expired(f)
	case !f.replaced.IsZero():
		n.What = "Old token"
		n.Why = "Login or Renew replaced the session's token " + at(f.replaced) + ", and this request seems to have an older one."
		n.Do = "The " + w.client + ", or something replays an old one: look for " + w.answer + " in the response of that moment. " +
			"If the " + w.token + " is the new one, the store has lost the session."
	default:
		n.What = "Lost, or a wrong token"
		n.Why = "The session was last seen " + at(f.seen) + " and should last until " + f.expires.Local().Format(stamp) +
			", but the store does not have it, or the token does not belong to it."
		n.Do = "Was the store emptied or restarted, or does it evict? Does another process end sessions?"
	}
	return n
}

const stamp = "2006-01-02 15:04:05"

func at(t time.Time) string {
	if t.IsZero() {
		return "at an unknown time"
	}
	return "at " + t.Local().Format(stamp)
}
